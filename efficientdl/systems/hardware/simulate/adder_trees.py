"""Multipliers and adder trees, cycle by cycle: no operand is kept."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.simulate.plan import (
    CLASHES,
    COL,
    CYCLES,
    MACS,
    N_COUNTS,
    PSUM,
    ROW,
    ROWS,
    SUM_HOP,
    USED_COLS,
    USED_ROWS,
    WEIGHT_READ,
    X_HOP,
    X_READ,
    Y_WRITE,
    Plan,
    Trace,
)

Matrix = Num[np.ndarray, "a b"]


class Trees(NamedTuple):
    """The registers between the levels of adders; level 0 holds products.

    Attributes:
        sums: What stands there, for each column.
        fold: To which fold it belongs; -1 where there is nothing.
        step: To which row of x.
        port: When sums last left the trees.
    """

    sums: Num[np.ndarray, "levels cols rows"]
    fold: Int64[np.ndarray, " levels"]
    step: Int64[np.ndarray, " levels"]
    port: Int64[np.ndarray, " one"]


class Work(NamedTuple):
    """Operands and output, as they are."""

    x: Matrix
    weight: Matrix
    y: Matrix


def trees(rows: int, cols: int, dtype: np.dtype) -> Trees:
    """Trees that hold nothing."""
    levels = (rows - 1).bit_length() + 1
    nothing = np.full(levels, -1), np.full(levels, -1), np.full(1, -1)
    return Trees(np.zeros((levels, cols, rows), dtype), *nothing)


@compiled
def adder_trees(work: Work, plan: Plan, trees: Trees, trace: Trace) -> Int64[np.ndarray, " c"]:
    """Run all folds; gives the counts."""
    folds, counts = plan.folds, np.zeros(N_COUNTS, np.int64)
    starts, ends = _schedule(plan)
    t, f = 0, 0
    while t < ends[-1]:
        for level in range(len(trees.fold) - 1, 0, -1):
            _add(trees, counts, level, folds)
        while f + 1 < len(folds) and t >= starts[f + 1]:
            f += 1
        trees.fold[0] = -1
        if t - starts[f] < plan.steps:
            _multiply(work, trees, trace, counts, folds[f], f, t, t - starts[f])
        for level in range(len(trees.fold)):
            at = trees.fold[level]
            if at >= 0 and level == _levels(folds[at, ROWS]):
                _leave(work, trees, trace, counts, folds[at], level, t)
        t += 1
    counts[CYCLES] = t
    return counts


@compiled
def _levels(rows: int) -> int:
    levels = 0
    while (1 << levels) < rows:
        levels += 1
    return levels


@compiled
def _schedule(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """When the controller lets each fold start, and when it is over."""
    n, folds = len(plan.folds), plan.folds
    starts, ends = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for f in range(n):
        deep = _levels(folds[f, ROWS])
        if f and plan.overlap:
            before = _levels(folds[f - 1, ROWS])
            starts[f] = starts[f - 1] + plan.steps + max(0, before - deep) - plan.hurry
        elif f:
            starts[f] = ends[f - 1] - plan.hurry
        ends[f] = starts[f] + plan.steps + deep
    return starts, ends


@compiled
def _multiply(
    work: Work,
    trees: Trees,
    trace: Trace,
    counts: np.ndarray,
    fold: np.ndarray,
    f: int,
    t: int,
    step: int,
) -> None:
    """A row of x goes to all columns; each unit reads its weight and multiplies."""
    rows, cols = fold[USED_ROWS], fold[USED_COLS]
    trees.fold[0], trees.step[0] = f, step
    for j in range(cols):
        for i in range(rows):
            x, weight = work.x[step, fold[ROW] + i], work.weight[fold[ROW] + i, fold[COL] + j]
            trees.sums[0, j, i] = x * weight
        trees.sums[0, j, rows:] = 0
        trace.last_mac[step, fold[COL] + j] = t
    counts[MACS] += rows * cols
    counts[WEIGHT_READ] += rows * cols
    counts[X_READ] += rows
    counts[X_HOP] += rows * (cols - 1)


@compiled
def _add(trees: Trees, counts: np.ndarray, level: int, folds: np.ndarray) -> None:
    """Every adder of a level takes two words of the level below."""
    trees.fold[level], trees.step[level] = -1, trees.step[level - 1]
    f = trees.fold[level - 1]
    if f >= 0 and level <= _levels(folds[f, ROWS]):
        trees.fold[level] = f
        width = -(-folds[f, USED_ROWS] // (1 << (level - 1)))  # words below that are not zeros
        for j in range(folds[f, USED_COLS]):
            below, sums = trees.sums[level - 1, j], trees.sums[level, j]
            sums[:] = 0
            for i in range(-(-width // 2)):
                other = below[2 * i + 1] if 2 * i + 1 < width else 0
                sums[i] = below[2 * i] + other
        counts[SUM_HOP] += folds[f, USED_COLS] * (width // 2)


@compiled
def _leave(
    work: Work,
    trees: Trees,
    trace: Trace,
    counts: np.ndarray,
    fold: np.ndarray,
    level: int,
    t: int,
) -> None:
    """The roots are added to what waits in the buffer."""
    first, last = fold[ROW] == 0, fold[ROW] + fold[USED_ROWS] == len(work.weight)
    m = trees.step[level]
    counts[CLASHES] += trees.port[0] == t
    trees.port[0] = t
    for j in range(fold[USED_COLS]):
        work.y[m, fold[COL] + j] += trees.sums[level, j, 0]
        counts[PSUM] += (not first) + (not last)
        if last:
            counts[Y_WRITE] += 1
            trace.written[m, fold[COL] + j] = t
