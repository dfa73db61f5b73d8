"""Pooling: what a window, or the whole picture, comes down to."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch.nn import functional as F

from efficientdl import _check
from efficientdl.systems.compiler.ops.op import Array, Op, Shape, pair, rank, slide


def _pooled(node: str, x: Shape, a: Mapping[str, Any]) -> list[Shape]:
    rank(node, "x", x, 4)
    kernel = pair(node, "kernel", a["kernel"], 1)
    for k, p in zip(kernel, pair(node, "padding", a["padding"], 0), strict=True):
        if 2 * p > k:
            _check.fail(node, "padding", "must be at most half the kernel", (kernel, a["padding"]))
    return [(*x[:2], *slide(node, x[2:], kernel, a, ceil=a["ceil"]))]


class MaxPool2d(Op):
    """The largest value of each window."""

    name = "max_pool2d"
    defaults: ClassVar[Mapping[str, Any]] = {
        "kernel": ...,
        "stride": ...,
        "padding": (0, 0),
        "dilation": (1, 1),
        "ceil": False,
    }

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        return _pooled(node, shapes[0], a)

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        options = (a["kernel"], a["stride"], a["padding"], a["dilation"], a["ceil"])
        return [F.max_pool2d(x[0], *options)]


class AvgPool2d(Op):
    """The mean of each window; `count_padding` says whether padded zeros are counted."""

    name = "avg_pool2d"
    defaults: ClassVar[Mapping[str, Any]] = {
        "kernel": ...,
        "stride": ...,
        "padding": (0, 0),
        "ceil": False,
        "count_padding": True,
    }

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        return _pooled(node, shapes[0], a)

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        options = (a["kernel"], a["stride"], a["padding"], a["ceil"], a["count_padding"])
        return [F.avg_pool2d(x[0], *options)]


class AdaptiveAvgPool2d(Op):
    """The mean of each of `size` parts of the picture, whatever its size."""

    name = "adaptive_avg_pool2d"
    defaults: ClassVar[Mapping[str, Any]] = {"size": ...}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        rank(node, "x", shapes[0], 4)
        return [(*shapes[0][:2], *pair(node, "size", a["size"], 1))]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [F.adaptive_avg_pool2d(x[0], a["size"])]


class Mean(Op):
    """The mean over some axes; `keep` leaves each of them with one value."""

    name = "mean"
    defaults: ClassVar[Mapping[str, Any]] = {"axes": ..., "keep": False}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x = shapes[0]
        for axis in a["axes"]:
            _check.whole(node, "axes", axis, 0, len(x) - 1)
        kept = [1 if i in a["axes"] else n for i, n in enumerate(x)]
        if not a["keep"]:
            kept = [n for i, n in enumerate(x) if i not in a["axes"]]
        return [tuple(kept)]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [x[0].mean(a["axes"], keepdim=a["keep"])]
