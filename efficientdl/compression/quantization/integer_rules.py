"""What each operation of a network becomes when it computes on whole numbers.

One rule for each operation. Batch norm goes into the weights before it, a ReLU into the saturation
of what it stands behind; an operation without a rule raises, with the layer that it is in.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf, prod
from typing import Any

from torch import Tensor, nn

from efficientdl.compression.quantization.dataflow import Step, Value
from efficientdl.compression.quantization.integer_nodes import Translator, Weights
from efficientdl.models.layers.activation_codes import ActivationCodes
from efficientdl.models.layers.integer import Geometry
from efficientdl.models.layers.integer_steps import (
    IntegerAdd,
    IntegerAveragePool,
    IntegerClamp,
    IntegerConcat,
    IntegerMaxPool,
    IntegerReshape,
)


def _pair(value: Any) -> tuple[int, int]:  # noqa: ANN401
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _constant(translator: Translator, step: Step, *operands: object) -> None:
    """Demand that weights do not depend on the input."""
    if any(isinstance(operand, Value) for operand in operands):
        translator.refuse(step, "must not multiply activations with each other")


def _convolution(translator: Translator, step: Step) -> None:
    x, weight, bias, stride, padding, dilation, transposed, _, groups = step.args
    _constant(translator, step, weight, bias)
    if transposed or weight.ndim != 4 or not isinstance(x, Value):
        translator.refuse(step, "must have convolutions of pictures alone, none transposed")
    kernel = (weight.shape[2], weight.shape[3])
    geometry = Geometry(kernel, _pair(stride), _pair(padding), _pair(dilation), groups)
    translator.add(step, weights=Weights(weight.detach(), _detached(bias), geometry))


def _addmm(translator: Translator, step: Step) -> None:
    bias, x, weight = step.args
    scaled = any(step.kwargs.get(name, 1) != 1 for name in ("alpha", "beta"))
    _constant(translator, step, bias, weight)
    if scaled or not isinstance(x, Value) or bias.shape != (weight.shape[1],):
        translator.refuse(step, "must have linear layers as torch writes them")
    translator.add(step, weights=Weights(weight.detach().t(), bias.detach(), None))


def _mm(translator: Translator, step: Step) -> None:
    _, weight = step.args
    _constant(translator, step, weight)
    translator.add(step, weights=Weights(weight.detach().t(), None, None))


def _batch_norm(translator: Translator, step: Step) -> None:
    _, weight, bias, mean, variance, training, _, eps = step.args
    node = translator.source(step)
    plain = node is not None and node.weights is not None and (node.low, node.high) == (-inf, inf)
    if not plain or training or mean is None or len(mean) != len(node.weights.weight):  # pyright: ignore[reportOptionalMemberAccess]
        translator.refuse(step, "must have each batch norm right behind a layer with weights")
    factor = (variance.detach() + eps).rsqrt()
    factor = factor if weight is None else factor * weight.detach()
    shift = -mean.detach() * factor
    shift = shift if bias is None else shift + bias.detach()
    node.weights = node.weights.scaled(factor, shift)  # pyright: ignore[reportOptionalMemberAccess]
    translator.absorb(step, node)  # pyright: ignore[reportArgumentType]


def _clamp(translator: Translator, step: Step) -> None:
    low, high = _clamp_ends(translator, step)
    node = translator.source(step)
    if node is None or node.op is None:  # nothing that saturates anyway
        translator.add(step, keeps_scale=True, make=lambda _, y: IntegerClamp(y))
        node = translator.nodes[-1]
    else:
        translator.absorb(step, node)
    node.low, node.high = min(max(node.low, low), high), max(min(node.high, high), low)


def _clamp_ends(translator: Translator, step: Step) -> tuple[float, float]:
    if step.name == "relu":
        return 0.0, inf
    ends = {"hardtanh": ("min_val", "max_val", -1.0, 1.0), "clamp": ("min", "max", -inf, inf)}
    first, second, least, largest = ends[step.name]
    names, defaults = ("x", first, second), {first: least, second: largest}
    _, low, high = translator.value_of(step, names, defaults)
    return (-inf if low is None else low), (inf if high is None else high)


def _add(translator: Translator, step: Step) -> None:
    both = len(step.values()) == 2 and all(isinstance(a, Value) for a in step.args)
    if not both or step.kwargs.get("alpha", 1) != 1 or step.x_shape != step.shape:
        translator.refuse(step, "must add two activations of one shape")
    translator.add(step, make=IntegerAdd)


def _cat(translator: Translator, step: Step) -> None:
    _, axis = translator.value_of(step, ("tensors", "dim"), {"dim": 0})
    if axis % len(step.shape) != 1 or len(step.values()) != len(step.args[0]):
        translator.refuse(step, "must put activations side by side as channels")
    translator.add(step, make=IntegerConcat)


def _average_pool(translator: Translator, step: Step) -> None:
    names = ("x", "kernel", "stride", "padding", "ceil_mode", "count_include_pad", "divisor")
    defaults = {"stride": (), "padding": 0, "ceil_mode": False, "count_include_pad": True}
    _, kernel, stride, padding, ceil, counts, divisor = translator.value_of(step, names, defaults)
    kernel, padding = _pair(kernel), _pair(padding)
    if ceil or divisor is not None or (any(padding) and not counts):
        translator.refuse(step, "must average windows of one size")
    _averages(translator, step, Geometry(kernel, _pair(stride or kernel), padding))


def _adaptive_pool(translator: Translator, step: Step) -> None:
    wide, narrow = step.x_shape[-2:], step.shape[-2:]
    if any(w % n for w, n in zip(wide, narrow, strict=True)):
        translator.refuse(step, "must average windows of one size")
    kernel = [w // n for w, n in zip(wide, narrow, strict=True)]
    _averages(translator, step, Geometry(kernel, kernel))


def _mean(translator: Translator, step: Step) -> None:
    _, axes, _ = translator.value_of(step, ("x", "dim", "keepdim"), {})
    if len(step.x_shape) != 4 or sorted(axis % 4 for axis in axes or ()) != [2, 3]:
        translator.refuse(step, "must average over height and width")
    kernel = step.x_shape[-2:]
    _averages(translator, step, Geometry(kernel, kernel))


def _averages(translator: Translator, step: Step, geometry: Geometry) -> None:
    keeps_axes = len(step.shape) == 4

    def make(xs: Sequence[ActivationCodes], y: ActivationCodes) -> nn.Module:
        return IntegerAveragePool(geometry, x=xs[0], y=y, keeps_axes=keeps_axes)

    translator.add(step, make=make)


def _max_pool(translator: Translator, step: Step) -> None:
    names = ("x", "kernel", "stride", "padding", "dilation", "ceil_mode")
    defaults = {"stride": (), "padding": 0, "dilation": 1, "ceil_mode": False}
    _, kernel, stride, padding, dilation, ceil = translator.value_of(step, names, defaults)
    if ceil:
        translator.refuse(step, "must take the largest of whole windows")
    kernel = _pair(kernel)
    geometry = Geometry(kernel, _pair(stride or kernel), _pair(padding), _pair(dilation))
    translator.add(step, keeps_scale=True, make=lambda _xs, _y: IntegerMaxPool(geometry))


def _reshape(translator: Translator, step: Step) -> None:
    same_batch = step.shape[:1] == step.x_shape[:1] and prod(step.shape) == prod(step.x_shape)
    if not same_batch:
        translator.refuse(step, "must keep the examples of a batch apart")
    shape = step.shape[1:]
    translator.add(step, keeps_scale=True, make=lambda _xs, _y: IntegerReshape(shape))


def _nothing(translator: Translator, step: Step) -> None:
    number = translator.made_by[step.values()[0]]
    translator.made_by[step.number] = number
    if number and translator.flow.n_uses[step.number] > 1:
        translator.nodes[number - 1].shared = True


def _restride(translator: Translator, step: Step) -> None:
    """What an average to one pixel does where channels lie last in memory: no value moves."""
    one_pixel = step.shape == step.x_shape and step.shape[2:] == (1, 1)
    if not one_pixel or list(step.args[2][:2]) != [step.shape[1], 1]:
        translator.refuse(step, "must not lay values out anew")
    _nothing(translator, step)


def _detached(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach()


RULES: Mapping[str, Callable[[Translator, Step], None]] = {
    "convolution": _convolution,
    "addmm": _addmm,
    "mm": _mm,
    "native_batch_norm": _batch_norm,
    **dict.fromkeys(("relu", "hardtanh", "clamp"), _clamp),
    "add": _add,
    "cat": _cat,
    "avg_pool2d": _average_pool,
    "_adaptive_avg_pool2d": _adaptive_pool,
    "mean": _mean,
    "max_pool2d_with_indices": _max_pool,
    **dict.fromkeys(("view", "_unsafe_view", "reshape", "squeeze", "unsqueeze"), _reshape),
    "as_strided": _restride,
    **dict.fromkeys(("detach", "alias", "clone", "contiguous"), _nothing),
}
