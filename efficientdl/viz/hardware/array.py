"""An array of multipliers at work, a cycle at a time: what each unit holds, and who is idle."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from efficientdl import _check
from efficientdl.viz.controls import Slider
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.panel import Panel
from efficientdl.viz.series import Line, Points, VLine
from efficientdl.viz.table import Table
from efficientdl.viz.view import View

# What a unit does, in the order of the numbers that a frame has for it; each with its style.
DOES = {"empty": 5, "waits": 3, "passes on": 1, "multiplies": 0}
MULTIPLIES = 3
_CELL_PX = (110, 46)
PLAY_S = 0.8  # a cycle on the screen: long enough to find the unit that changed
_LARGEST = 16  # rows or columns whose words can still be read


class Frame(Protocol):
    """One cycle of an array: grids of rows by columns.

    Attributes:
        cycle: Which, from 0 on.
        state: What each unit does, as a place in `DOES`.
        x: Its word of the input.
        weight: Its weight.
        psum: Its sum.
        utilisation: Share of the units that multiply.
    """

    @property
    def cycle(self) -> int: ...

    @property
    def state(self) -> Any: ...  # noqa: ANN401  # arrays of any library

    @property
    def x(self) -> Any: ...  # noqa: ANN401

    @property
    def weight(self) -> Any: ...  # noqa: ANN401

    @property
    def psum(self) -> Any: ...  # noqa: ANN401

    @property
    def utilisation(self) -> float: ...


def array_figure(frame: Frame, *, title: str = "The array") -> Figure:
    """The units of an array in one cycle: rows from the top, each with what it does and holds.

    A unit that multiplies is labelled with its operands and the sum after it: `3 x -2: 14`. One
    that waits shows its operand, one that passes a sum on shows the sum.

    Args:
        frame: The cycle, of at most 16 rows and columns.
        title: Of the figure.

    >>> from types import SimpleNamespace
    >>> frame = SimpleNamespace(cycle=4, state=[[3, 0]], x=[[3, 0]], weight=[[-2, 0]],
    ...                         psum=[[14, 0]], utilisation=0.5)
    >>> figure = array_figure(frame)
    >>> figure.series[3].labels, figure.alt
    (('3 x -2: 14',), 'In cycle 4, 1 of 2 units multiplies.')
    """
    state = _checked(frame)
    rows, cols = state.shape
    labels = _labels(frame)
    series = []
    for place, (name, style) in enumerate(DOES.items()):
        at = np.argwhere(state == place)
        texts = [labels[i][j] for i, j in at]
        shown = texts if any(texts) else ()
        series.append(Points(name, at[:, 1], at[:, 0], shown, style=style))
    return Figure(
        f"{title}, cycle {frame.cycle}",
        Axis("column", categories=tuple(map(str, range(cols)))),
        Axis("row", categories=tuple(map(str, range(rows)))),
        tuple(series),
        alt=_sentence(frame, state),
        width=min(90 + _CELL_PX[0] * max(cols, 3), 1200),
        height=min(120 + _CELL_PX[1] * rows, 900),
    )


def array_panel(frames: Sequence[Frame], *, title: str = "The array, cycle by cycle") -> Panel:
    """The animation: a slider of the cycle moves the array, and a line through its utilisation.

    Live, a button beside the slider plays the cycles one after the other.

    Args:
        frames: Every cycle, in order: those of `snapshots`.
        title: Of the panel.

    >>> from types import SimpleNamespace
    >>> frames = [SimpleNamespace(cycle=t, state=[[3 * (t > 0), 0]], x=[[1, 0]], weight=[[1, 0]],
    ...                           psum=[[t, 0]], utilisation=(t > 0) / 2) for t in range(3)]
    >>> array_panel(frames).set(cycle=2).text
    'In cycle 2, 1 of 2 units multiplies. Over all 3 cycles it is 33 % of them.'
    """
    if len(frames) < 2:
        _check.fail("array_panel", "frames", "must be at least 2 cycles", len(frames))
    shares = [100 * frame.utilisation for frame in frames]
    last = len(frames) - 1

    def at(cycle: int) -> View:
        frame = frames[cycle]
        text = f"{_sentence(frame, _checked(frame))} Over all {len(frames)} cycles it is "
        text += f"{sum(shares) / len(shares):.0f} % of them."
        return View((array_figure(frame), _busy(shares, cycle)), _table(frame), text)

    stops = sorted({0, last // 4, last // 2, 3 * last // 4, last})
    start = int(np.argmax(shares))
    slider = Slider("Cycle", 0, last, value=start, play_s=PLAY_S)
    return Panel(at, {"cycle": slider}, title=title, stops={"cycle": stops})


def _busy(shares: Sequence[float], cycle: int) -> Figure:
    """The share of units that multiply, over the cycles, with the cycle that is shown."""
    mean = sum(shares) / len(shares)
    return Figure(
        "Who multiplies",
        Axis("Cycle", low=0, high=len(shares) - 1),
        Axis("Units that multiply", "%", low=0, high=105),
        (Line("of all units", range(len(shares)), shares), VLine(f"cycle {cycle}", cycle)),
        alt=f"In cycle {cycle} {shares[cycle]:.0f} % of the units multiply, {mean:.0f} % on "
        f"average, {max(shares):.0f} % at most.",
        width=420,
    )


def _table(frame: Frame) -> Table:
    """Every unit with its words, row by row."""
    state, names = np.asarray(frame.state), list(DOES)
    grids = [np.asarray(grid).tolist() for grid in (frame.x, frame.weight, frame.psum)]
    rows = [
        (f"{i}, {j}", names[int(state[i, j])], *(grid[i][j] for grid in grids))
        for i, j in np.ndindex(*state.shape)
    ]
    return Table(f"Cycle {frame.cycle}", ("unit", "does", "x", "weight", "sum"), tuple(rows))


def _labels(frame: Frame) -> list[list[str]]:
    grids = zip(frame.state, frame.x, frame.weight, frame.psum, strict=True)
    return [[_label(*words) for words in zip(*rows, strict=True)] for rows in grids]


def _label(does: int, x: float, weight: float, psum: float) -> str:
    if does == MULTIPLIES:
        return f"{x:g} x {weight:g}: {psum:g}"
    if does == list(DOES).index("passes on"):
        return f"{psum:g}"
    return f"{weight or x:g}" if does else ""


def _sentence(frame: Frame, state: np.ndarray) -> str:
    n = int((state == MULTIPLIES).sum())
    verb = "unit multiplies" if state.size == 1 else "units multiply"
    verb = "units multiplies" if n == 1 and state.size > 1 else verb
    return f"In cycle {frame.cycle}, {n} of {state.size} {verb}."


def _checked(frame: Frame) -> np.ndarray:
    state = np.asarray(frame.state)
    if state.ndim != 2 or not 1 <= min(state.shape) <= max(state.shape) <= _LARGEST:
        rule = f"must be a grid of 1 to {_LARGEST} rows and columns, to be read"
        _check.fail("array_figure", "state", rule, state.shape)
    if not np.isin(state, range(len(DOES))).all():
        _check.fail("array_figure", "state", f"must be 0 to {len(DOES) - 1}", np.unique(state))
    return state
