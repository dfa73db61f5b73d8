"""Convolutions and linear layers in C: sums of products of codes, in 32 bits.

With `w` and `x` the codes, an output is `bias + sum (w - Z_w)(x - Z_x)`, times a factor. Where
there is no border, `Z_x` is moved into the bias; where there is one, what lies outside is skipped,
since its steps are zero.
"""

import torch
from jaxtyping import Int64
from torch import Tensor

from efficientdl import _check
from efficientdl.models.layers.integer import SUM_BITS, IntegerConv2d, IntegerLinear
from efficientdl.systems.compiler.codegen.shapes import Shape
from efficientdl.systems.compiler.codegen.text import (
    Code,
    Lines,
    Table,
    block,
    code_of,
    function,
    less,
    loop,
    place,
)
from efficientdl.systems.compiler.codegen.window import Axes, Axis, axes_of, bounds, pixel, taps
from efficientdl.tensors.fixed_point import LARGEST_SHIFT

Product = IntegerConv2d | IntegerLinear


def linear(module: IntegerLinear, number: int) -> Code:
    """A linear layer: one row of weights after the other.

    Args:
        module: The layer.
        number: The step's number, with which the names of its tables end.
    """
    c_out, c_in = module.codes.shape
    weight = f"weight_{number}[{place(('c_out', c_out), ('c_in', c_in))}]"
    product = f"sum += {_steps_of_weight(module, weight)} * x[c_in];"
    row = [
        *_zero(module, number),
        f"int32_t sum = bias_{number}[c_out];",
        *loop("c_in", c_in, [product]),
        _product(number),
        f"y[c_out] = {_code(module, number)};",
    ]
    return Code(loop("c_out", c_out, row), _tables(module, number, x_zero_point=0))


def convolution(module: IntegerConv2d, x: Shape, number: int, *, by_channel: bool) -> Code:
    """A direct convolution: for each output, the taps of its window that lie inside.

    Args:
        module: The layer.
        x: Shape of its input.
        number: The step's number, with which the names of its tables end.
        by_channel: Put each channel into scratch memory, then where the input's channel was.
    """
    axes = axes_of(module.geometry, (x[1], x[2]))
    (rows, columns), (down, across) = axes, bounds(axes)
    padded = any(axis.padding for axis in axes)
    x_zero_point = module.x.zero_point if padded else 0
    window = _window(module, axes, x_zero_point)
    channel, n_outputs = ("c_out", len(module.codes)), rows.places * columns.places
    at = place(*([] if by_channel else [channel]), ("p", rows.places), ("q", columns.places))
    output = [
        *across,
        f"int32_t sum = bias_{number}[c_out];",
        *(_choice(module, axes, number) if padded else window),
        _product(number),
        f"{'scratch' if by_channel else 'y'}[{at}] = {_code(module, number)};",
    ]
    picture = loop("p", rows.places, [*down, *loop("q", columns.places, output)])
    body = [*_filter(module, x, number), *_zero(module, number), *picture]
    if by_channel:
        body.append(f"memcpy(y + c_out * {n_outputs}, scratch, {n_outputs});")
    tables = _tables(module, number, x_zero_point=x_zero_point)
    before = _function(module, axes, number, window) if padded else []
    return Code(loop(*channel, body), tables, before)


def _filter(module: IntegerConv2d, x: Shape, number: int) -> Lines:
    """The filter of an output channel, and the input channels that it looks at."""
    c_out, c_in = module.codes.shape[:2]
    groups = module.geometry.groups
    group = "c_out" if groups == c_out else f"c_out / {c_out // groups}"
    image = "x" if groups == 1 else f"x + {group} * {c_in * x[1] * x[2]}"
    return [
        f"const int8_t *filter = weight_{number} + c_out * {module.codes[0].numel()};",
        f"const int8_t *image = {image};",
    ]


def _window(module: IntegerConv2d, axes: Axes, x_zero_point: int) -> Lines:
    """Add up what the taps give."""
    c_in, r, s = module.codes.shape[1:]
    weight = f"filter[{place(('c_in', c_in), ('r', r), ('s', s))}]"
    each = [
        f"const int pixel = {pixel('c_in' if c_in > 1 else '', axes)};",
        f"sum += {_steps_of_weight(module, weight)} * {less('image[pixel]', x_zero_point)};",
    ]
    each = taps(axes, each)
    return loop("c_in", c_in, each) if c_in > 1 else each


