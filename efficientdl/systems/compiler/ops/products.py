"""Operations that sum products, where the MACs are: convolution, linear layer, matrix product."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from efficientdl import _check
from efficientdl.systems.compiler.ops.op import Array, Op, Shape, numel, rank, same, slide
from efficientdl.systems.compiler.ops.pointwise import activated, known_activation


class Conv2d(Op):
    """Images (n c_in h w), filters (c_out, c_in / groups, r, s), perhaps a bias (c_out,)."""

    name = "conv2d"
    least, most = 2, 3
    defaults: ClassVar[Mapping[str, Any]] = {
        "stride": (1, 1),
        "padding": (0, 0),
        "dilation": (1, 1),
        "groups": 1,
        "activation": None,
    }

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x, weight, *bias = shapes
        rank(node, "x", x, 4)
        rank(node, "weight", weight, 4)
        known_activation(node, a["activation"])
        _check.divides(node, "groups", a["groups"], "c_in", x[1])
        _check.divides(node, "groups", a["groups"], "c_out", weight[0])
        same(node, "weight", weight, (weight[0], x[1] // a["groups"], *weight[2:]))
        for shape in bias:
            same(node, "bias", shape, weight[:1])
        return [(x[0], weight[0], *slide(node, x[2:], weight[2:], a))]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        bias = x[2] if len(x) == 3 else None
        y = F.conv2d(x[0], x[1], bias, a["stride"], a["padding"], a["dilation"], a["groups"])
        return [activated(y, a["activation"])]

    def macs(self, shapes: list[Shape], out: Shape) -> int:
        n, _, p, q = out
        return n * p * q * numel(shapes[1])


class Linear(Op):
    """Rows (... c_in) times weight (c_out, c_in) transposed, perhaps a bias (c_out,)."""

    name = "linear"
    least, most = 2, 3
    defaults: ClassVar[Mapping[str, Any]] = {"activation": None}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x, weight, *bias = shapes
        if not x:
            _check.fail(node, "x", "must have an axis", x)
        rank(node, "weight", weight, 2)
        known_activation(node, a["activation"])
        same(node, "weight", weight, (weight[0], x[-1]))
        for shape in bias:
            same(node, "bias", shape, weight[:1])
        return [(*x[:-1], weight[0])]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        y = F.linear(x[0], x[1], x[2] if len(x) == 3 else None)
        return [activated(y, a["activation"])]

    def macs(self, shapes: list[Shape], out: Shape) -> int:
        return numel(out) * shapes[1][1]


class Matmul(Op):
    """(... m k) times (... k n), equal axes before the last two, or times one (k n) for all."""

    name = "matmul"
    least, most = 2, 2

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:  # noqa: ARG002
        left, right = shapes
        if len(left) < 2 or len(right) not in (2, len(left)):
            _check.fail(node, "factors", "must have 2 axes, or more and the same number", shapes)
        *each, _, k = left
        *others, _, n = right
        same(node, "right factor", right, (*(each if others else ()), k, n))
        return [(*left[:-1], right[-1])]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:  # noqa: ARG002
        return [torch.matmul(x[0], x[1])]

    def macs(self, shapes: list[Shape], out: Shape) -> int:
        return numel(out) * shapes[0][-1]
