"""What a figure can hold: lines, points, bars, histograms, heat maps, reference lines.

Each is a frozen value. Arrays of any kind are taken (NumPy's, torch's on the CPU, lists) and
kept as tuples of plain numbers, so that figures compare, hash and print.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from efficientdl import _check

# A torch tensor is taken too, but this floor does not know its name.
Numbers: TypeAlias = Sequence[float] | NDArray[Any]


def _plain(caller: str, name: str, values: Numbers) -> tuple[float, ...]:
    """The values as a tuple of finite numbers; whole numbers stay whole."""
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iuf":
        raise _check.BadKind(f"{caller}: {name} must be numbers, got {_check.show(values)}")
    if array.ndim != 1:
        _check.fail(caller, name, "must be a flat list", array.shape)
    if not np.isfinite(array).all():
        _check.fail(caller, name, "must be finite", array[~np.isfinite(array)][0])
    return tuple(array.tolist())


def _texts(caller: str, name: str, texts: Sequence[str], count: int) -> tuple[str, ...]:
    if texts and len(texts) != count:
        _check.fail(caller, name, f"must be empty or one for each of {count}", len(texts))
    return tuple(map(str, texts))


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, in order.

    Attributes:
        name: For the legend and the table.
        x: Where the points lie.
        y: How high.
        markers: Are the points themselves marked?
        style: Which style of the palette; the place in the figure decides where it is None.
    """

    name: str
    x: Numbers
    y: Numbers
    markers: bool = False
    style: int | None = None

    def __post_init__(self) -> None:
        x, y = _plain("Line", "x", self.x), _plain("Line", "y", self.y)
        _check.same_length("Line", x=x, y=y)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def along(self, axis: str) -> Sequence[float]:
        """The values along an axis, `x` or `y`."""
        return tuple(self.x if axis == "x" else self.y)


@dataclass(frozen=True, slots=True)
class Points:
    """Points, with a label each and an area where they are bubbles.

    Attributes:
        name: For the legend and the table.
        x: Where they lie.
        y: How high.
        labels: Written beside them; empty for none.
        areas: What the bubble's area stands for, 0 or more; empty for points of one size.
        area_label: The name of that.
        style: Which style of the palette.
    """

    name: str
    x: Numbers
    y: Numbers
    labels: Sequence[str] = ()
    areas: Numbers = ()
    area_label: str = ""
    style: int | None = None

    def __post_init__(self) -> None:
        kept = {name: _plain("Points", name, getattr(self, name)) for name in ("x", "y", "areas")}
        _check.same_length("Points", x=kept["x"], y=kept["y"])
        if kept["areas"]:
            _check.same_length("Points", x=kept["x"], areas=kept["areas"])
            _check.at_least("Points", "areas", min(kept["areas"]), 0)
            if not self.area_label:
                _check.fail("Points", "area_label", "must say what the areas are", "")
        for name, values in kept.items():
            object.__setattr__(self, name, values)
        labels = _texts("Points", "labels", self.labels, len(self.x))
        object.__setattr__(self, "labels", labels)

    def along(self, axis: str) -> Sequence[float]:
        """The values along an axis, `x` or `y`."""
        return tuple(self.x if axis == "x" else self.y)


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each category of the figure.

    Attributes:
        name: For the legend and the table.
        values: How long each bar is.
        labels: Written at their ends; empty for none.
        style: Which style of the palette.
    """

    name: str
    values: Numbers
    labels: Sequence[str] = ()
    style: int | None = None

    def __post_init__(self) -> None:
        values = _plain("Bars", "values", self.values)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "labels", _texts("Bars", "labels", self.labels, len(values)))


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges.

    Attributes:
        name: For the legend and the table.
        edges: One more than counts, rising.
        counts: How many fell between.
        style: Which style of the palette.
    """

    name: str
    edges: Numbers
    counts: Numbers
    style: int | None = None

    def __post_init__(self) -> None:
        edges = _plain("Histogram", "edges", self.edges)
        counts = _plain("Histogram", "counts", self.counts)
        if len(edges) != len(counts) + 1:
            rule = f"must be one more than the {len(counts)} counts"
            _check.fail("Histogram", "edges", rule, len(edges))
        if any(a >= b for a, b in pairwise(edges)):
            _check.fail("Histogram", "edges", "must rise", edges)
        _check.at_least("Histogram", "counts", min(counts, default=0), 0)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "counts", counts)

    def along(self, axis: str) -> Sequence[float]:
        """The edges along x, the counts along y; where nothing fell there is nothing to draw."""
        return tuple(self.edges) if axis == "x" else tuple(c for c in self.counts if c)


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A value for each pair of categories, as a shade and as a number.

    Attributes:
        name: What the values are.
        values: A row for each category of y, a value for each category of x.
        labels: What is written in each cell; empty for the value.
    """

    name: str
    values: Sequence[Sequence[float]] | NDArray[Any]
    labels: Sequence[Sequence[str]] = ()

    def __post_init__(self) -> None:
        rows = tuple(_plain("Heatmap", "values", row) for row in self.values)
        if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
            _check.fail("Heatmap", "values", "must be rows of one length, not empty", rows)
        if self.labels and len(self.labels) != len(rows):
            _check.fail("Heatmap", "labels", f"must be {len(rows)} rows", self.labels)
        texts = tuple(_texts("Heatmap", "labels", row, len(rows[0])) for row in self.labels)
        object.__setattr__(self, "values", rows)
        object.__setattr__(self, "labels", texts)


@dataclass(frozen=True, slots=True)
class HLine:
    """A reference line across the figure at one height, labelled."""

    name: str
    y: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", _plain("HLine", "y", [self.y])[0])

    def along(self, axis: str) -> Sequence[float]:
        """Its one value, along y."""
        return (self.y,) if axis == "y" else ()


@dataclass(frozen=True, slots=True)
class VLine:
    """A reference line from bottom to top at one place, labelled."""

    name: str
    x: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", _plain("VLine", "x", [self.x])[0])

    def along(self, axis: str) -> Sequence[float]:
        """Its one value, along x."""
        return (self.x,) if axis == "x" else ()


Series: TypeAlias = Line | Points | Bars | Histogram | Heatmap | HLine | VLine
