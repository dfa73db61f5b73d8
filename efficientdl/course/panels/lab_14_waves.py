"""Lab 14's array, cycle by cycle: what each unit does, and what it holds."""

from functools import cache

import numpy as np

from efficientdl.systems.hardware import Arch, Array, Dataflow, Gemm
from efficientdl.systems.hardware.simulate import Snapshot, State, snapshots
from efficientdl.viz import Axis, Choice, Figure, Line, Panel, Slider, Table, View, VLine
from efficientdl.viz.hardware.array import PLAY_S, array_figure

SIDE, PRODUCT = 4, Gemm(4, 6, 4)
STAYS = {
    "sums": Dataflow.OUTPUT_STATIONARY,
    "weights": Dataflow.WEIGHT_STATIONARY,
    "inputs": Dataflow.INPUT_STATIONARY,
}
LAST = 27  # cycles of the slowest of the three, less one
_DOES = {
    State.EMPTY: "has nothing",
    State.HOLDS: "waits",
    State.PASSES: "passes on",
    State.MULTIPLIES: "multiplies",
}


@cache
def frames(stays: str) -> tuple[Snapshot, ...]:
    """All cycles of a product of small whole numbers, on an array of 4 x 4 units."""
    rng = np.random.default_rng(0)
    x, weight = rng.integers(1, 4, PRODUCT.x_shape), rng.integers(1, 4, PRODUCT.weight_shape)
    return snapshots(PRODUCT, Arch("small", Array(SIDE, SIDE), STAYS[stays]), x, weight)


def _view(stays: str, cycle: int) -> View:
    seen = frames(stays)
    one = seen[min(cycle, len(seen) - 1)]
    busy, left = int((one.state == State.MULTIPLIES).sum()), int(np.count_nonzero(one.y))
    mean = 100 * PRODUCT.macs / len(seen) / SIDE**2
    text = (
        f"{stays.capitalize()} stay. In cycle {one.cycle}, the last of which is {len(seen) - 1}, "
        f"{busy} of {SIDE**2} units multiply; {one.done} of {PRODUCT.macs} MACs are done, and "
        f"{left} of {one.y.size} sums have left. On average {mean:.0f} % of the units multiply."
    )
    shares = Figure(
        "Units that multiply",
        Axis("cycle", low=0, high=LAST),
        Axis("of all units", "%", low=0, high=105),
        (
            Line("that multiply", range(len(seen)), [100 * frame.utilisation for frame in seen]),
            VLine(f"cycle {one.cycle}", one.cycle),
        ),
        alt=f"Over {len(seen)} cycles {mean:.0f} % of the units multiply.",
        width=420,
        height=300,
    )
    grids = np.stack([one.state, one.x, one.weight, one.psum], axis=2).tolist()
    rows = tuple(
        (i, j, _DOES[State(state)], x, weight, psum)
        for i, line in enumerate(grids)
        for j, (state, x, weight, psum) in enumerate(line)
    )
    head = ("row", "column", "does", "input", "weight", "sum")
    figures = (array_figure(one, title=f"{stays.capitalize()} stay"), shares)
    return View(figures, Table(f"Cycle {one.cycle}", head, rows), text)


def waves() -> Panel:
    """A product on an array of 4 x 4 units, cycle by cycle, with any of three things that stay.

    Live, a button plays the cycles.
    """
    controls = {
        "stays": Choice("What stays", tuple(STAYS), value="sums"),
        "cycle": Slider("Cycle", 0, LAST, value=5, play_s=PLAY_S),
    }
    title = "A product walks through the array"
    return Panel(_view, controls, title=title, stops={"cycle": (1, 8, 12)})
