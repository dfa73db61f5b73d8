"""SpAtten's top-k engine: quick-select on a row of comparators, between two queues.

A round takes a pivot at random and streams all that is left past the comparators, so many words a
cycle. What is less goes into one queue, what is greater into the other; only the one that holds
the k-th largest is streamed again. A *zero eliminator* closes the gaps in each row before it is
queued. A last pass over the input keeps what is above the k-th largest, in the order that it had.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, Num

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.gemm import check_finite
from efficientdl.systems.hardware.run import Run

LANES = 16  # words compared in a cycle, as in the latency model released with the paper
ROUND_CYCLES = 3  # comparators, zero eliminator and queue of each round: the same model's
KTH, TIES, ROUNDS, PUSHED = range(4)


class Selected(NamedTuple):
    """What the engine found.

    Attributes:
        at: Places of the k largest, ascending; of equal ones the first.
        rounds: How many words each round streamed.
        cycles: Clock cycles.
        words: Words written to or read from the queues.
    """

    at: Int64[np.ndarray, " k"]
    rounds: tuple[int, ...]
    cycles: int
    words: int


def select(
    x: Float64[np.ndarray, " n"], k: int, *, lanes: int, generator: np.random.Generator
) -> Selected:
    """Find the k largest; the engine without its checks.

    cycles = fill + sum over rounds of (ceil(n_round / lanes) + 3) + last pass,
    with ceil(n / lanes) cycles for the fill and for the last pass. With k = n no round is needed.

    Args:
        x: What is ranked.
        k: How many are wanted, 1 to n.
        lanes: Words compared in a cycle.
        generator: For the pivots.
    """
    rounds, pushed = np.zeros(len(x), np.int64), len(x)
    at = np.arange(len(x))
    if k < len(x):
        found = np.zeros(4)
        _quick_select(x, k, lanes, generator.random(len(x)), rounds, found)
        equal = x == found[KTH]
        at = at[(x > found[KTH]) | (equal & (np.cumsum(equal) <= found[TIES]))]
        rounds, pushed = rounds[: int(found[ROUNDS])], pushed + int(found[PUSHED])
    cycles = 2 * -(-len(x) // lanes) + int((-(-rounds // lanes) + ROUND_CYCLES)[rounds > 0].sum())
    sizes = tuple(int(n) for n in rounds[rounds > 0])
    return Selected(at, sizes, cycles, pushed + sum(sizes) + len(x))


@compiled
def _quick_select(
    x: np.ndarray, k: int, lanes: int, draws: np.ndarray, rounds: np.ndarray, found: np.ndarray
) -> None:
    """Rounds until the pivot is the k-th largest: its value, how many ties are kept, counts."""
    queue, less, greater, n = x.copy(), x.copy(), x.copy(), len(x)
    while n:
        turn = int(found[ROUNDS])
        rounds[turn], pivot = n, queue[int(draws[turn] * n)]
        n_less = _stream(queue, n, lanes, pivot, -1.0, less)
        n_greater = _stream(queue, n, lanes, pivot, 1.0, greater)
        found[ROUNDS] += 1
        found[PUSHED] += n_less + n_greater
        found[KTH], found[TIES] = pivot, k - n_greater
        n_equal = n - n_less - n_greater
        if k <= n_greater:
            queue, greater, n = greater, queue, n_greater
        elif k <= n_greater + n_equal:
            return
        else:
            queue, less, n, k = less, queue, n_less, k - n_greater - n_equal


@compiled
def _stream(
    queue: np.ndarray, n: int, lanes: int, pivot: float, sign: float, into: np.ndarray
) -> int:
    """Queue what is above the pivot, or below it at sign -1, row by row; gives how many.

    Both directions go on at once in the machine: a round streams its words one time.
    """
    length = 0
    row, keep, zeros = np.zeros(lanes), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    for start in range(0, n, lanes):
        width = min(lanes, n - start)
        for i in range(width):
            row[i] = queue[start + i]
            keep[i] = sign * row[i] > sign * pivot
        kept = _close_gaps(row, keep, zeros, width)
        for i in range(kept):
            into[length + i] = row[i]
        length += kept
    return length


@compiled
def _close_gaps(row: np.ndarray, keep: np.ndarray, zeros: np.ndarray, width: int) -> int:
    """Stage b moves a word 2^b places to the front, where bit b of its zeros before it is set."""
    count = 0
    for i in range(width):
        count += 1 - keep[i]
        zeros[i] = count
    step = 1
    while step < width:
        for i in range(step, width):
            if keep[i] and zeros[i] & step:  # no two words meet: between them lie the zeros
                row[i - step], zeros[i - step], keep[i - step] = row[i], zeros[i], 1
                keep[i] = 0
        step *= 2
    return width - count


def zero_eliminator(
    row: Num[np.ndarray, " lanes"], keep: Bool[np.ndarray, " lanes"]
) -> Num[np.ndarray, " kept"]:
    """The words of a row that are kept, moved together in log2(lanes) stages of shifts.

    >>> zero_eliminator(np.array([7, 0, 0, 5, 0, 3]), np.array([1, 0, 0, 1, 0, 1]) > 0).tolist()
    [7, 5, 3]
    """
    _check.kind("zero_eliminator", "row", row, np.ndarray)
    _check.kind("zero_eliminator", "keep", keep, np.ndarray)
    if row.ndim != 1 or keep.shape != row.shape:
        _check.fail(
            "zero_eliminator", "keep", f"must have the shape of row, {row.shape}", keep.shape
        )
    words, kept = row.astype(np.float64), keep.astype(np.int64)
    n = _close_gaps(words, kept, np.zeros(len(row), np.int64), len(row))
    return words[:n].astype(row.dtype)


def top_k_engine(x: Num[np.ndarray, " n"], k: int, *, lanes: int = LANES, seed: int) -> Run:
    """Find the k largest: their places, ascending; of equal ones the first.

    cycles = 2 ceil(n / lanes) + sum over rounds of (ceil(n_round / lanes) + 3): to fill the queue,
    to stream what is left in each round, and to pass over the input once more. About 2 to 3.4 n
    words are streamed, by where k lies, however large n is; sorting would need n log n.

    Args:
        x: What is ranked.
        k: How many are wanted, 1 to n.
        lanes: Words compared in a cycle.
        seed: Of the pivots.

    >>> run = top_k_engine(np.array([3, 9, 4, 9, 1]), 2, seed=0)
    >>> run.y.tolist()
    [1, 3]
    >>> top_k_engine(np.arange(5), 5, seed=0).cycles  # all are wanted: no round
    2

    Source: Wang, Zhang, Han, "SpAtten", HPCA 2021, and the latency model released with it; survey
        section 6.2; lab 14.
    """
    _check.kind("top_k_engine", "x", x, np.ndarray)
    if x.ndim != 1 or not len(x):
        _check.fail("top_k_engine", "x", "must be a row of at least one number", x.shape)
    check_finite("top_k_engine", "x", x)
    _check.whole("top_k_engine", "k", k, 1, len(x))
    _check.whole("top_k_engine", "lanes", lanes, 1)
    generator = np.random.default_rng(seed)
    found = select(x.astype(np.float64), k, lanes=lanes, generator=generator)
    streamed = " + ".join(map(str, found.rounds)) or "none"
    return Run(
        cycles=found.cycles,
        macs=0,
        n_units=lanes,
        accesses={"buffer": {"x": found.words}},
        y=found.at,
        formula=(
            f"cycles = {found.cycles}: words of the rounds {streamed}, {lanes} a cycle, and "
            f"{ROUND_CYCLES} a round; {len(x)} in and {len(x)} out",
        ),
    )
