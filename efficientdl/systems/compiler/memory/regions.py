"""Which part of a picture a part of a later picture is made of, and computing just that.

Output rows low to high - 1 of a window of r rows, stride s and padding p look at input rows
low s - p to (high - 1) s - p + r - 1. What lies outside the picture is padding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from torch.nn import functional as F

from efficientdl.systems.compiler.graph import Array, Node, Value
from efficientdl.systems.compiler.ops import ACTIVATIONS

_SLIDING = {"conv2d": 0.0, "max_pool2d": float("-inf")}  # and what their padding is
_HERE = frozenset({*ACTIVATIONS, "batch_norm"})


class Span(NamedTuple):
    """Rows, or columns, from `low` to before `high`."""

    low: int
    high: int

    def union(self, other: "Span") -> "Span":
        """The smallest span that holds both."""
        return Span(min(self.low, other.low), max(self.high, other.high))


class Box(NamedTuple):
    """A rectangle of a picture."""

    rows: Span
    cols: Span

    def union(self, other: "Box") -> "Box":
        """The smallest box that holds both."""
        return Box(self.rows.union(other.rows), self.cols.union(other.cols))

    def inside(self, size: tuple[int, int]) -> "Box":
        """What of it lies in a picture of this size."""
        rows, cols = (
            Span(max(span.low, 0), min(span.high, n)) for span, n in zip(self, size, strict=True)
        )
        return Box(rows, cols)

    @property
    def size(self) -> tuple[int, int]:
        """Its rows and columns."""
        return self.rows.high - self.rows.low, self.cols.high - self.cols.low


def whole(value: Value) -> Box:
    """All of a picture."""
    h, w = value.shape[2:]
    return Box(Span(0, h), Span(0, w))


def is_local(node: Node, values: Mapping[str, Value], constants: Mapping[str, Array]) -> bool:
    """Whether each part of the node's output needs only a part of its inputs."""
    out = node.outputs[0].shape
    if len(out) != 4:
        return False
    pictures = [values[name].shape for name in node.inputs if name not in constants]
    if node.op in {"add", "mul", "concat"}:
        same_size = all(len(shape) == 4 and shape[2:] == out[2:] for shape in pictures)
        along_channels = node.attributes.get("axis", 1) == 1
        return same_size and along_channels and len(pictures) == len(node.inputs)
    if node.op == "conv2d":
        return len(pictures) == 1 and _touches(node, values[node.inputs[1]].shape[2:])
    return node.op in _SLIDING or node.op in _HERE


def _touches(node: Node, kernel: tuple[int, ...]) -> bool:
    """Whether every window lies on some pixel, and not on padding alone."""
    a = node.attributes
    reach = (d * (r - 1) for r, d in zip(kernel, a["dilation"], strict=True))
    return all(p <= r for p, r in zip(a["padding"], reach, strict=True))


def needed(node: Node, values: Mapping[str, Value], box: Box) -> Box:
    """What a box of the output is made of; it may reach into the padding.

    >>> from efficientdl.systems.compiler.graph import node as make
    >>> x, w = Value("x", (1, 1, 8, 8)), Value("w", (1, 1, 3, 3))
    >>> conv = make("y", "conv2d", [x, w], stride=(2, 2), padding=(1, 1))
    >>> needed(conv, {"x": x, "w": w}, Box(Span(0, 2), Span(2, 4)))
    Box(rows=Span(low=-1, high=4), cols=Span(low=3, high=8))
    """
    if node.op not in _SLIDING:
        return box
    a = node.attributes
    kernel = values[node.inputs[1]].shape[2:] if node.op == "conv2d" else a["kernel"]
    spans = [
        Span(span.low * s - p, (span.high - 1) * s - p + d * (r - 1) + 1)
        for span, r, s, p, d in zip(
            box, kernel, a["stride"], a["padding"], a["dilation"], strict=True
        )
    ]
    return Box(*spans)


@dataclass(frozen=True)
class Cut:
    """Take a box out of the part of a picture that is in memory, with the padding around it.

    Attributes:
        held: The box that is in memory.
        wanted: The box to take; it may reach into the padding.
        size: Rows and columns of the whole picture.
        fill: What the padding is.
    """

    held: Box
    wanted: Box
    size: tuple[int, int]
    fill: float

    def __call__(self, part: Array) -> Array:
        inner = self.wanted.inside(self.size)
        rows, cols = (
            slice(span.low - there.low, span.high - there.low)
            for span, there in zip(inner, self.held, strict=True)
        )
        around = [
            inner.cols.low - self.wanted.cols.low,
            self.wanted.cols.high - inner.cols.high,
            inner.rows.low - self.wanted.rows.low,
            self.wanted.rows.high - inner.rows.high,
        ]
        cut = part[:, :, rows, cols]
        return F.pad(cut, around, value=self.fill) if any(around) else cut


def cut_of(node: Node, held: Box, wanted: Box, whole_value: Value) -> Cut:
    """What a node takes of one of its inputs."""
    h, w = whole_value.shape[2:]
    return Cut(held, wanted, (h, w), _SLIDING.get(node.op, 0.0))


def unpadded(node: Node) -> Node:
    """The node for inputs that come with their padding."""
    plain = {"padding": (0, 0), "ceil": False}
    return replace(node, attributes={k: plain.get(k, v) for k, v in node.attributes.items()})


@dataclass(frozen=True)
class Region:
    """Run a node for one box of its output.

    Attributes:
        node: The node, unpadded.
        constants: The weights among its inputs.
        cuts: What to take of each of its other inputs.
        into: Where the box goes in the whole output; None if memory holds only the box.
    """

    node: Node
    constants: Mapping[str, Array] = field(repr=False)
    cuts: tuple[Cut, ...]
    into: Box | None = None

    def __call__(self, x: Sequence[Array], y: Sequence[Array], scratch: Array | None) -> None:  # noqa: ARG002
        parts = zip(self.cuts, x, strict=False)  # an output in progress may be among x
        given = iter([cut(part) for cut, part in parts])
        taken = [
            self.constants[n] if n in self.constants else next(given) for n in self.node.inputs
        ]
        place = y[0]
        if self.into is not None:
            (top, bottom), (left, right) = self.into
            place = place[:, :, top:bottom, left:right]
        place.copy_(self.node.rule.run(taken, self.node.attributes)[0])
