"""What a cost model sees of a schedule: counts, footprints and traffic of its loops.

Names like `tile_m` mean little for another shape. How many bytes a loop touches, how often they
are fetched again and what fills the registers mean the same for all, so that what was learned on
some shapes ranks the schedules of another.
"""

from math import log2, prod

import numpy as np
from jaxtyping import Float64

from efficientdl import _check
from efficientdl.kernels.scheduled import N_REGISTERS, Schedule
from efficientdl.systems.compiler.autotune.tasks import Task

AXES = "mkn"
OPERANDS = {"x": "mk", "w": "kn", "y": "mn"}  # the axes that each has
CACHES = {"l1": 32 * 1024, "l2": 1024 * 1024}  # bytes, as most processors of today have
BYTES = 4
Loop = tuple[str, int]  # the axis that it walks along, and its turns
Extents = dict[str, int]


def features(task: Task, schedule: Schedule) -> Float64[np.ndarray, " features"]:
    """Numbers that describe a schedule to a cost model, all of them logarithms or shares.

    Args:
        task: What is computed.
        schedule: How.

    >>> from efficientdl.systems.compiler.autotune.spaces import default_schedule
    >>> from efficientdl.systems.compiler.autotune.tasks import MatmulTask
    >>> task = MatmulTask(64, 64, 64)
    >>> bool(np.isfinite(features(task, default_schedule(task))).all())
    True

    Source: Chen et al., "Learning to Optimize Tensor Programs", 2018, whose features of a loop
        nest are of the same kinds; survey section 6.1; lab 13.
    """
    return np.array(list(named_features(task, schedule).values()))


def named_features(task: Task, schedule: Schedule) -> dict[str, float]:
    """`features` by name."""
    _check.kind("features", "task", task, Task.__args__)
    _check.kind("features", "schedule", schedule, Schedule)
    sizes = dict(zip(AXES, task.sizes, strict=True))
    rows, registers = schedule.inner
    wanted = {"m": schedule.tile_m, "k": schedule.tile_k, "n": schedule.tile_n}
    tile = {axis: min(wanted[axis], sizes[axis]) for axis in AXES}
    loops, extents = nest(sizes, tile, schedule)
    shared = next(i for i, axis in enumerate(schedule.order) if axis != "k")
    turns = loops[shared][1]
    found = {
        "sums": log2(rows * registers),
        "rows": log2(rows),
        "registers": float(registers),
        "registers_used": schedule.n_registers / N_REGISTERS,
        "fmas_per_load": log2(rows * registers / (rows + registers)),
        "unroll": log2(schedule.unroll),
        "rows_used": sizes["m"] / _up(sizes["m"], rows),
        "columns_used": sizes["n"] / _up(sizes["n"], schedule.columns),
        "steps_written_out": tile["k"] // schedule.unroll * schedule.unroll / tile["k"],
        "threads": log2(schedule.threads),
        "threads_used": turns / _up(turns, schedule.threads),
    }
    found |= {f"size_{axis}": log2(sizes[axis]) for axis in AXES}
    found |= {f"tile_{axis}": log2(tile[axis]) for axis in AXES}
    found |= {f"place_{axis}": float(schedule.order.index(axis)) for axis in AXES}
    found |= {f"turns_{i}": log2(turns) for i, (_, turns) in enumerate(loops)}
    shares = {"x": min(1.0, task.n_inputs / (sizes["m"] * sizes["k"])), "w": 1.0, "y": 1.0}
    for level, extent in enumerate(extents):
        found[f"bytes_{level}"] = log2(sum(_bytes(extent, shares).values()))
    for name, size in CACHES.items():
        for operand, fetched in traffic(loops, extents, shares, size).items():
            found[f"{name}_{operand}"] = log2(fetched / task.macs)
    return found


def nest(sizes: Extents, tile: Extents, schedule: Schedule) -> tuple[list[Loop], list[Extents]]:
    """The loops from the outermost on, and what the body of each walks over; first the whole.

    Three loops walk over tiles, one over the panels of a tile, one over its strips.
    """
    extents, loops = [dict(sizes)], []
    steps = [(axis, tile[axis]) for axis in schedule.order]
    steps += [("n", min(schedule.columns, tile["n"])), ("m", min(schedule.rows, tile["m"]))]
    for axis, step in steps:
        loops.append((axis, -(-extents[-1][axis] // step)))
        extents.append(extents[-1] | {axis: step})
    return loops, extents


def traffic(
    loops: list[Loop], extents: list[Extents], shares: dict[str, float], cache_bytes: int
) -> dict[str, float]:
    """Bytes of each operand that come into a cache, if it keeps what the last loops touched.

    What the largest loop body that fits the cache touches is fetched once, and again in each turn
    of a loop outside of it; but not in the turns of loops that do not move along the operand, as
    long as no loop inside of them does.
    """
    fits = len(extents) - 1
    while fits > 0 and sum(_bytes(extents[fits - 1], shares).values()) <= cache_bytes:
        fits -= 1
    found = {}
    for operand, touched in _bytes(extents[fits], shares).items():
        outside = [loop for loop in loops[:fits] if loop[1] > 1]  # one turn fetches nothing anew
        while outside and outside[-1][0] not in OPERANDS[operand]:
            outside = outside[:-1]
        found[operand] = touched * prod(turns for _, turns in outside)
    return found


def _bytes(extent: Extents, shares: dict[str, float]) -> dict[str, float]:
    return {
        operand: BYTES * shares[operand] * extent[axes[0]] * extent[axes[1]]
        for operand, axes in OPERANDS.items()
    }


def _up(length: int, step: int) -> int:
    return -(-length // step) * step
