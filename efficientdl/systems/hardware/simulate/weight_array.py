"""A weight-stationary array, cycle by cycle.

The weights of a fold enter at the top, the last row's first, and move down. Then word m of row i of
x is in column j in cycle m + i + j after the start, and a sum moves down with it. A row of
registers through which one stream passes is a window that slides along the stream, so `x` is kept
reversed and read where the window stands; sums and weights are moved from unit to unit. Only units
with work are visited, and those side by side in a row at the same time.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64, Num

from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.simulate.lanes import (
    LANES,
    grid,
    inlined,
    moved_down,
    store_first,
    store_words,
    summed,
    window,
    words,
)
from efficientdl.systems.hardware.simulate.plan import (
    ACROSS,
    CLASHES,
    COL,
    COLS,
    CYCLES,
    MACS,
    N_COUNTS,
    PSUM,
    ROW,
    ROWS,
    SUM_HOP,
    USED_COLS,
    USED_ROWS,
    WEIGHT_HOP,
    WEIGHT_READ,
    X_HOP,
    X_READ,
    Y_WRITE,
    Plan,
    Trace,
)

Matrix = Num[np.ndarray, "a b"]


class Units(NamedTuple):
    """The registers. With one weight register in a unit, `loading` is `weight` itself.

    Attributes:
        weight: The weights in use.
        owner: To which fold each belongs; -1 where there is none.
        loading: The weights of the next fold, on their way.
        coming: To which fold those belong.
        psum: The sums, on their way down; those of row i are in row i + 1, and zeros come from
            above.
        port: When a sum last left each column.
    """

    weight: Matrix
    owner: Int32[np.ndarray, "rows cols"]
    loading: Matrix
    coming: Int32[np.ndarray, "rows cols"]
    psum: Matrix
    port: Int64[np.ndarray, " cols"]


class Work(NamedTuple):
    """Operands and output.

    Attributes:
        x: Transposed, each row reversed: the last word to enter comes first.
        weight: As it is.
        y: What the sums are added to, those that leave in the same cycle side by side.
    """

    x: Matrix
    weight: Matrix
    y: Num[np.ndarray, "across cycles cols"]


def units(rows: int, cols: int, registers: int, operand: np.dtype, total: np.dtype) -> Units:
    """An array that holds nothing; sums have the type `total`."""
    weight, owner = grid(rows, cols, operand), grid(rows, cols, np.int32) - 1
    one = registers == 1
    loading, coming = (weight, owner) if one else (grid(rows, cols, operand), owner.copy())
    return Units(weight, owner, loading, coming, grid(rows + 1, cols, total), np.full(cols, -1))


@compiled
def weight_array(work: Work, plan: Plan, units: Units, trace: Trace) -> Int64[np.ndarray, " c"]:
    """Run all folds; gives the counts."""
    folds, counts = plan.folds, np.zeros(N_COUNTS, np.int64)
    loads, starts, ends = schedule(plan)
    t, oldest, newest = 0, 0, 0  # the folds between are being loaded, computed or drained
    while oldest < len(folds) and t < plan.until:
        while newest < len(folds) and t >= loads[newest]:
            newest += 1
        for f in range(oldest, newest):
            if starts[f] <= t < ends[f]:
                _wave(work, plan, units, trace, counts, f, t, t - starts[f])
        for f in range(oldest, newest):
            if t - loads[f] < folds[f, ROWS] + folds[f, USED_COLS] - 1:
                _load(work, units, counts, folds[f], f, t - loads[f])
        t += 1
        while oldest < newest and t >= ends[oldest]:
            oldest += 1
    counts[CYCLES] = t
    return counts


@compiled
def schedule(plan: Plan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """When the controller lets each fold load, start and be over."""
    n, folds = len(plan.folds), plan.folds
    loads, starts, ends = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    for f in range(n):
        if f:
            free = starts[f - 1] + plan.steps if plan.overlap else ends[f - 1]
            loads[f] = (starts[f - 1] if plan.registers == 2 else free) - plan.hurry
            port = starts[f - 1] + plan.steps + folds[f - 1, ROWS] - folds[f, ROWS]
            starts[f] = max(free, port) - plan.hurry
        starts[f] = max(starts[f], loads[f] + folds[f, ROWS])
        ends[f] = starts[f] + plan.steps + folds[f, ROWS] + folds[f, COLS] - 2
    return loads, starts, ends


@inlined
def _load(
    work: Work, units: Units, counts: np.ndarray, fold: np.ndarray, f: int, since: int
) -> None:
    """Move the weights of a fold down, a column one cycle after the one before."""
    loading, coming = units.loading, units.coming
    rows, blank = fold[ROWS], fold[ROWS] - fold[USED_ROWS]
    left, right = max(0, since - rows + 1), min(fold[USED_COLS], since + 1)
    for i in range(since - left, 0, -1):
        until = min(right, since - i + 1)
        moved_down(loading, i, left, until)
        moved_down(coming, i, left, until)
        counts[WEIGHT_HOP] += max(0, min(until, since - i + 1 - blank) - left)
    for j in range(left, right):
        row = rows - 1 - since + j
        coming[0, j] = -1
        if row < fold[USED_ROWS]:
            loading[0, j] = work.weight[fold[ROW] + row, fold[COL] + j]
            coming[0, j] = f
            counts[WEIGHT_READ] += 1


@inlined
def _wave(
    work: Work,
    plan: Plan,
    units: Units,
    trace: Trace,
    counts: np.ndarray,
    f: int,
    t: int,
    since: int,
) -> None:
    """One cycle of a fold: every sum moves down a row and takes up a product."""
    fold, steps = plan.folds[f], plan.steps
    rows, cols, low = fold[USED_ROWS], fold[USED_COLS], fold[ROWS] - 1
    x, weight, psum = work.x, units.weight, units.psum
    _hand_over(units, counts, f, since, steps, fold)
    macs, entered, passed, n = 0, 0, 0, 0
    for i in range(min(low, since), rows - 1, -1):  # below the rows that are used
        left, right = window(since - i, steps, cols)
        moved_down(psum, i + 1, left, right)
        passed += right - left
    for i in range(min(rows - 1, since), max(0, since - steps - cols + 2) - 1, -1):
        left, right = window(since - i, steps, cols)
        word = (fold[ROW] + i) * x.shape[1] + steps - 1 - since + i
        n = right - left
        _take_up(psum, x, weight, i * psum.shape[1] + left, word + left, n)
        macs += n
        entered += left == 0
    counts[MACS] += macs
    counts[X_READ] += entered
    counts[X_HOP] += macs - entered
    counts[SUM_HOP] += macs + passed - (n if since < steps + cols - 1 else 0)
    left, right = window(since - rows + 1, steps, cols)
    if left < right:
        trace.last_mac[fold[ACROSS], since - rows + 1, left:right] = t
    if since >= low:
        _leave(work, plan, units, trace, counts, f, t, since - low)


@inlined
def _take_up(psum: Matrix, x: Matrix, weight: Matrix, above: int, word: int, n: int) -> None:
    """Units side by side take the sums from above, and add their weight times the word of x."""
    below, whole = above + psum.shape[1], n - n % LANES
    for c in range(0, whole, LANES):
        store_words(psum, below + c, summed(psum, x, weight, above + c, word + c))
    if whole < n:
        sums = summed(psum, x, weight, above + whole, word + whole)
        store_first(psum, below + whole, sums, n - whole)


@inlined
def _hand_over(
    units: Units, counts: np.ndarray, f: int, since: int, steps: int, fold: np.ndarray
) -> None:
    """The first words take the loaded weights into use; the last must still find them there."""
    weight, owner, loading, coming = units.weight, units.owner, units.loading, units.coming
    cols = fold[USED_COLS]
    for i in range(max(0, since - cols + 1), min(fold[USED_ROWS], since + 1)):
        weight[i, since - i], owner[i, since - i] = loading[i, since - i], coming[i, since - i]
        counts[CLASHES] += owner[i, since - i] != f
    last = since - steps + 1
    for i in range(max(0, last - cols + 1), min(fold[USED_ROWS], last + 1)):
        counts[CLASHES] += owner[i, last - i] != f


@inlined
def _leave(
    work: Work,
    plan: Plan,
    units: Units,
    trace: Trace,
    counts: np.ndarray,
    f: int,
    t: int,
    since: int,
) -> None:
    """Sums leave the last row and are added to what waits; a column lets out one a cycle."""
    fold = plan.folds[f]
    first, last = fold[ROW] == 0, fold[ROW] + fold[USED_ROWS] == plan.rows
    left, right = window(since, plan.steps, fold[USED_COLS])
    if left >= right:  # columns without a filter, which the fold is scheduled for
        return
    y, width = work.y[fold[ACROSS]], units.psum.shape[1]
    for c in range(left, right, LANES):
        sums = words(y, since * width + c) + words(units.psum, fold[ROWS] * width + c)
        store_first(y, since * width + c, sums, right - c)
    counts[PSUM] += (right - left) * ((not first) + (not last))
    for j in range(left, right):
        counts[CLASHES] += units.port[j] == t
        units.port[j] = t
    if last:
        counts[Y_WRITE] += right - left
        trace.written[fold[ACROSS], since, left:right] = t