def _function(module: IntegerConv2d, axes: Axes, number: int, window: Lines) -> Lines:
    """The taps of a padded window as a function of the bounds.

    Called with constants it is unrolled like a window without a border, so that only the windows
    at the border pay for bounds.
    """
    ends = [f"int {end}" for axis, tap in zip(axes, "rs", strict=True) for end in _ends(axis, tap)]
    zero = ["int zero"] if _zero(module, number) else []
    given = ", ".join([*zero, "int top", "int left", *ends])
    head = [
        f"static inline int32_t window_{number}(const int8_t *image, const int8_t *filter,",
        f"    {given})",
    ]
    lines = function(head[-1], ["int32_t sum = 0;", *window, "return sum;"])
    return [head[0], *lines]


def _choice(module: IntegerConv2d, axes: Axes, number: int) -> Lines:
    """Call the function: with constants where the window lies inside, else with its bounds."""
    given = ["image", "filter", *(["zero"] if _zero(module, number) else []), "top", "left"]
    named, whole, inside = [], [], []
    for axis, tap, at in zip(axes, "rs", "pq", strict=True):
        named += _ends(axis, tap)
        if axis.padding:
            whole += ["0", str(axis.taps)]
            inside += [f"{at} >= {axis.whole.start}"]
            inside += [f"{at} < {axis.whole.stop}"] if axis.whole.stop < axis.places else []
    slow = f"sum += window_{number}({', '.join([*given, *named])});"
    if not all(axis.whole for axis in axes):
        return [slow]
    fast = f"sum += window_{number}({', '.join([*given, *whole])});"
    return [*block(f"if ({' && '.join(inside)})", [fast])[:-1], *block("} else", [slow])]


def _ends(axis: Axis, tap: str) -> list[str]:
    return [f"{tap}_from", f"{tap}_to"] if axis.padding else []


def _zero(module: Product, number: int) -> Lines:
    """The zero point of a channel's weights, where the channels have different ones."""
    if len(module.weight_zero_point.unique()) == 1:
        return []
    return [f"const int zero = zero_{number}[c_out];"]


def _steps_of_weight(module: Product, weight: str) -> str:
    zero_points = module.weight_zero_point.unique().tolist()
    return less(weight, zero_points[0]) if len(zero_points) == 1 else f"({weight} - zero)"


def _product(number: int) -> str:
    return f"const int64_t product = (int64_t)sum * multiplier_{number}[c_out];"


def _code(module: Product, number: int) -> str:
    """The code of a sum, once it is multiplied by the channel's factor."""
    return code_of(f"rounded(product, shift_{number}[c_out])", module.y)


def _tables(module: Product, number: int, *, x_zero_point: int) -> tuple[Table, ...]:
    """Weights, biases and factors.

    A layer's bias is that of the input's codes as they are. The sum here is one of `x - Z`, so
    what belongs to `Z` is given back: `bias + Z sum (w - Z_w)`.
    """
    codes = module.codes.flatten(1).to(torch.int64)
    steps = codes - module.weight_zero_point[:, None]
    all_of_x, ahead = steps.sum(dim=1), module.bias.to(torch.int64)
    _demand_room(module, steps.abs().sum(dim=1), ahead + module.x.zero_point * all_of_x)
    parts = [
        ("weight", "int8_t", codes),
        ("bias", "int32_t", ahead + x_zero_point * all_of_x),
        ("multiplier", "int32_t", module.multiplier),
        ("shift", "uint8_t", module.shift),
    ]
    if _zero(module, number):
        parts.append(("zero", "int32_t", module.weight_zero_point))
    return tuple(Table.of(f"{name}_{number}", type, numbers) for name, type, numbers in parts)


def _demand_room(
    module: Product, steps: Int64[Tensor, " c_out"], bias: Int64[Tensor, " c_out"]
) -> None:
    """Demand that no sum leaves 32 bits, whatever bytes come in, and that no shift leaves 64."""
    z = module.x.zero_point
    largest = int((steps * max(127 - z, z + 128) + bias.abs()).max())
    if largest >= 2 ** (SUM_BITS - 1):
        rule = "must have sums that fit into 32 bits"
        _check.fail("generate_c", "network", rule, f"up to {largest}")
    shifts = [int(module.shift.min()), int(module.shift.max())]
    if shifts[0] < 1 or shifts[1] > LARGEST_SHIFT:
        rule = f"must have shifts in [1, {LARGEST_SHIFT}]"
        _check.fail("generate_c", "network", rule, shifts)
