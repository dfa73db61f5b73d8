"""Who works when: loads, computations and stores over the cycles, as a logic analyser shows them.

Each lane is a line that is up while the lane works and down while it waits. Gaps in the lane of the
computation are stalls.
"""

from collections.abc import Sequence
from typing import NamedTuple

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.palette import STYLES
from efficientdl.viz.series import Line, Points, Series

_UP, _DOWN = 0.3, -0.3  # of the height of a lane; rows grow downwards
_LANE_PX = 70
_LABELS = 12  # tiles whose names find room


class Span(NamedTuple):
    """One piece of work.

    Attributes:
        lane: Who does it: load, compute, store.
        start: Its first cycle.
        end: The first cycle after it.
        name: What it is called: the number of its tile.
    """

    lane: str
    start: float
    end: float
    name: str = ""


def timing(title: str, spans: Sequence[Span], *, unit: str = "cycles") -> Figure:
    """A timing diagram: one lane for each who works, from top to bottom as they first come up.

    Args:
        title: Of the figure.
        spans: The work. Those of one lane must not overlap.
        unit: Of the time.

    Raises:
        BadValue: A span that ends before it starts, or two of a lane at the same time.

    >>> spans = [Span("load", 0, 4), Span("compute", 4, 6), Span("load", 4, 8),
    ...          Span("compute", 8, 10)]
    >>> figure = timing("Two tiles", spans)
    >>> figure.alt
    'Of 10 cycles, load works in 80 %, compute in 40 %.'
    """
    if not spans:
        _check.fail("timing", "spans", "must not be empty", spans)
    lanes = list(dict.fromkeys(span.lane for span in spans))
    most = len(STYLES) - 1
    if len(lanes) > most:
        _check.fail("timing", "spans", f"must be of at most {most} lanes", len(lanes))
    first, last = min(s.start for s in spans), max(s.end for s in spans)
    if not first < last:
        _check.fail("timing", "spans", "must take time", (first, last))
    own = {lane: _in_order(spans, lane) for lane in lanes}
    series: list[Series] = [
        Line(lane, *_wave(own[lane], height, first, last)) for height, lane in enumerate(lanes)
    ]
    shares = [
        f"{lane}{' works' * (not i)} in "
        f"{100 * sum(s.end - s.start for s in own[lane]) / (last - first):.0f} %"
        for i, lane in enumerate(lanes)
    ]
    return Figure(
        title,
        Axis("Time", unit, low=first, high=last),
        Axis("", categories=tuple(lanes)),
        (*series, *_names(own)),
        alt=f"Of {last - first:g} {unit}, {', '.join(shares)}.",
        height=110 + _LANE_PX * len(lanes),
    )


def _in_order(spans: Sequence[Span], lane: str) -> list[Span]:
    """The spans of a lane by time, none of which overlap; those of no length are left out."""
    found = sorted(span for span in spans if span.lane == lane)
    free = float("-inf")
    for span in found:
        if span.end < span.start:
            rule = f"must end after its start at {span.start:g}"
            _check.fail("timing", f"{lane} {span.name}".strip(), rule, span.end)
        if span.start < free:
            rule = f"must start when the lane is free, at {free:g}"
            _check.fail("timing", f"{lane} {span.name}".strip(), rule, span.start)
        free = span.end
    return [span for span in found if span.end > span.start]


def _wave(
    spans: Sequence[Span], height: int, first: float, last: float
) -> tuple[list[float], list[float]]:
    """Corners of a line that is up in the spans, and down between them."""
    up, down = height - _UP, height - _DOWN
    corners: list[tuple[float, float]] = [(first, down)]
    for span in spans:
        corners += [(span.start, down), (span.start, up), (span.end, up), (span.end, down)]
    corners.append((last, down))
    return [x for x, _ in corners], [y for _, y in corners]


def _names(own: dict[str, list[Span]]) -> list[Series]:
    """What the spans are called, in their middle, where they are few enough to be read."""
    rows = list(own.values())
    places = [
        ((span.start + span.end) / 2, float(height), span.name)
        for height, spans in enumerate(rows)
        for span in spans
        if span.name and len(spans) <= _LABELS
    ]
    if not places:
        return []
    x, y, names = zip(*places, strict=True)
    return [Points("tile", x, y, names, style=len(STYLES) - 1)]
