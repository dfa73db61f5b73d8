"""Decoupled index matching: comparators run ahead, and only matches reach the arithmetic.

The product of two sparse vectors needs the indices that both have. Most comparisons find none, and
a comparator of indices is small beside a multiplier of floats. So the two are separated: several
comparators, each with a queue, feed one unit for MACs.
"""

from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.arch import FAST_DRAM, Dram
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.spgemm.rows import Rows, check_product, compress


@dataclass(frozen=True)
class IndexMatcher:
    """Comparators before one unit for MACs.

    Attributes:
        n_comparators: Pairs of lists that are compared at the same time.
        depth: Matches that the queue of a comparator holds. With 0 comparing and computing are
            one: a comparator that has found a match waits until its MAC is done.
        mac_cycles: Cycles of a MAC, in which the unit takes no other.
        value_bits: Width of a value.
        index_bits: Width of an index.
        dram: The memory outside.
    """

    n_comparators: int = 4
    depth: int = 8
    mac_cycles: int = 1
    value_bits: int = 64
    index_bits: int = 16  # Computing and Informatics 2015: indices of 16 bits
    dram: Dram = FAST_DRAM

    def __post_init__(self) -> None:
        for name, least in {"n_comparators": 1, "depth": 0, "mac_cycles": 1}.items():
            _check.whole("IndexMatcher", name, getattr(self, name), least)
        for name in ("value_bits", "index_bits"):
            _check.whole("IndexMatcher", name, getattr(self, name), 1, 64)
        _check.kind("IndexMatcher", "dram", self.dram, Dram)


MATCHER = IndexMatcher()


class Lists(NamedTuple):
    """The indices of each row of x and column of weight, and the pairs of them to be joined."""

    x_starts: Int64[np.ndarray, " rows+1"]
    x_index: Int64[np.ndarray, " x"]
    weight_starts: Int64[np.ndarray, " columns+1"]
    weight_index: Int64[np.ndarray, " weight"]
    row: Int64[np.ndarray, " pairs"]
    column: Int64[np.ndarray, " pairs"]


class Comparators(NamedTuple):
    """The state of the comparators and their queues.

    Attributes:
        pair: What each is at work on; -1 where there is nothing left to do.
        x: The entry of x at the head of its list.
        weight: The entry of weight.
        held: Until when it waits for its MAC.
        queue: Matches, each with its pair, entry of x and entry of weight.
        first: Where its queue begins.
        waiting: How many matches stand in it.
        done: Matches in the order of their MACs.
    """

    pair: Int64[np.ndarray, " c"]
    x: Int64[np.ndarray, " c"]
    weight: Int64[np.ndarray, " c"]
    held: Int64[np.ndarray, " c"]
    queue: Int64[np.ndarray, "c depth 3"]
    first: Int64[np.ndarray, " c"]
    waiting: Int64[np.ndarray, " c"]
    done: Int64[np.ndarray, "macs 3"]


# Places in the list of counts.
CYCLES, COMPARED, MATCHED, LOOKED_AT, GIVEN, TURN, FREE, DONE = range(8)


def index_matching(
    x: Num[np.ndarray, "m k"], weight: Num[np.ndarray, "k n"], *, machine: IndexMatcher = MATCHER
) -> Run:
    """Multiply sparse matrices by inner products: join each row of x with each column of weight.

    A comparator looks at the heads of two lists, a comparison a cycle. The smaller head is
    dropped; of equal ones the pair goes to the queue. When a list is empty, the comparator takes
    the next pair of lists. The unit for MACs takes from the queues in turn.

    With one comparator and `depth=0`, cycles = comparisons + matches x `mac_cycles`. With queues
    they approach the larger of both; with more comparators the comparisons are shared, until the
    arithmetic is what limits. A value is read only when its index has matched.

    Args:
        x: The left matrix, zeros included; they are not touched.
        weight: The right one.
        machine: Comparators, queues and the unit.

    Raises:
        BadValue: Shapes that do not fit, or an entry that is not finite.

    >>> x, weight = np.array([[0, 2, 3, 0]]), np.array([[1], [4], [0], [5]])
    >>> run = index_matching(x, weight, machine=IndexMatcher(1, depth=0, mac_cycles=3))
    >>> run.y.tolist(), run.cycles  # compared: 1 with 0, 1 with 1, 2 with 3
    ([[8]], 6)

    Source: Jamro, Pabiś, Russek, Wiatr, "The Algorithms for FPGA Implementation of Sparse Matrices
        Multiplication", 2015; survey section 6.2; lab 14.
    """
    check_product("index_matching", x, weight)
    _check.kind("index_matching", "machine", machine, IndexMatcher)
    a, b = compress(x), compress(weight.T)
    row, column = map(np.ascontiguousarray, np.outer(a.lengths, b.lengths).nonzero())
    n, room = machine.n_comparators, max(machine.depth, 1)
    most = int((x != 0).sum(axis=0) @ (weight != 0).sum(axis=1))
    pair, head_x, head_weight, held, first, waiting = np.zeros((6, n), np.int64)
    queue, done = np.zeros((n, room, 3), np.int64), np.zeros((most, 3), np.int64)
    state = Comparators(pair, head_x, head_weight, held, queue, first, waiting, done)
    counts = np.zeros(8, np.int64)
    lists = Lists(a.starts, a.columns, b.starts, b.columns, row, column)
    _run(lists, state, counts, machine.depth == 0, machine.mac_cycles)
    y = np.zeros((a.n_rows, b.n_rows), np.result_type(a.values, b.values))
    pair, p, q = done[: counts[DONE]].T
    np.add.at(y, (row[pair], column[pair]), a.values[p] * b.values[q])
    return _counted(machine, a, b, counts, y)


