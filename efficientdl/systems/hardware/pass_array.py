"""Passes on one output-stationary array, cycle by cycle: each is a product that fits it.

Word k of row i of x and of column j of w meet in unit (i, j) in cycle k + i + j after the start of
their pass. A finished sum steps aside into a second register; when that of a column's last row is
finished, the column drains, a sum each cycle. So the next pass may start when the last word of the
one before is in, if its own sums come no sooner than those of the one before have moved on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from efficientdl.kernels.compiled import compiled

Matrix = Int64[np.ndarray, "a b"]
Results = Mapping[str, Matrix]


def same(y: Matrix) -> Matrix:
    """A result as it is."""
    return y


class Pass(NamedTuple):
    """One piece of work for the array.

    Attributes:
        name: Of the result.
        steps: Words that are summed.
        cols: Columns that it uses.
        operands: Its two matrices, from the results so far.
        needs: Results that must be there.
        finish: What is done with the sums on their way out.
        finish_cycles: How long that takes.
    """

    name: str
    steps: int
    cols: int
    operands: Callable[[Results], tuple[Matrix, Matrix]]
    needs: tuple[str, ...] = ()
    finish: Callable[[Matrix], Matrix] = same
    finish_cycles: int = 0


class Ran(NamedTuple):
    """What the array did.

    Attributes:
        results: By the names of the passes.
        starts: When each pass began.
        cycles: Until the last sum was out.
        macs: Multiply-accumulates done.
        clashes: Sums that met in one register: none.
    """

    results: Results
    starts: tuple[int, ...]
    cycles: int
    macs: int
    clashes: int


class _Units(NamedTuple):
    """The registers, and where the sums go.

    `owner` is the pass of a finished sum, -1 where there is none; `left` counts what has left a
    column, and `counts` MACs and clashes.
    """

    psum: Matrix
    done: Matrix
    owner: Matrix
    y: Int64[np.ndarray, "passes rows cols"]
    left: Int64[np.ndarray, "passes cols"]
    counts: Int64[np.ndarray, " two"]


def run_passes(passes: Sequence[Pass], rows: int, cols: int, *, hurry: int = 0) -> Ran:
    """Run the passes in order, each as soon as it may.

    Args:
        passes: The work; every operand has `rows` rows, or columns that fit `cols`.
        rows: Rows that the passes use.
        cols: Columns of the array.
        hurry: Cycles by which passes start too early, to see sums meet: then the run ends.

    >>> one = np.ones((2, 3), np.int64)
    >>> ran = run_passes([Pass("y", 3, 2, lambda _: (one, one.T))], 2, 2)
    >>> ran.results["y"].tolist(), ran.cycles  # 3 words, 2 + 2 - 2 to spread, 2 rows, 2 to drain
    ([[3, 3], [3, 3]], 7)
    """
    psum, done, owner = (np.full((rows, cols), empty) for empty in (0, 0, -1))
    left, sums = np.zeros((len(passes), cols), np.int64), np.zeros((len(passes), rows, cols), int)
    units = _Units(psum, done, owner, sums, left, np.zeros(2, np.int64))
    results: dict[str, Matrix] = {}
    ready: dict[str, int] = {}
    starts: list[int] = []
    running: dict[int, tuple[Matrix, Matrix]] = {}
    t = 0
    while len(results) < len(passes) and not units.counts[1]:
        _drain(units)
        for i in [i for i in running if left[i].sum() == rows * passes[i].cols]:
            del running[i]
            name = passes[i].name
            results[name] = passes[i].finish(sums[i, :, : passes[i].cols])
            ready[name] = t + 1 + passes[i].finish_cycles
        following = len(starts)
        if following < len(passes) and t >= _may_start(passes, starts, ready, rows) - hurry:
            x, weight = passes[following].operands(results)
            wide = np.int64
            running[following] = np.ascontiguousarray(x, wide), np.ascontiguousarray(weight, wide)
            starts.append(t)
        for i, (x, weight) in running.items():
            _multiply(units, x, weight, t - starts[i], i)
        t += 1
    macs, clashes = (int(n) for n in units.counts)
    return Ran(results, tuple(starts), t, macs, clashes)


def _may_start(
    passes: Sequence[Pass], starts: Sequence[int], ready: Mapping[str, int], rows: int
) -> float:
    """The first cycle in which the next pass may start; inf where that is not known yet."""
    following = passes[len(starts)]
    times = [ready.get(name, float("inf")) for name in following.needs]
    if starts:
        fed = starts[-1] + passes[len(starts) - 1].steps
        times += [fed, fed + rows - following.steps]
    return max(times, default=0)


@compiled
def _multiply(units: _Units, x: np.ndarray, weight: np.ndarray, since: int, i: int) -> None:
    """One cycle of a pass: every unit that two words meet in adds their product."""
    steps, cols = weight.shape
    for row in range(len(x)):
        for col in range(max(0, since - row - steps + 1), min(cols, since - row + 1)):
            k = since - row - col
            before = units.psum[row, col] if k else 0
            units.psum[row, col] = before + x[row, k] * weight[k, col]
            units.counts[0] += 1
            if k == steps - 1:
                units.counts[1] += units.owner[row, col] != -1
                units.done[row, col], units.owner[row, col] = units.psum[row, col], i


@compiled
def _drain(units: _Units) -> None:
    """One cycle of every column whose last row is finished: its sums move down, one leaves."""
    rows, cols = units.owner.shape
    for col in range(cols):
        i = units.owner[rows - 1, col]
        if i == -1:
            continue
        units.y[i, rows - 1 - units.left[i, col], col] = units.done[rows - 1, col]
        units.left[i, col] += 1
        units.owner[rows - 1, col] = -1
        for row in range(rows - 2, -1, -1):
            if units.owner[row, col] == i:
                units.done[row + 1, col], units.owner[row + 1, col] = units.done[row, col], i
                units.owner[row, col] = -1
