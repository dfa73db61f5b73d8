"""An integer network as operations on whole numbers, so that a runtime gives the very same codes.

ONNX's quantized operations rescale by floats. Here the sums of bytes are ONNX's (ConvInteger and
MatMulInteger give them whole), and what follows is the network's own arithmetic: a product in 64
bits, half of the divisor added, a floor division by a power of two. Nothing is left to rounding.

A file keeps the code `q` as the byte `q + 128`. Products of two unsigned bytes are exact on every
CPU; with a signed one, older vector instructions cut the sum of two products to 16 bits.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import (
    Geometry,
    IntegerConv2d,
    IntegerLinear,
    IntegerProduct,
)
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerNetwork,
    IntegerReshape,
)
from efficientdl.systems.compiler.export.writer import Array, Shape, Writer

MIDDLE = 128  # what is added to a code, so that it is a byte from 0 on


class Task(NamedTuple):
    """One step to write.

    Attributes:
        name: The step's name.
        step: The step.
        inputs: ONNX's names of what it takes.
        shape: Of the first of them.
    """

    name: str
    step: Any
    inputs: list[str]
    shape: Shape


def write_integers(w: Writer, network: IntegerNetwork, x: str, codes: Tensor) -> str:
    """Write the part of a network between codes and codes; returns the name of the output's bytes.

    Args:
        w: The model to write into.
        network: The network.
        x: The name of the input's bytes.
        codes: An example of the input's codes: the steps need its shapes.
    """
    names, values = [x], [codes]
    for name, takes in network.wires:
        step = network.get_submodule(name)
        _check.one_of("export_onnx", f"step {name!r}", type(step), list(RULES))
        inputs, given = [names[i] for i in takes], [values[i] for i in takes]
        names.append(RULES[type(step)](w, Task(name, step, inputs, tuple(given[0].shape))))
        values.append(step(*given))
    return names[-1]


def to_bytes(w: Writer, x: str, codes: ActivationCodes, dtype: np.dtype) -> str:
    """Write the way from floats to bytes: divided, rounded half to even, cut to the range."""
    one = lambda name, number: w.hold(f"to_codes.{name}", np.array(number, dtype=dtype))  # noqa: E731
    y = w.add("Div", [x, one("scale", codes.scale)], name="to_codes.steps")
    y = w.add("Add", [y, one("zero_point", codes.zero_point)], name="to_codes.places")
    y = w.add("Round", [y], name="to_codes.rounded")
    ends = [one("lowest", codes.lowest), one("highest", codes.highest)]
    y = w.add("Clip", [y, *ends], name="to_codes.codes")
    y = w.add("Add", [y, one("middle", MIDDLE)], name="to_codes.moved")
    return w.cast(y, np.uint8, name="to_codes")


def from_bytes(w: Writer, x: str, codes: ActivationCodes, dtype: np.dtype) -> str:
    """Write the way from bytes to floats: steps from zero, times the scale."""
    y = w.cast(_steps(w, x, codes, "from_codes"), dtype.type, name="from_codes.numbers")
    scale = w.hold("from_codes.scale", np.array(codes.scale, dtype=dtype))
    return w.add("Mul", [y, scale], name="from_codes")


def _linear(w: Writer, t: Task) -> str:
    layer: IntegerLinear = t.step
    zero_point = _bytes(layer.weight_zero_point)
    sums = w.add(
        "MatMulInteger",
        [
            t.inputs[0],
            w.hold(f"{t.name}.weight", _bytes(layer.codes).T),
            _zero_byte(w, layer.x, t.name),
            w.hold(f"{t.name}.weight_zero_point", zero_point),
        ],
        name=f"{t.name}.sums",
    )
    return _rescaled_product(w, t, sums, (-1,))


def _conv2d(w: Writer, t: Task) -> str:
    layer: IntegerConv2d = t.step
    zero_points = layer.weight_zero_point
    same = bool((zero_points == zero_points[0]).all())
    own = _bytes(zero_points[0] if same else zero_points[0] * 0)
    weight = _bytes(layer.codes)
    sums = _window_sums(w, t, layer.geometry, weight, own, "sums")
    if not same:  # ONNX has one for all channels: Z_w times the sum of x comes off afterwards
        x_sums = _window_sums(w, t, layer.geometry, np.ones_like(weight), _ZERO, "x_sums")
        by_channel = zero_points.numpy().reshape(-1, 1, 1)
        held = w.hold(f"{t.name}.weight_zero_point", by_channel)
        off = w.add("Mul", [x_sums, held], name=f"{t.name}.off")
        sums = w.add("Sub", [sums, off], name=f"{t.name}.sums_left")
    return _rescaled_product(w, t, sums, (-1, 1, 1))


_ZERO = np.array(0, dtype=np.uint8)


def _window_sums(
    w: Writer, t: Task, geometry: Geometry, weight: Array, weight_zero: Array, name: str
) -> str:
    """`sum (w - Z_w)(x - Z_x)` over every window; the border is the code of zero."""
    inputs = [
        t.inputs[0],
        w.hold(f"{t.name}.{name}.weight", weight),
        _zero_byte(w, t.step.x, t.name),
        w.hold(f"{t.name}.{name}.weight_zero_point", weight_zero),
    ]
    options = _window(geometry) | {"group": t.shape[1] // weight.shape[1]}
    return w.add("ConvInteger", inputs, name=f"{t.name}.{name}", **options)


def _window(geometry: Geometry) -> dict[str, object]:
    """How a window moves, as ONNX says it."""
    return {
        "kernel_shape": tuple(geometry.kernel),
        "strides": tuple(geometry.stride),
        "pads": (*geometry.padding, *geometry.padding),
        "dilations": tuple(geometry.dilation),
    }


def _rescaled_product(w: Writer, t: Task, sums: str, by_channel: Shape) -> str:
    """Bytes of the output, from sums of products of steps."""
    layer: IntegerProduct = t.step
    steps = layer.codes.flatten(1).long() - layer.weight_zero_point[:, None].long()
    # what the layer holds as its bias has Z_x times the weights in it already; the sums have, too
    bias = layer.bias.long() + layer.x.zero_point * steps.sum(dim=1)
    held = w.hold(f"{t.name}.bias", bias.numpy().astype(np.int32).reshape(by_channel))
    total = w.add("Add", [sums, held], name=f"{t.name}.total")
    multiplier = layer.multiplier.numpy().reshape(by_channel)
    shift = layer.shift.numpy().reshape(by_channel)
    scaled = _shifted(w, _scaled(w, total, multiplier, t.name), shift, t.name)
    return _saturated(w, scaled, layer.y, t.name)


def _scaled(w: Writer, x: str, multiplier: Array, name: str) -> str:
    """Whole numbers times a multiplier, in 64 bits."""
    wide = w.cast(x, np.int64, name=f"{name}.wide")
    held = w.hold(f"{name}.multiplier", np.asarray(multiplier, dtype=np.int64))
    return w.add("Mul", [wide, held], name=f"{name}.product")


def _shifted(w: Writer, x: str, shift: Array, name: str) -> str:
    """`floor((x + 2**(shift - 1)) / 2**shift)`: a remainder is never negative, so taking it off
    leaves what divides."""
    divisor = np.left_shift(np.int64(1), np.asarray(shift, dtype=np.int64))
    held = w.hold(f"{name}.divisor", divisor)
    y = w.add("Add", [x, w.hold(f"{name}.half", divisor // 2)], name=f"{name}.with_half")
    rest = w.add("Mod", [y, held], name=f"{name}.rest")
    y = w.add("Sub", [y, rest], name=f"{name}.whole")
    return w.add("Div", [y, held], name=f"{name}.steps")


def _saturated(w: Writer, steps: str, y: ActivationCodes, name: str) -> str:
    """Bytes, from steps from zero; what does not fit takes the end."""
    one = lambda number: np.array(number + MIDDLE, dtype=np.int64)  # noqa: E731
    moved = w.add(
        "Add", [steps, w.hold(f"{name}.y_zero_point", one(y.zero_point))], name=f"{name}.moved"
    )
    ends = [w.hold(f"{name}.y_end", one(end)) for end in (y.lowest, y.highest)]
    cut = w.add("Clip", [moved, *ends], name=f"{name}.cut")
    return w.cast(cut, np.uint8, name=name)


def _steps(w: Writer, x: str, codes: ActivationCodes, name: str) -> str:
    """Steps from zero, in 32 bits."""
    wide = w.cast(x, np.int32, name=f"{name}.places")
    held = w.hold(f"{name}.x_zero_point", np.array(codes.zero_point + MIDDLE, dtype=np.int32))
    return w.add("Sub", [wide, held], name=f"{name}.x_steps")


def _add(w: Writer, t: Task) -> str:
    step: IntegerAdd = t.step
    terms = [
        _scaled(w, _steps(w, x, codes, t.name), np.array(multiplier), t.name)
        for x, codes, multiplier in zip(t.inputs, step.xs, step.multipliers, strict=True)
    ]
    total = reduce(lambda a, b: w.add("Add", [a, b], name=f"{t.name}.total"), terms)
    return _saturated(w, _shifted(w, total, np.array(step.shift), t.name), step.y, t.name)


def _concat(w: Writer, t: Task) -> str:
    step: IntegerConcat = t.step
    parts = []
    for x, codes, factor in zip(t.inputs, step.xs, step.factors, strict=True):
        scaled = _scaled(w, _steps(w, x, codes, t.name), factor.multiplier.numpy(), t.name)
        steps = _shifted(w, scaled, factor.shift.numpy(), t.name)
        parts.append(_saturated(w, steps, step.y, f"{t.name}.part"))
    return w.add("Concat", parts, name=t.name, axis=1)


def _average_pool(w: Writer, t: Task) -> str:
    step: IntegerAveragePool = t.step
    ones = np.ones((t.shape[1], 1, *step.geometry.kernel), dtype=np.uint8)
    sums = _window_sums(w, t, step.geometry, ones, _ZERO, "sums")
    scaled = _scaled(w, sums, step.factor.multiplier.numpy(), t.name)
    steps = _shifted(w, scaled, step.factor.shift.numpy(), t.name)
    if step.keeps_axes:
        return _saturated(w, steps, step.y, t.name)
    y = _saturated(w, steps, step.y, f"{t.name}.pooled")
    return w.add("Flatten", [y], name=t.name, axis=1)


def _max_pool(w: Writer, t: Task) -> str:
    return w.add("MaxPool", t.inputs, name=t.name, **_window(t.step.geometry))


def _clamp(w: Writer, t: Task) -> str:
    step: IntegerClamp = t.step
    ends = [np.array(end + MIDDLE, dtype=np.uint8) for end in (step.y.lowest, step.y.highest)]
    held = [w.hold(f"{t.name}.end", end) for end in ends]
    return w.add("Clip", [t.inputs[0], *held], name=t.name)


def _reshape(w: Writer, t: Task) -> str:
    shape = w.whole(f"{t.name}.shape", (t.shape[0], *t.step.shape))
    return w.add("Reshape", [t.inputs[0], shape], name=t.name)


def _bytes(codes: Tensor) -> Array:
    """Codes, as the bytes of the file."""
    return (codes.detach().int() + MIDDLE).numpy().astype(np.uint8)


def _zero_byte(w: Writer, codes: ActivationCodes, name: str) -> str:
    return w.hold(f"{name}.zero", np.array(codes.zero_point + MIDDLE, dtype=np.uint8))


RULES: Mapping[type[nn.Module], Callable[[Writer, Task], str]] = {
    IntegerLinear: _linear,
    IntegerConv2d: _conv2d,
    IntegerAdd: _add,
    IntegerConcat: _concat,
    IntegerAveragePool: _average_pool,
    IntegerMaxPool: _max_pool,
    IntegerClamp: _clamp,
    IntegerReshape: _reshape,
}
