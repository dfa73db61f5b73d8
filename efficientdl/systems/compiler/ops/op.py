"""What an operation of the graph is: a shape rule, an interpreter line, a count of MACs."""

from collections.abc import Mapping
from math import prod
from typing import Any, ClassVar

from jaxtyping import Shaped
from torch import Tensor

from efficientdl import _check

Shape = tuple[int, ...]
Array = Shaped[Tensor, "..."]


class Op:
    """One operation of the closed set. A family of them has a file, each of them a class.

    Attributes:
        name: What a node says that it is.
        least: Least number of inputs.
        most: Greatest number of inputs; None where there is no limit.
        defaults: Its attributes. One whose default is `...` must be given.
        is_view: Whether its output is its input's memory under another shape, nothing moved.
    """

    name: ClassVar[str]
    least: ClassVar[int] = 1
    most: ClassVar[int | None] = 1
    defaults: ClassVar[Mapping[str, Any]] = {}
    is_view: ClassVar[bool] = False

    def shapes(self, node: str, shapes: list[Shape], a: Mapping[str, Any]) -> list[Shape]:
        """The shapes of the outputs, from those of the inputs.

        Args:
            node: Who asks, for the error: `conv2d 'conv1'`.
            shapes: Of the inputs.
            a: The attributes.
        """
        raise NotImplementedError

    def run(self, x: list[Array], a: Mapping[str, Any]) -> list[Array]:
        """The outputs, from the inputs."""
        raise NotImplementedError

    def moves_nothing(self, shapes: list[Shape], a: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Whether the outputs are the input's memory, as it stands or cut into pieces."""
        return self.is_view

    def macs(self, shapes: list[Shape], out: Shape) -> int:  # noqa: ARG002
        """Multiply-accumulates, from the shapes of the inputs and of the first output."""
        return 0


def rank(node: str, name: str, shape: Shape, wanted: int) -> None:
    """Demand a number of axes."""
    if len(shape) != wanted:
        _check.fail(node, name, f"must have {wanted} axes", shape)


def axis(node: str, value: int, shape: Shape) -> None:
    """Demand an axis that a shape has, counted from 0."""
    _check.whole(node, "axis", value, 0, len(shape) - 1)


def same(node: str, name: str, shape: Shape, wanted: Shape) -> None:
    """Demand a shape."""
    if shape != wanted:
        _check.fail(node, name, f"must have the shape {wanted}", shape)


def pair(node: str, name: str, value: object, low: int) -> tuple[int, int]:
    """Demand two whole numbers, one for rows and one for columns."""
    if not isinstance(value, tuple) or len(value) != 2:
        _check.fail(node, name, "must be a pair of whole numbers", value)
    for number in value:
        _check.whole(node, name, number, low)
    return value


def slide(
    node: str, size: Shape, kernel: Shape, a: Mapping[str, Any], *, ceil: bool = False
) -> tuple[int, int]:
    """Places of a window that slides over a padded picture.

    p = floor((h + 2 padding - dilation (r - 1) - 1) / stride) + 1 in each direction; rounded up
    with `ceil`, where the last window still has to begin inside the picture or its left padding.
    """
    stride, padding = pair(node, "stride", a["stride"], 1), pair(node, "padding", a["padding"], 0)
    dilation = pair(node, "dilation", a.get("dilation", (1, 1)), 1)
    places = []
    for h, r, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = h + 2 * p - d * (r - 1) - 1
        if room < 0:
            _check.fail(node, "kernel", f"must fit into {h} pixels padded by {p}", r)
        n = (-(-room // s) if ceil else room // s) + 1
        places.append(n - 1 if ceil and (n - 1) * s >= h + p else n)
    return places[0], places[1]


def first_that_counts(shape: Shape, along: int) -> bool:
    """Whether all axes before one have a single value, so that cutting along it moves nothing."""
    return all(n == 1 for n in shape[:along])


def numel(shape: Shape) -> int:
    """How many values a tensor of this shape has."""
    return prod(shape)
