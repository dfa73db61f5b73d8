"""An output-stationary array, cycle by cycle.

Word k of row i of x and of column j of w meet in unit (i, j) in cycle k + i + j after the start. A
row of registers through which one stream passes is a window that slides along the stream, so `x` is
kept reversed and read where the window stands; weights are moved from unit to unit. A finished sum
steps aside into a second register, from which it leaves. Only units with work are visited, and
those side by side in a row at the same time.
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
    CLASHES,
    COL,
    COLS,
    CYCLES,
    MACS,
    N_COUNTS,
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
    """The registers.

    Attributes:
        weight: The weights, on their way down; those of row i are in row i + 1, and the first row
            is what enters.
        psum: The sums that grow.
        done: Finished sums, on their way out.
        owner: To which fold each finished sum belongs; -1 where there is none.
        port: When a sum last left each column.
        entry: When a word of x last entered each row.
    """

    weight: Matrix
    psum: Matrix
    done: Matrix
    owner: Int32[np.ndarray, "rows cols"]
    port: Int64[np.ndarray, " cols"]
    entry: Int64[np.ndarray, " rows"]


class Work(NamedTuple):
    """Operands and output.

    Attributes:
        x: Each row reversed: the last word to enter comes first.
        weight: As it is.
        y: The output.
    """

    x: Matrix
    weight: Matrix
    y: Matrix


def units(rows: int, cols: int, operand: np.dtype, total: np.dtype) -> Units:
    """An array that holds nothing; sums have the type `total`."""
    psum, done = grid(rows, cols, total), grid(rows, cols, total)
    owner = grid(rows, cols, np.int32) - 1
    ports = np.full(cols, -1), np.full(rows, -1)
    return Units(grid(rows + 1, cols, operand), psum, done, owner, *ports)


@compiled
def output_array(work: Work, plan: Plan, units: Units, trace: Trace) -> Int64[np.ndarray, " c"]:
    """Run all folds; gives the counts."""
    folds, counts = plan.folds, np.zeros(N_COUNTS, np.int64)
    starts, ends = schedule(plan)
    t, oldest, newest = 0, 0, 0  # the folds between are being computed or drained
    while oldest < len(folds) and t < plan.until:
        while newest < len(folds) and t >= starts[newest]:
            newest += 1
        for f in range(oldest, newest):
            if plan.bus_words:
                _bus(work, plan, units, trace, counts, f, t, t - starts[f])
            else:
                _shift(work, plan, units, trace, counts, f, t, t - starts[f])
        for f in range(oldest, newest):
            _wave(work, plan, units, trace, counts, f, t, t - starts[f])
        t += 1
        while oldest < newest and t >= ends[oldest]:
            oldest += 1
    counts[CYCLES] = t
    return counts


@compiled
def schedule(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """When the controller lets each fold start, and when it is over."""
    n, folds = len(plan.folds), plan.folds
    starts, ends = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for f in range(n):
        rows, cols = folds[f, ROWS], folds[f, COLS]
        if f and plan.overlap:
            before = folds[f - 1, ROWS]
            starts[f] = starts[f - 1] + max(plan.steps, before, 2 * before - rows) - plan.hurry
        elif f:
            starts[f] = ends[f - 1] - plan.hurry
        leave = -(-rows * cols // plan.bus_words) if plan.bus_words else rows
        ends[f] = starts[f] + plan.steps + rows + cols - 2 + leave
    return starts, ends


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
    """One cycle of a fold: operands move on, and every sum takes up a product."""
    fold, steps = plan.folds[f], plan.steps
    rows, cols = fold[USED_ROWS], fold[USED_COLS]
    x, weight, psum = work.x, units.weight, units.psum
    macs, entered, n = 0, 0, 0
    _enter(work, units, counts, fold, t, since, steps)
    for i in range(min(rows - 1, since), max(0, since - steps - cols + 2) - 1, -1):
        left, right = window(since - i, steps, cols)
        word = (fold[ROW] + i) * x.shape[1] + steps - 1 - since + i
        n = right - left
        _take_up(psum, x, weight, i * psum.shape[1] + left, word + left, n)
        macs += n
        entered += left == 0
    counts[MACS] += macs
    counts[X_HOP] += macs - entered
    counts[WEIGHT_HOP] += macs - (n if since < steps + cols - 1 else 0)
    _finish(units, trace, counts, fold, f, t, since - steps + 1)


@inlined
def _take_up(psum: Matrix, x: Matrix, weight: Matrix, here: int, word: int, n: int) -> None:
    """Units side by side take the weight from above, and add it times the word of x."""
    below, whole = here + psum.shape[1], n - n % LANES
    for c in range(0, whole, LANES):
        sums = summed(psum, x, weight, here + c, word + c)
        store_words(weight, below + c, words(weight, here + c))
        store_words(psum, here + c, sums)
    if whole < n:
        sums = summed(psum, x, weight, here + whole, word + whole)
        store_first(weight, below + whole, words(weight, here + whole), n - whole)
        store_first(psum, here + whole, sums, n - whole)


@inlined
def _enter(
    work: Work,
    units: Units,
    counts: np.ndarray,
    fold: np.ndarray,
    t: int,
    since: int,
    steps: int,
) -> None:
    """Words of x enter rows, one a cycle, and of w columns; where they meet a sum begins."""
    rows, cols = fold[USED_ROWS], fold[USED_COLS]
    weight, psum, entry = units.weight, units.psum, units.entry
    for j in range(max(0, since - steps + 1), min(cols, since + 1)):
        weight[0, j] = work.weight[since - j, fold[COL] + j]
        counts[WEIGHT_READ] += 1
    for i in range(max(0, since - steps + 1), min(rows, since + 1)):
        counts[X_READ] += 1
        counts[CLASHES] += entry[i] == t
        entry[i] = t
    for i in range(max(0, since - cols + 1), min(rows, since + 1)):
        psum[i, since - i] = 0


@inlined
def _finish(
    units: Units,
    trace: Trace,
    counts: np.ndarray,
    fold: np.ndarray,
    f: int,
    t: int,
    last: int,
) -> None:
    """Finished sums step aside, into registers that must be empty."""
    owner, done, psum = units.owner, units.done, units.psum
    for i in range(max(0, last - fold[USED_COLS] + 1), min(fold[USED_ROWS], last + 1)):
        j = last - i
        counts[CLASHES] += owner[i, j] != -1
        done[i, j], owner[i, j] = psum[i, j], f
        trace.last_mac[fold[ROW] + i, fold[COL] + j] = t


@inlined
def _shift(
    work: Work,
    plan: Plan,
    units: Units,
    trace: Trace,
    counts: np.ndarray,
    f: int,
    t: int,
    since: int,
) -> None:
    """Finished columns move down a row; the last row's sum leaves."""
    fold, done, owner = plan.folds[f], units.done, units.owner
    rows = fold[ROWS]
    late = since - plan.steps - rows + 1  # how many sums have left the first column
    left, right = max(0, late - rows + 1), min(fold[USED_COLS], late + 1)
    y, written, port = work.y, trace.written, units.port
    for j in range(left, right):
        row = rows - 1 - late + j
        if row < fold[USED_ROWS]:
            m, n = fold[ROW] + row, fold[COL] + j
            y[m, n], written[m, n] = done[rows - 1, j], t
            counts[Y_WRITE] += 1
            counts[CLASHES] += (owner[rows - 1, j] != f) + (port[j] == t)
            port[j] = t
    for i in range(rows - 1, late - right + 1, -1):  # what is above may belong to the next fold
        first = max(left, late - i + 1)
        moved_down(done, i - 1, 1, first, right)
        moved_down(owner, i - 1, 1, first, right)
        counts[SUM_HOP] += _held(owner, i, first, right)
    for j in range(left, right):
        owner[late - j, j] = -1


@inlined
def _held(owner: Matrix, i: int, left: int, right: int) -> int:
    """How many units of a part of a row hold a finished sum."""
    row, first, held = np.uintp(i), np.uintp(left), 0
    for j in range(np.uintp(max(0, right - left))):
        held += owner[row, first + j] != -1
    return held


@inlined
def _bus(
    work: Work,
    plan: Plan,
    units: Units,
    trace: Trace,
    counts: np.ndarray,
    f: int,
    t: int,
    since: int,
) -> None:
    """The bus takes the next sums, row by row."""
    fold = plan.folds[f]
    y, done, owner = work.y, units.done, units.owner
    first = (since - plan.steps - fold[ROWS] - fold[COLS] + 2) * plan.bus_words
    for at in range(max(0, first), min(first + plan.bus_words, fold[ROWS] * fold[COLS])):
        row, col = at // fold[COLS], at % fold[COLS]
        if row < fold[USED_ROWS] and col < fold[USED_COLS]:
            m, n = fold[ROW] + row, fold[COL] + col
            y[m, n], trace.written[m, n] = done[row, col], t
            counts[Y_WRITE] += 1
            counts[CLASHES] += owner[row, col] != f
            owner[row, col] = -1
