"""From numbers to places: the domain of an axis, and the scale that maps it to pixels."""

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING

from efficientdl import _check
from efficientdl.viz.series import Bars, Histogram, Points
from efficientdl.viz.ticks import linear_ticks, log_ticks, tick_texts

if TYPE_CHECKING:
    from efficientdl.viz.figure import Axis, Figure

_PAD = 0.05


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps `low`..`high` to the pixels `start`..`end`, evenly or by ratios.

    >>> Scale(1, 100, 0, 200, log=True).px(10)
    100.0
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.low < self.high:
            _check.fail("Scale", "low", f"must be below high = {self.high}", self.low)

    def px(self, value: float) -> float:
        """The place of a value; what lies outside the axis ends at its edge."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = log10(value / self.low) / log10(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, spacing_px: float) -> list[tuple[float, str]]:
        """Places and labels of the ticks, about `spacing_px` pixels apart; every category."""
        if self.categories:
            return [(float(i), name) for i, name in enumerate(self.categories)]
        count = max(2, int(abs(self.end - self.start) / spacing_px))
        places = (log_ticks if self.log else linear_ticks)(self.low, self.high, count)
        return list(zip(places, tick_texts(places), strict=True))


def domain(figure: "Figure", name: str) -> tuple[float, float]:
    """From where to where an axis goes, `x` or `y`: as it says itself, or as the data need."""
    axis: Axis = getattr(figure, name)
    if axis.categories:
        return -0.5, len(axis.categories) - 0.5
    low, high = _log_ends(figure, name) if axis.log else _linear_ends(figure, name)
    low = low if axis.low is None else axis.low
    high = high if axis.high is None else axis.high
    if not low < high:
        rule = f"must leave room on the axis {axis.label!r}"
        _check.fail("Figure", f"{name}.low and {name}.high", rule, (low, high))
    return low, high


def _values(figure: "Figure", name: str) -> list[float]:
    """What lies along an axis; stacked parts are taken together."""
    stacks: list[list[float]] = []
    values: list[float] = []
    for series in figure.series:
        if figure.stacked and name == _value_axis(figure) and isinstance(series, Bars | Histogram):
            stacks.append(list(series.values if isinstance(series, Bars) else series.counts))
        else:
            values += figure.along(series, name)
    return values + [sum(parts) for parts in zip(*stacks, strict=True)]


def _value_axis(figure: "Figure") -> str:
    return "x" if figure.horizontal else "y"


def _has_bars(figure: "Figure", name: str) -> bool:
    return name == _value_axis(figure) and any(
        isinstance(series, Bars | Histogram) for series in figure.series
    )


def _room(figure: "Figure") -> float:
    """How much of the axis stays free for what is written at the end of bars and bubbles."""
    labelled = any(isinstance(s, Bars | Points) and s.labels for s in figure.series)
    return 0.12 if labelled else _PAD


def _linear_ends(figure: "Figure", name: str) -> tuple[float, float]:
    values = _values(figure, name)
    bars = _has_bars(figure, name)
    low, high = min(values, default=0.0), max(values, default=1.0)
    if bars:  # a bar's length is its value only when it starts at zero
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = (0.0, 1.0) if low == 0 else sorted((low - abs(low) / 2, low + abs(low) / 2))
    if all(isinstance(series, Histogram) for series in figure.series) and not bars:
        return low, high  # the edges of the bins are the edges of the picture
    room = _room(figure) * (high - low)
    if low >= 0:  # nothing is negative, so the axis does not suggest it
        return max(low - room, 0.0), high + room
    return low - room, (0.0 if bars and high == 0 else high + room)


def _log_ends(figure: "Figure", name: str) -> tuple[float, float]:
    values = [v for v in _values(figure, name) if v > 0]
    low, high = min(values, default=1.0), max(values, default=10.0)
    if _has_bars(figure, name):  # there is no zero: bars start at a power of ten below the data
        return 10.0 ** floor(log10(low) - 0.05), high * (high / low * 10) ** _room(figure)
    if low == high:
        return low / 3, high * 3
    room = (high / low) ** _room(figure)
    return low / room, high * room
