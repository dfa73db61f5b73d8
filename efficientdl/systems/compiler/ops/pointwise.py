"""Operations that work value by value: activations, sums, products, batch norm, softmax."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from efficientdl import _check
from efficientdl.systems.compiler.ops.op import Array, Op, Shape, axis, rank, same


class Activation(Op):
    """A function of one value; what a convolution may also do to its own output."""

    def __init__(self, name: str, function: Callable[[Array], Array]) -> None:
        self.name, self.function = name, function  # pyright: ignore[reportAttributeAccessIssue]

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:  # noqa: ARG002
        return shapes

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:  # noqa: ARG002
        return [self.function(x[0])]


ACTIVATIONS: dict[str, Activation] = {
    name: Activation(name, function)
    for name, function in {
        "relu": F.relu,
        "relu6": F.relu6,
        "hardswish": F.hardswish,
        "hardsigmoid": F.hardsigmoid,
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "silu": F.silu,
        "gelu": F.gelu,
    }.items()
}


def activated(y: Array, activation: str | None) -> Array:
    """An output with the activation that its operation has taken in, if any."""
    return y if activation is None else ACTIVATIONS[activation].function(y)


def known_activation(node: str, activation: str | None) -> None:
    """Demand no activation, or one of the set."""
    if activation is not None:
        _check.one_of(node, "activation", activation, ACTIVATIONS)


class _Broadcast(Op):
    """Two tensors, value by value; an axis of one value is repeated."""

    least, most = 2, 2
    defaults: ClassVar[Mapping[str, Any]] = {"activation": None}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        known_activation(node, a["activation"])
        left, right = shapes
        n = max(len(left), len(right))
        pairs = zip((1,) * (n - len(left)) + left, (1,) * (n - len(right)) + right, strict=True)
        out = []
        for i, j in pairs:
            if i != j and 1 not in (i, j):
                _check.fail(node, "shapes", "must be equal or 1 along each axis", shapes)
            out.append(j if i == 1 else i)
        return [tuple(out)]


class Add(_Broadcast):
    """The sum of two tensors."""

    name = "add"

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [activated(x[0] + x[1], a["activation"])]


class Mul(_Broadcast):
    """The product of two tensors, value by value."""

    name = "mul"

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [activated(x[0] * x[1], a["activation"])]


class BatchNorm(Op):
    """(x - mean) / sqrt(var + eps) * weight + bias, by channel: the norm of inference."""

    name = "batch_norm"
    least, most = 5, 5  # x, weight, bias, mean, var
    defaults: ClassVar[Mapping[str, Any]] = {"eps": 1e-5}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x, *of_channels = shapes
        if len(x) < 2:
            _check.fail(node, "x", "must have channels, axis 1", x)
        _check.at_least(node, "eps", a["eps"], 0.0)
        for name, shape in zip(("weight", "bias", "mean", "var"), of_channels, strict=True):
            same(node, name, shape, (x[1],))
        return [x]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        value, weight, bias, mean, var = x
        return [F.batch_norm(value, mean, var, weight, bias, training=False, eps=a["eps"])]


class Softmax(Op):
    """exp(x) over its sum along one axis."""

    name = "softmax"
    defaults: ClassVar[Mapping[str, Any]] = {"axis": ...}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        axis(node, a["axis"], shapes[0])
        return shapes

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [F.softmax(x[0], a["axis"])]


class LayerNorm(Op):
    """(x - mean) / sqrt(var + eps) * weight + bias, over the last axis."""

    name = "layer_norm"
    least, most = 3, 3  # x, weight, bias
    defaults: ClassVar[Mapping[str, Any]] = {"eps": 1e-5}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x, weight, bias = shapes
        _check.at_least(node, "eps", a["eps"], 0.0)
        rank(node, "weight", weight, 1)
        same(node, "weight", weight, x[-1:])
        same(node, "bias", bias, x[-1:])
        return [x]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        value, weight, bias = x
        return [F.layer_norm(value, weight.shape, weight, bias, a["eps"])]
