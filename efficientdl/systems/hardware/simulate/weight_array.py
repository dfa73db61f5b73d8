"""A weight-stationary array, cycle by cycle.

The weights of a fold enter at the top, the last row's first, and move down. Then word m of row i of
x is in column j in cycle m + i + j after the start, and a sum moves down with it. A row of
registers through which one stream passes is a window that slides along the stream, so `x` is kept
reversed and read where the window stands; sums and weights are moved from unit to unit. Only units
with work are visited, and those side by side in a row at the same time.

A fold that is alone in the array meets nobody, so `plan.deep` cycles of it are gone through
together: a sum moves down as many rows at once, takes up its product in each, and lies in the
processor's register meanwhile. With `deep = 1` this is the plain machine, a row a cycle; output,
counts and trace are the same. When folds meet, it is always a cycle at a time.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64, Num

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd.memory import Lanes
from efficientdl.systems.hardware.simulate.lanes import (
    LANES,
    grid,
    inlined,
    moved_down,
    store_first,
    store_words,
    widened,
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


class Stretch(NamedTuple):
    """Cycles of a fold that are gone through together.

    Attributes:
        f: The fold.
        t: The first of the cycles.
        since: The same, counted from when the fold started, to compute or to load.
        deep: How many they are.
    """

    f: int
    t: int
    since: int
    deep: int


@compiled
def weight_array(work: Work, plan: Plan, units: Units, trace: Trace) -> Int64[np.ndarray, " c"]:
    """Run all folds; gives the counts."""
    folds, counts = plan.folds, np.zeros(N_COUNTS, np.int64)
    loads, starts, ends = schedule(plan)
    t, oldest, newest = 0, 0, 0  # the folds between are being loaded, computed or drained
    while oldest < len(folds) and t < plan.until:
        while newest < len(folds) and t >= loads[newest]:
            newest += 1
        deep, f = 1, oldest
        if oldest + 1 == newest:  # its words follow its weights: these first
            deep = _alone(plan, loads, ends, f, t)
            _load(work, units, counts, folds[f], Stretch(f, t, t - loads[f], deep))
            _wave(work, plan, units, trace, counts, Stretch(f, t, t - starts[f], deep))
        else:
            for f in range(oldest, newest):
                _wave(work, plan, units, trace, counts, Stretch(f, t, t - starts[f], 1))
            for f in range(oldest, newest):
                _load(work, units, counts, folds[f], Stretch(f, t, t - loads[f], 1))
        t += deep
        while oldest < newest and t >= ends[oldest]:
            oldest += 1
    counts[CYCLES] = t
    return counts


@compiled
def _alone(plan: Plan, loads: np.ndarray, ends: np.ndarray, f: int, t: int) -> int:
    """For how many cycles the only fold in the array stays so, at most `deep`."""
    over = min(plan.until, ends[f])
    if f + 1 < len(loads):
        over = min(over, loads[f + 1])
    return min(plan.deep, over - t)


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
def _load(work: Work, units: Units, counts: np.ndarray, fold: np.ndarray, now: Stretch) -> None:
    """Move the weights of a fold down, a column one cycle after the one before."""
    loading, coming = units.loading, units.coming
    since, deep, rows, cols = now.since, now.deep, fold[ROWS], fold[USED_COLS]
    if since >= rows + cols - 1:  # all are in their places
        return
    blank, hops, left = rows - fold[USED_ROWS], 0, max(0, since + deep - rows)
    for j in range(max(0, since - rows + 1), min(left, cols)):
        _arrive(work, units, counts, fold, now.f, j, rows - max(0, since - j))
    for i in range(min(rows - deep, since) - 1, -1, -1):
        until = min(cols, since - i)
        moved_down(loading, i, deep, left, until)
        moved_down(coming, i, deep, left, until)
        hops += deep * max(0, min(until, since - i - blank) - left)
    for j in range(left, min(cols, since + deep)):
        first = rows - since - deep + j
        for i in range(min(deep, since + deep - j)):
            coming[i, j] = -1
            if first + i < fold[USED_ROWS]:
                loading[i, j] = work.weight[fold[ROW] + first + i, fold[COL] + j]
                coming[i, j] = now.f
                counts[WEIGHT_READ] += 1
                hops += i
    counts[WEIGHT_HOP] += hops


@inlined
def _arrive(
    work: Work, units: Units, counts: np.ndarray, fold: np.ndarray, f: int, j: int, deep: int
) -> None:
    """The weights of a column move down to their places."""
    loading, coming, used = units.loading, units.coming, fold[USED_ROWS]
    for i in range(fold[ROWS] - 1, deep - 1, -1):
        loading[i, j], coming[i, j] = loading[i - deep, j], coming[i - deep, j]
        counts[WEIGHT_HOP] += deep if i < used else 0
    for i in range(deep):
        coming[i, j] = -1
        if i < used:
            loading[i, j], coming[i, j] = work.weight[fold[ROW] + i, fold[COL] + j], f
            counts[WEIGHT_READ] += 1
            counts[WEIGHT_HOP] += i


@inlined
def _wave(
    work: Work, plan: Plan, units: Units, trace: Trace, counts: np.ndarray, now: Stretch
) -> None:
    """Every sum moves down as many rows as cycles pass, and takes up a product in each."""
    fold, steps, width = plan.folds[now.f], plan.steps, units.psum.shape[1]
    rows, cols, low = fold[USED_ROWS], fold[USED_COLS], fold[ROWS]
    macs, entered, hops = 0, 0, 0
    for d in range(now.deep):
        _hand_over(units, counts, now.f, now.since + d, steps, fold)
    first = max(1 - now.deep, now.since - steps - cols + 2)
    for i in range(min(low - 1, now.since), first - 1, -1):  # above row i; if i < 0, to come
        left, right = window(now.since - i, steps, cols)
        top, end = max(i, 0), min(i + now.deep, low)
        taken, n = max(0, min(end, rows) - top), right - left
        word = (fold[ROW] + top) * work.x.shape[1] + steps - 1 - now.since + i
        _fall(work, units, top * width + left, word + left, n, end - top, taken)
        macs += n * taken
        entered += taken * (left == 0)
        hops += n * (end - top - (i <= 0))
        if end >= rows > top:
            trace.last_mac[fold[ACROSS], now.since - i] = now.t + rows - 1 - i
        if end == low:
            last = Stretch(now.f, now.t + low - 1 - i, now.since - i, 1)
            _leave(work, plan, units, trace, counts, last)
    counts[MACS] += macs
    counts[X_READ] += entered
    counts[X_HOP] += macs - entered
    counts[SUM_HOP] += hops


@inlined
def _fall(work: Work, units: Units, here: int, word: int, n: int, deep: int, taken: int) -> None:
    """Sums side by side move down, and add weights times words of x in the first rows."""
    psum, below, whole = units.psum, here + deep * units.psum.shape[1], n - n % LANES
    for c in range(0, whole, LANES):
        store_words(psum, below + c, _taken_up(work, units, here + c, word + c, taken))
    if whole < n:
        sums = _taken_up(work, units, here + whole, word + whole, taken)
        store_first(psum, below + whole, sums, n - whole)


@inlined
def _taken_up(work: Work, units: Units, here: int, word: int, taken: int) -> Lanes:
    """Sixteen sums, with a product in each row on their way."""
    sums = words(units.psum, here)
    for _ in range(taken):
        sums = sums + widened(work.x, word, sums) * widened(units.weight, here, sums)
        word, here = word + work.x.shape[1], here + units.weight.shape[1]
    return sums


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
    work: Work, plan: Plan, units: Units, trace: Trace, counts: np.ndarray, now: Stretch
) -> None:
    """Sums leave the last row and are added to what waits; a column lets out one a cycle."""
    fold, since = plan.folds[now.f], now.since
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
        counts[CLASHES] += units.port[j] == now.t
        units.port[j] = now.t
    if last:
        counts[Y_WRITE] += right - left
        trace.written[fold[ACROSS], since] = now.t
