"""The rectangles of bars and histograms, in the units of the axes, for both faces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from efficientdl.viz.palette import Style, style
from efficientdl.viz.series import Bars, Heatmap, Histogram, HLine, Series, VLine

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

_FILLED = 0.76  # of a category's width; the rest is the gap to the next


class Box(NamedTuple):
    """One bar: across the axis from `left` to `right`, along it from `start` to `end`.

    Attributes:
        value: What the bar is for; `end - start` of a stacked one.
        label: Written at its end.
    """

    left: float
    right: float
    start: float
    end: float
    value: float
    label: str


def styles(figure: "Figure") -> list[Style | None]:
    """The style of each series, by its own wish or its place; none for heat maps and lines
    of reference."""
    place = 0
    found: list[Style | None] = []
    for series in figure.series:
        if isinstance(series, HLine | VLine):
            found.append(None)
            continue
        wish = None if isinstance(series, Heatmap) else series.style
        found.append(
            None if isinstance(series, Heatmap) else style(place if wish is None else wish)
        )
        place += 1
    return found


def boxes(figure: "Figure", index: int) -> list[Box]:
    """The bars of the series with this index.

    Stacked, they stand on those of the series before; otherwise bars of one category stand side
    by side, and histograms, which share their bins, lie over each other.
    """
    series = figure.series[index]
    starts = _starts(figure, index)
    if isinstance(series, Histogram):
        edges, counts = series.edges, series.counts
        sides = [(float(edges[i]), float(edges[i + 1])) for i in range(len(counts))]
        return _stand(sides, starts, tuple(counts), [""] * len(counts))
    if not isinstance(series, Bars):
        return []
    groups = [i for i, s in enumerate(figure.series) if isinstance(s, Bars)]
    share = _FILLED if figure.stacked else _FILLED / len(groups)
    shift = 0.0 if figure.stacked else (groups.index(index) - (len(groups) - 1) / 2) * share
    middles = [i + shift for i in range(len(series.values))]
    sides = [(middle - share / 2, middle + share / 2) for middle in middles]
    return _stand(sides, starts, tuple(series.values), series.labels or [""] * len(sides))


def _stand(
    sides: Sequence[tuple[float, float]],
    starts: Sequence[float],
    values: Sequence[float],
    labels: Sequence[str],
) -> list[Box]:
    rows = zip(sides, starts, values, labels, strict=True)
    return [Box(a, b, start, start + v, v, label) for (a, b), start, v, label in rows]


def _values(series: Series) -> Sequence[float]:
    if isinstance(series, Bars):
        return tuple(series.values)
    return tuple(series.counts) if isinstance(series, Histogram) else ()


def _starts(figure: "Figure", index: int) -> list[float]:
    """Where each bar starts: on top of the parts before it, or at zero."""
    starts = [0.0] * len(_values(figure.series[index]))
    if figure.stacked:
        for before in figure.series[:index]:
            if values := _values(before):
                starts = [s + v for s, v in zip(starts, values, strict=True)]
    return starts
