"""Points in pixels: how large each bubble is, and where its label finds room."""

from itertools import pairwise
from math import hypot, sqrt
from typing import TYPE_CHECKING

from efficientdl.viz import lettering
from efficientdl.viz.frame import LABEL_PX, Frame
from efficientdl.viz.series import Line, Points

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

LARGEST_PX = 20  # radius of the largest bubble
POINT_PX = 5
_LINE_STEP_PX = 8


def radii(figure: "Figure", index: int) -> list[float]:
    """The radius of each point of a series in pixels.

    The area, not the radius, tells the value, by one measure for all bubbles of the figure.
    """
    series = _points(figure, index)
    largest = max(max(s.areas, default=0) for s in figure.series if isinstance(s, Points))
    if not largest or not len(series.areas):
        return [float(POINT_PX)] * len(series.x)
    return [max(2.0, LARGEST_PX * sqrt(area / largest)) for area in series.areas]


def places(figure: "Figure", index: int, layout: Frame) -> list[tuple[float, float, float]]:
    """Centre and radius of each point of a series, in pixels."""
    series = _points(figure, index)
    rows = zip(series.x, series.y, radii(figure, index), strict=True)
    return [(layout.x.px(x), layout.y.px(y), radius) for x, y, radius in rows]


def spots(figure: "Figure", index: int, layout: Frame) -> list[lettering.Spot]:
    """Where the labels of a series stand, clear of points, lines and labels drawn before."""
    labels: list[str] = []
    points: list[tuple[float, float, float]] = []
    start = 0
    for i, series in enumerate(figure.series):
        if isinstance(series, Points):
            start = len(labels) if i == index else start
            labels += series.labels or [""] * len(series.x)
            points += places(figure, i, layout)
    found = lettering.place(points, labels, LABEL_PX, layout.room, _beads(figure, layout))
    return found[start : start + len(_points(figure, index).labels)]


def _points(figure: "Figure", index: int) -> Points:
    series = figure.series[index]
    if not isinstance(series, Points):
        raise AssertionError("only points have radii")
    return series


def _beads(figure: "Figure", layout: Frame) -> list[tuple[float, float, float]]:
    """The figure's lines as beads on a string, for labels to keep away from."""
    beads: list[tuple[float, float, float]] = []
    for series in figure.series:
        if isinstance(series, Line):
            ends = zip(series.x, series.y, strict=True)
            corners = [(layout.x.px(x), layout.y.px(y)) for x, y in ends]
            for (x, y), (x2, y2) in pairwise(corners):
                count = int(hypot(x2 - x, y2 - y) / _LINE_STEP_PX) + 1
                steps = [i / count for i in range(count + 1)]
                beads += [(x + (x2 - x) * s, y + (y2 - y) * s, 2.0) for s in steps]
    return beads
