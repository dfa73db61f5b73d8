"""The adder tree: several products of a row a cycle, and a circuit that adds what is left over.

An adder of floats takes many cycles, and can begin an addition in each. A loop that adds the next
word to the last sum would wait for that sum. Here words of the same row are added in pairs,
whichever two are there, so that one adder keeps up with a word a cycle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import FAST_DRAM, Dram
from efficientdl.systems.hardware.fpga_spmv.operands import check_matvec
from efficientdl.systems.hardware.gemm import wide
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.spgemm.rows import Rows, compress


@dataclass(frozen=True)
class AdderTree:
    """Multipliers, a tree of adders over them, and one adder behind it.

    Attributes:
        n_units: Multipliers: products of a row that are added at once.
        multiplier_cycles: From the operands of a multiplier to its product.
        adder_cycles: From the operands of an adder to its sum.
        value_bits: Width of a value.
        index_bits: Width of a column number, and of a row's start.
        dram: The memory outside.
    """

    n_units: int = 4
    multiplier_cycles: int = 11  # assumed
    adder_cycles: int = 14  # assumed
    value_bits: int = 64
    index_bits: int = 32
    dram: Dram = FAST_DRAM

    def __post_init__(self) -> None:
        for name in ("n_units", "multiplier_cycles", "adder_cycles"):
            _check.whole("AdderTree", name, getattr(self, name), 1)
        for name in ("value_bits", "index_bits"):
            _check.whole("AdderTree", name, getattr(self, name), 1, 64)
        _check.kind("AdderTree", "dram", self.dram, Dram)

    @property
    def depth(self) -> int:
        """Cycles from the operands to a sum that leaves the tree.

        >>> AdderTree(n_units=8, multiplier_cycles=3, adder_cycles=5).depth
        18
        """
        return self.multiplier_cycles + self.adder_cycles * (self.n_units - 1).bit_length()


TREE = AdderTree()


class Reduced(NamedTuple):
    """What the circuit behind the tree did.

    Attributes:
        sums: One for each row.
        cycles: Until the last of them was there.
        n_waiting: The most words that waited for a partner at the end of a cycle.
    """

    sums: Num[np.ndarray, " rows"]
    cycles: int
    n_waiting: int


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    weight = rng.integers(-8, 8, (size, 3 * size)) * (rng.random((size, 3 * size)) < 0.4)
    x = rng.integers(-8, 8, 3 * size)

    def call() -> tuple[object, Cost]:
        run = adder_tree(weight, x, machine=AdderTree(2, 2, 1 + size % 5))
        return run.y, run.cost()

    return call, weight @ x, -(-int((weight != 0).sum()) // 2)


@technique(
    "hw-fpga-spmv",
    paper="Zhuo, Prasanna, Sparse Matrix-Vector Multiplication on FPGAs, 2005",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def adder_tree(
    weight: Num[np.ndarray, "m k"], x: Num[np.ndarray, " k"], *, machine: AdderTree = TREE
) -> Run:
    """FPGA SpMV: multiply a sparse matrix by a vector in a tree of adders, `y = weight x`.

    Every cycle the tree takes up to `n_units` entries of one row, so a row of `z` entries enters in
    `ceil(z / n_units)` groups. A row that fits the tree leaves it as one sum, and then

        cycles = groups + depth

    A longer one leaves as several words, one a cycle, which `reduce_rows` adds. The tree never
    waits for it. The vector lies on the chip, where each multiplier reads its own copy.

    Args:
        weight: The matrix, zeros included; they are not touched.
        x: The vector.
        machine: The tree.

    Raises:
        BadValue: Shapes that do not fit, or an entry that is not finite.

    >>> weight = np.array([[1, 0, 2], [0, 0, 0], [3, 4, 5]])
    >>> run = adder_tree(weight, np.array([1, 2, 3]), machine=AdderTree(4, 1, 1))
    >>> run.y.tolist(), run.cycles  # two groups, and a depth of 1 + 2
    ([7, 0, 26], 5)

    Source: Zhuo, Prasanna, "Sparse Matrix-Vector Multiplication on FPGAs", FPGA 2005; survey
        section 6.2; lab 14. Beside it stand three more ideas for FPGAs: `Bvcsr`, `striped` and
        `index_matching`.
    """
    check_matvec("adder_tree", weight, x)
    _check.kind("adder_tree", "machine", machine, AdderTree)
    a = compress(weight)
    products = a.values * wide(x)[a.columns]
    n_groups = -(-a.lengths // machine.n_units)
    row = np.repeat(np.arange(a.n_rows), n_groups)
    place = np.arange(len(row)) - np.repeat(np.cumsum(n_groups) - n_groups, n_groups)
    first = a.starts[row] + place * machine.n_units
    groups = np.add.reduceat(products, first) if len(first) else products
    reduced = reduce_rows(groups, row, a.n_rows, adder_cycles=machine.adder_cycles)
    return _counted(machine, a, len(groups), reduced)


def reduce_rows(
    words: Num[np.ndarray, " n"], row: Int64[np.ndarray, " n"], n_rows: int, *, adder_cycles: int
) -> Reduced:
    """Add the words of each row with one pipelined adder; a word arrives every cycle.

    In a cycle a sum may leave the adder and a word may arrive; both join those that wait. Then two
    that belong to one row are added, of the oldest row that has two. So no more than
    `adder_cycles + 1` words ever wait: where no two belong together, each is of a row that still
    arrives, or that has a sum in the adder.

    Args:
        words: What arrives, row by row.
        row: Whose it is, never falling.
        n_rows: Rows; one without words has the sum 0.
        adder_cycles: Cycles of an addition.

    >>> reduced = reduce_rows(np.array([1, 2, 3, 4]), np.array([0, 0, 0, 2]), 3, adder_cycles=2)
    >>> reduced.sums.tolist(), reduced.cycles
    ([6, 0, 4], 6)

    Source: the task of Zhuo, Prasanna, FPGA 2005; the rule here is the simplest that keeps up.
    """
    _check.whole("reduce_rows", "adder_cycles", adder_cycles, 1)
    if len(row) != len(words) or (len(row) and (row[0] < 0 or row[-1] >= n_rows)):
        rule = f"must name a row in [0, {n_rows}) for each of {len(words)} words"
        _check.fail("reduce_rows", "row", rule, row.tolist())
    if (np.diff(row) < 0).any():
        _check.fail("reduce_rows", "row", "must never fall", row.tolist())
    sums = np.zeros(n_rows, words.dtype)
    left = np.bincount(row, minlength=n_rows)  # words that are still to become one
    cycles, n_waiting = _reduce(words, row, left, sums, adder_cycles)
    return Reduced(sums, int(cycles), int(n_waiting))


@compiled
def _reduce(
    words: np.ndarray, row: np.ndarray, left: np.ndarray, sums: np.ndarray, adder_cycles: int
) -> tuple[int, int]:
    """Cycle by cycle. Waiting words stand in order of their rows, those of a row side by side."""
    waits, whose = np.zeros(adder_cycles + 4, words.dtype), np.zeros(adder_cycles + 4, np.int64)
    adder, inside = np.zeros(adder_cycles, words.dtype), np.full(adder_cycles, -1)
    n = t = most = 0
    unfinished = (left > 0).sum()
    while unfinished:
        stage = t % adder_cycles  # where a sum leaves, and the next one enters
        if inside[stage] >= 0:
            n = _join(waits, whose, n, adder[stage], inside[stage])
            inside[stage] = -1
        if t < len(words):
            n = _join(waits, whose, n, words[t], row[t])
        for i in range(n - 1):
            if whose[i] == whose[i + 1]:
                adder[stage], inside[stage] = waits[i] + waits[i + 1], whose[i]
                left[whose[i]] -= 1
                n = _drop(waits, whose, n, i, 2)
                break
        for i in range(n - 1, -1, -1):
            if left[whose[i]] == 1:  # all have arrived, and this is their sum
                sums[whose[i]] = waits[i]
                n, unfinished = _drop(waits, whose, n, i, 1), unfinished - 1
        most = max(most, n)
        t += 1
    return t, most


@compiled
def _join(waits: np.ndarray, whose: np.ndarray, n: int, word: float, row: int) -> int:
    """Put a word behind those of its row and of older ones."""
    i = n
    while i > 0 and whose[i - 1] > row:
        waits[i], whose[i] = waits[i - 1], whose[i - 1]
        i -= 1
    waits[i], whose[i] = word, row
    return n + 1


@compiled
def _drop(waits: np.ndarray, whose: np.ndarray, n: int, i: int, count: int) -> int:
    """Take words out of the line."""
    for j in range(i + count, n):
        waits[j - count], whose[j - count] = waits[j], whose[j]
    return n - count


def _counted(machine: AdderTree, a: Rows, n_groups: int, reduced: Reduced) -> Run:
    """Words, and cycles: those of the tree and the adder, or of the DRAM."""
    dram = {"weight": a.n_kept, "index": a.n_kept + a.n_rows + 1, "x": a.n_columns, "y": a.n_rows}
    bits = dict.fromkeys(("weight", "x", "y"), machine.value_bits) | {"index": machine.index_bits}
    busy = machine.depth + reduced.cycles if n_groups else 0
    through = ceil(sum(n * bits[name] for name, n in dram.items()) / machine.dram.bits_per_cycle)
    cycles = machine.dram.latency_cycles + max(busy, through)
    return Run(
        cycles=cycles,
        macs=a.n_kept,
        n_units=machine.n_units,
        accesses={"dram": dram, "buffer": {"x": a.n_columns + a.n_kept}},
        bits=bits,
        y=reduced.sums,
        formula=(
            f"cycles = {cycles:,}: {machine.depth} to the tree's root, {n_groups:,} groups,"
            f" {reduced.cycles - n_groups:,} more to add up; the DRAM takes {through:,}",
        ),
    )