@compiled
def _run(
    lists: Lists, state: Comparators, counts: np.ndarray, coupled: bool, mac_cycles: int
) -> None:
    """Cycle by cycle, until all is compared and computed."""
    for c in range(len(state.pair)):
        _take(lists, state, counts, c)
    while (state.pair >= 0).any() or state.waiting.any() or counts[CYCLES] < counts[FREE]:
        t = counts[CYCLES]
        if t >= counts[FREE]:
            _compute(state, counts, mac_cycles)
        for c in range(len(state.pair)):
            stopped = coupled and (state.waiting[c] > 0 or t < state.held[c])
            if state.pair[c] >= 0 and not stopped:
                _compare(lists, state, counts, c)
        counts[CYCLES] += 1


@compiled
def _compute(state: Comparators, counts: np.ndarray, mac_cycles: int) -> None:
    """The unit takes a match from the next queue that has one."""
    for step in range(len(state.pair)):
        c = (counts[TURN] + step) % len(state.pair)
        if state.waiting[c]:
            state.done[counts[DONE]] = state.queue[c, state.first[c]]
            state.first[c] = (state.first[c] + 1) % state.queue.shape[1]
            state.waiting[c] -= 1
            counts[FREE] = state.held[c] = counts[CYCLES] + mac_cycles
            counts[TURN] = c + 1
            counts[DONE] += 1
            return


@compiled
def _compare(lists: Lists, state: Comparators, counts: np.ndarray, c: int) -> None:
    """One comparison, unless it is a match for which there is no room."""
    p, q, room = state.x[c], state.weight[c], state.queue.shape[1]
    i, j = lists.x_index[p], lists.weight_index[q]
    if i == j and state.waiting[c] == room:
        return
    if i == j:
        slot = state.queue[c, (state.first[c] + state.waiting[c]) % room]
        slot[0], slot[1], slot[2] = state.pair[c], p, q
        state.waiting[c] += 1
        counts[MATCHED] += 1
    counts[COMPARED] += 1
    counts[LOOKED_AT] += 1 + (i == j)
    state.x[c], state.weight[c] = p + (i <= j), q + (j <= i)
    row, column = lists.row[state.pair[c]], lists.column[state.pair[c]]
    x_ended = state.x[c] == lists.x_starts[row + 1]
    if x_ended or state.weight[c] == lists.weight_starts[column + 1]:
        _take(lists, state, counts, c)


@compiled
def _take(lists: Lists, state: Comparators, counts: np.ndarray, c: int) -> None:
    """Give a comparator the next pair of lists, if there is one."""
    given = counts[GIVEN]
    state.pair[c] = -1
    if given < len(lists.row):
        state.pair[c] = given
        state.x[c] = lists.x_starts[lists.row[given]]
        state.weight[c] = lists.weight_starts[lists.column[given]]
        counts[GIVEN] += 1


def _counted(
    machine: IndexMatcher,
    a: Rows,
    b: Rows,
    counts: Int64[np.ndarray, " 8"],
    y: Num[np.ndarray, "m n"],
) -> Run:
    """Words, and cycles: those of the comparators and the unit, or of the DRAM."""
    busy, compared, matched, looked_at = (int(n) for n in counts[:GIVEN])
    n_starts = a.n_rows + b.n_rows + 2
    dram = {"x": a.n_kept, "weight": b.n_kept, "index": a.n_kept + b.n_kept + n_starts}
    dram |= {"y": y.size}
    bits = dict.fromkeys(("x", "weight", "y"), machine.value_bits) | {"index": machine.index_bits}
    through = ceil(sum(n * bits[name] for name, n in dram.items()) / machine.dram.bits_per_cycle)
    cycles = machine.dram.latency_cycles + max(busy, through)
    read = {"index": looked_at, "x": matched, "weight": matched}
    return Run(
        cycles=cycles,
        macs=matched,
        n_units=1,
        accesses={"dram": dram, "buffer": read},
        bits=bits,
        y=y,
        formula=(
            f"cycles = {cycles:,}: {compared:,} comparisons by {machine.n_comparators},"
            f" {matched:,} matches of {machine.mac_cycles} cycles;"
            f" the DRAM takes {through:,}",
        ),
    )
