"""Units behind queues, which all get the same columns but have unequal work: when each is done."""

import numpy as np
from jaxtyping import Int64

from efficientdl import _check

Work = Int64[np.ndarray, "units columns"]


def queue_cycles(work: Work, *, depth: int) -> int:
    """Cycles of units that work through broadcast columns, by formula.

    Column `j` is sent in cycle `b_j = max(b_(j-1) + 1, max_u f_u(j - depth))`: one a cycle, as
    soon as all queues have room. Unit `u` has done it at `f_u(j) = max(f_u(j-1), b_j + 1) + s_u(j)`
    with `s = max(work, 1)`, for an empty column is taken from the queue too. Two ends of this:

    - depth 1: the slowest unit sets the pace of every column, `sum_j (1 + max_u s_u(j))`;
    - no limit: the units only wait for the broadcast, `1 + max_(u,j) (j + sum_(i >= j) s_u(i))`.

    Args:
        work: Entries of each column that is sent, in each unit.
        depth: Activations that a queue holds, 1 or more.

    >>> work = np.array([[1, 1, 1, 5, 5, 5], [5, 5, 5, 1, 1, 1]])  # one unit first, then the other
    >>> [queue_cycles(work, depth=depth) for depth in (1, 2, 3, 4)]
    [36, 27, 22, 19]

    Source: Han et al., "EIE", ISCA 2016; survey section 6.2; lab 14.
    """
    _check_work("queue_cycles", work, depth)
    _, done = _times(work, depth)
    return int(done.max(initial=0))


def queue_lengths(work: Work, *, depth: int) -> Int64[np.ndarray, "cycles units"]:
    """How many activations each queue holds at the start of each cycle, the one in work included.

    Where it is 0 the unit waits: a bubble. Where any is `depth`, nothing is sent.

    Args:
        work: Entries of each column that is sent, in each unit.
        depth: Activations that a queue holds, 1 or more.

    >>> queue_lengths(np.array([[1, 1, 1], [3, 1, 1]]), depth=2).tolist()
    [[0, 0], [1, 1], [1, 2], [0, 2], [0, 1], [1, 1]]

    Source: Han et al., "EIE", ISCA 2016; survey section 6.2; lab 14.
    """
    _check_work("queue_lengths", work, depth)
    sent, done = _times(work, depth)
    cycles = np.arange(done.max(initial=0))
    entered = np.searchsorted(sent, cycles, side="left")  # sent in an earlier cycle
    left = [np.searchsorted(unit, cycles, side="right") for unit in done.T]
    return entered[:, None] - np.stack(left, axis=1)


def _times(
    work: Work, depth: int
) -> tuple[Int64[np.ndarray, " columns"], Int64[np.ndarray, "columns units"]]:
    """When each column is sent, and how many cycles have passed when each unit has done it."""
    n_units, n_columns = work.shape
    sent, done = np.zeros(n_columns, np.int64), np.zeros((n_columns, n_units), np.int64)
    for j in range(n_columns):
        after = sent[j - 1] + 1 if j else 0
        sent[j] = max(after, done[j - depth].max()) if j >= depth else after
        free = done[j - 1] if j else 0
        done[j] = np.maximum(free, sent[j] + 1) + np.maximum(work[:, j], 1)
    return sent, done


def _check_work(caller: str, work: Work, depth: int) -> None:
    _check.whole(caller, "depth", depth, 1)
    if work.ndim != 2 or not len(work) or work.min(initial=0) < 0:
        _check.fail(caller, "work", "must be counts, units by columns", work.tolist())
