"""The panels and tables of lab 13: kernels under the roof, layouts, graphs, arenas."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from efficientdl import costs
from efficientdl.costs import Machine
from efficientdl.course.panels.answers import agrees, written
from efficientdl.course.panels.lab_13_crossing import crossover
from efficientdl.course.panels.lab_13_graphs import side_by_side
from efficientdl.course.panels.lab_13_layouts import layouts
from efficientdl.course.panels.lab_13_memory import arena, patches
from efficientdl.course.panels.lab_13_points import scan
from efficientdl.report import Cost
from efficientdl.viz import Choice, Panel, Slider, Table, View
from efficientdl.viz.figures import roofline

__all__ = [
    "agrees",
    "arena",
    "by_hand",
    "crossover",
    "layouts",
    "patches",
    "product_cost",
    "scan",
    "side_by_side",
    "under_the_roof",
    "written",
]

ROUND = Machine(peak_macs_per_s=50e9, bytes_per_s=10e9)
SIDE = 1024  # rows and columns of the layer that `by_hand` has
_PLACE_BYTES = 2  # what it takes to say where a value stands


def layer_cost(batch: int, kept: int, bits: int) -> Cost:
    """A layer of 1024 x 1024, some of its weights kept, each in some bits, times a batch."""
    n_kept = SIDE * SIDE * kept // 100
    places = _PLACE_BYTES * n_kept if kept < 100 else 0
    moved = n_kept * bits // 8 + places + 4 * 2 * SIDE * batch
    return Cost(macs=n_kept * batch, traffic_bytes=moved)


def _least(cost: Cost) -> tuple[float, float, str]:
    """Intensity, least seconds on the round machine, and what holds it up."""
    assert cost.macs is not None
    assert cost.traffic_bytes is not None
    compute_s = cost.macs / ROUND.peak_macs_per_s
    memory_s = cost.traffic_bytes / ROUND.bytes_per_s
    bound = "arithmetic" if compute_s > memory_s else "memory"
    return cost.macs / cost.traffic_bytes, max(compute_s, memory_s), bound


def _by_hand(batch: int, kept: int, bits: int) -> View:
    rows, layers = [], {}
    for name, cost in {
        "dense floats": layer_cost(batch, 100, 32),
        "yours": layer_cost(batch, kept, bits),
    }.items():
        intensity, seconds, bound = _least(cost)
        layers[name] = (intensity, (cost.macs or 0) / seconds / 1e9)
        rows.append((name, cost.macs, cost.traffic_bytes, intensity, 1e6 * seconds, bound))
    (*_, dense, _), (*_, yours, bound) = rows
    text = (
        f"{SIDE} x {SIDE} weights, {kept} % kept, {bits} bits each, times {batch}: at least "
        f"{yours:.0f} microseconds, held up by {bound}. Dense in floats: {dense:.0f}."
    )
    giga = ROUND.peak_macs_per_s / 1e9, ROUND.bytes_per_s / 1e9
    title = f"A machine of {giga[0]:g} GMAC/s and {giga[1]:g} GB/s"
    figure = roofline(layers, peak=giga[0], bandwidth=giga[1], title=title)
    head = ("product", "MACs", "bytes", "MACs per byte", "least time (us)", "held up by")
    return View(figure, Table("The least time", head, tuple(rows)), text)


def by_hand() -> Panel:
    """A product by hand: batch, share of weights kept, bits of a weight; the arithmetic's speed
    is that of floats."""
    controls = {
        "batch": Slider("Columns of x", 1, 64, value=1),
        "kept": Slider("Weights kept", 5, 100, value=100, step=5, unit="%"),
        "bits": Choice("Bits of a weight", (32, 8, 4), value=32),
    }
    return Panel(_by_hand, controls, title="What holds a product up?", stops={"batch": (8, 64)})


def product_cost(weight: np.ndarray, x: np.ndarray) -> Cost:
    """MACs and bytes of a product in float32, in which zeros of the weight are left out.

    Args:
        weight: With `m` rows and `k` columns.
        x: With `k` rows.

    >>> product_cost(np.ones((2, 3)), np.ones((3, 4)))
    Cost(macs=24, traffic_bytes=104)
    """
    kept = int(np.count_nonzero(weight))
    places = 0 if kept == weight.size else kept
    moved = kept + places + x.size + len(weight) * x.shape[1]
    return Cost(macs=kept * x.shape[1], traffic_bytes=4 * moved)


def under_the_roof(
    machine: Machine, calls: Mapping[str, tuple[Callable[[], Any], Cost]], *, repeats: int
) -> View:
    """Time calls that take turns, and draw each under the roof of the machine.

    Args:
        machine: Its peak and its bandwidth.
        calls: By name; and for each its MACs and bytes.
        repeats: Turns.
    """
    taken = costs.compare({name: call for name, (call, _) in calls.items()}, repeats=repeats)
    rows, layers = [], {}
    for name, (_, cost) in calls.items():
        macs, moved = cost.macs or 0, cost.traffic_bytes or 1
        seconds, intensity = taken.latencies[name].median_s, macs / moved
        roof = min(machine.peak_macs_per_s, intensity * machine.bytes_per_s)
        layers[name] = (intensity, macs / seconds / 1e9)
        rows.append((name, 1e3 * seconds, macs / seconds / 1e9, 100 * macs / seconds / roof))
    fastest = min(rows, key=lambda row: row[1] / (calls[row[0]][1].macs or 1))
    figure = roofline(
        layers, peak=machine.peak_macs_per_s / 1e9, bandwidth=machine.bytes_per_s / 1e9
    )
    text = f"'{fastest[0]}' does most in a second, {fastest[2]:.3g} GMAC."
    head = ("product", "ms", "GMAC/s", "of the roof (%)")
    return View(figure, Table("Measured, in turns", head, tuple(rows)), text)
