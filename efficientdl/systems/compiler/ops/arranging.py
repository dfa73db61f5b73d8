"""Operations that only arrange values: concat, split, slice, reshape, permute, pad.

Every value of a graph is dense and row by row. So a reshape moves nothing, nor does cutting along
the first axis that has more than one value (the channels of a single picture): the pieces lie one
after the other. All others copy.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from efficientdl import _check
from efficientdl.systems.compiler.ops.op import (
    Array,
    Op,
    Shape,
    axis,
    first_that_counts,
    numel,
    same,
)


class Concat(Op):
    """Several tensors one after the other along an axis."""

    name = "concat"
    least, most = 1, None
    defaults: ClassVar[Mapping[str, Any]] = {"axis": ...}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        first, along = shapes[0], a["axis"]
        axis(node, along, first)
        for shape in shapes[1:]:
            n = shape[along] if len(shape) == len(first) else first[along]
            same(node, "shapes of the inputs", shape, (*first[:along], n, *first[along + 1 :]))
        total = sum(shape[along] for shape in shapes)
        return [(*first[:along], total, *first[along + 1 :])]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [torch.cat(x, a["axis"])]


class Split(Op):
    """The parts of a tensor along an axis, of the sizes that are given: one output each."""

    name = "split"
    defaults: ClassVar[Mapping[str, Any]] = {"axis": ..., "sizes": ...}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x, along, sizes = shapes[0], a["axis"], a["sizes"]
        axis(node, along, x)
        for size in sizes:
            _check.whole(node, "sizes", size, 1)
        if sum(sizes) != x[along]:
            _check.fail(node, "sizes", f"must add up to {x[along]}", sizes)
        return [(*x[:along], size, *x[along + 1 :]) for size in sizes]

    def moves_nothing(self, shapes: list[Shape], a: Mapping[str, Any]) -> bool:
        return first_that_counts(shapes[0], a["axis"])

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return list(torch.split(x[0], list(a["sizes"]), a["axis"]))


class Slice(Op):
    """The values from `start` to before `stop` along an axis."""

    name = "slice"
    defaults: ClassVar[Mapping[str, Any]] = {"axis": ..., "start": ..., "stop": ...}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x, along = shapes[0], a["axis"]
        axis(node, along, x)
        _check.whole(node, "stop", a["stop"], 1, x[along])
        _check.whole(node, "start", a["start"], 0, a["stop"] - 1)
        return [(*x[:along], a["stop"] - a["start"], *x[along + 1 :])]

    def moves_nothing(self, shapes: list[Shape], a: Mapping[str, Any]) -> bool:
        return first_that_counts(shapes[0], a["axis"])

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [x[0].narrow(a["axis"], a["start"], a["stop"] - a["start"])]


class Reshape(Op):
    """The same values, row by row, under another shape; flattening is one of these."""

    name = "reshape"
    defaults: ClassVar[Mapping[str, Any]] = {"shape": ...}
    is_view = True

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        for size in a["shape"]:
            _check.whole(node, "shape", size, 1)
        if numel(a["shape"]) != numel(shapes[0]):
            _check.fail(node, "shape", f"must hold {numel(shapes[0])} values", a["shape"])
        return [a["shape"]]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [x[0].reshape(a["shape"])]


class Permute(Op):
    """The axes in another order: output axis i is input axis `axes[i]`."""

    name = "permute"
    defaults: ClassVar[Mapping[str, Any]] = {"axes": ...}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x = shapes[0]
        if sorted(a["axes"]) != list(range(len(x))):
            _check.fail(node, "axes", f"must name each of {len(x)} axes once", a["axes"])
        return [tuple(x[i] for i in a["axes"])]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        return [x[0].permute(a["axes"])]


class Pad(Op):
    """A tensor with `value` around it: `widths` gives (before, after) for each axis."""

    name = "pad"
    defaults: ClassVar[Mapping[str, Any]] = {"widths": ..., "value": 0.0}

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        x = shapes[0]
        if len(a["widths"]) != len(x):
            _check.fail(node, "widths", f"must have a pair for each of {len(x)} axes", a["widths"])
        for before, after in a["widths"]:
            _check.whole(node, "widths", before, 0)
            _check.whole(node, "widths", after, 0)
        return [tuple(n + b + e for n, (b, e) in zip(x, a["widths"], strict=True))]

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        last_first = [width for pair in reversed(a["widths"]) for width in pair]
        return [F.pad(x[0], last_first, value=a["value"])]
