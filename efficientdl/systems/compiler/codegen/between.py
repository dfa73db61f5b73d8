"""What stands between the products, in C: sums, pools, clamps, channels side by side."""

from math import prod

from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
)
from efficientdl.systems.compiler.codegen.shapes import Shape
from efficientdl.systems.compiler.codegen.text import (
    Code,
    Lines,
    block,
    code_of,
    less,
    loop,
    place,
)
from efficientdl.systems.compiler.codegen.window import Axes, axes_of, bounds, pixel, taps


def add(module: IntegerAdd, y: Shape) -> Code:
    """A sum of activations of several scales, rounded once.

    Args:
        module: The step.
        y: Shape of each.
    """
    many = len(module.xs) > 1
    terms = [
        f"INT64_C({multiplier}) * {less(f'x{i}[i]' if many else 'x[i]', x.zero_point)}"
        for i, (x, multiplier) in enumerate(zip(module.xs, module.multipliers, strict=True))
    ]
    sums = [f"int64_t sum = {terms[0]};", *(f"sum += {term};" for term in terms[1:])]
    put = f"y[i] = {code_of(f'rounded(sum, {module.shift})', module.y)};"
    return Code(loop("i", prod(y), [*sums, put]))


def concat(module: IntegerConcat, xs: list[Shape]) -> Code:
    """Activations of several scales one behind the other, each brought to the output's scale.

    Args:
        module: The step.
        xs: Shape of each.
    """
    lines, start = [], 0
    for i, (x, factor, shape) in enumerate(zip(module.xs, module.factors, xs, strict=True)):
        given = f"x{i}[i]" if len(xs) > 1 else "x[i]"
        product = f"INT64_C({int(factor.multiplier)}) * {less(given, x.zero_point)}"
        at = f"{start} + i" if start else "i"
        put = f"y[{at}] = {code_of(f'rounded({product}, {int(factor.shift)})', module.y)};"
        lines += loop("i", prod(shape), [put])
        start += prod(shape)
    return Code(lines)


def average_pool(module: IntegerAveragePool, x: Shape) -> Code:
    """The mean over each window: what lies outside counts as zeros.

    Args:
        module: The step.
        x: Shape of its input.
    """
    axes = axes_of(module.geometry, (x[1], x[2]))
    value = less(f"x[{pixel('c', axes)}]", module.x.zero_point)
    multiplier, shift = int(module.factor.multiplier), int(module.factor.shift)
    each = [
        "int32_t sum = 0;",
        *taps(axes, [f"sum += {value};"]),
        f"const int64_t product = INT64_C({multiplier}) * sum;",
    ]
    return Code(_pool(axes, x[0], each, code_of(f"rounded(product, {shift})", module.y)))


def max_pool(module: IntegerMaxPool, x: Shape) -> Code:
    """The largest code of each window.

    Args:
        module: The step.
        x: Shape of its input.
    """
    axes = axes_of(module.geometry, (x[1], x[2]))
    larger = block("if (value > largest)", ["largest = value;"])
    each = taps(axes, [f"const int8_t value = x[{pixel('c', axes)}];", *larger])
    return Code(_pool(axes, x[0], ["int8_t largest = -128;", *each], "largest"))


def clamp(module: IntegerClamp, y: Shape) -> Code:
    """A ReLU or ReLU6 on codes.

    Args:
        module: The step.
        y: Shape of its output.
    """
    ends = f"{module.y.lowest}, {module.y.highest}"
    return Code(loop("i", prod(y), [f"y[i] = code(x[i], 0, {ends});"]))


def _pool(axes: Axes, n_channels: int, each: Lines, value: str) -> Lines:
    (rows, columns), (down, across) = axes, bounds(axes)
    at = place(("c", n_channels), ("p", rows.places), ("q", columns.places))
    output = [*across, *each, f"y[{at}] = {value};"]
    picture = loop("p", rows.places, [*down, *loop("q", columns.places, output)])
    return loop("c", n_channels, picture)
