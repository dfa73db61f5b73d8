"""OuterSPACE: multiply every column by its row first, and add up later."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import FAST_DRAM, Dram
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.spgemm.merge import Partial, merge
from efficientdl.systems.hardware.spgemm.rows import Matrix, Rows, check_product, compress


@dataclass(frozen=True)
class OuterSpace:
    """Units that take the next piece of work when they are idle.

    Attributes:
        n_units: Units that multiply.
        merge_units: Units that merge, each a word in a cycle.
        value_bits: Width of a value.
        index_bits: Width of a column number, and of a pointer.
        dram: The memory outside.
    """

    n_units: int = 256  # 16 tiles of 16 units, as an open re-implementation has it
    merge_units: int = 128  # assumed
    value_bits: int = 64
    index_bits: int = 32  # assumed
    dram: Dram = FAST_DRAM

    def __post_init__(self) -> None:
        for name in ("n_units", "merge_units"):
            _check.whole("OuterSpace", name, getattr(self, name), 1)
        for name in ("value_bits", "index_bits"):
            _check.whole("OuterSpace", name, getattr(self, name), 1, 64)
        _check.kind("OuterSpace", "dram", self.dram, Dram)


OUTERSPACE = OuterSpace()


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    m, k, n = size, 2 * size + 1, size + 2
    x = rng.integers(-8, 8, (m, k)) * (rng.random((m, k)) < 0.4)
    weight = rng.integers(-8, 8, (k, n)) * (rng.random((k, n)) < 0.4)
    macs = int((x != 0).sum(axis=0) @ (weight != 0).sum(axis=1))

    def call() -> tuple[object, Cost]:
        run = outerspace(x, weight, machine=OuterSpace(n_units=4, merge_units=2))
        return run.y, run.cost()

    return call, x @ weight, -(-macs // 4)


@technique(
    "hw-outerspace",
    paper="Pal et al., OuterSPACE: An Outer Product Based Sparse Matrix Multiplication "
    "Accelerator, 2018",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def outerspace(
    x: Num[np.ndarray, "m k"], weight: Num[np.ndarray, "k n"], *, machine: OuterSpace = OUTERSPACE
) -> Run:
    """OuterSPACE: multiply sparse matrices by outer products, and merge them afterwards.

    Column `k` of x meets row `k` of weight, for every k. An inner product compares the indices of a
    row with those of a column, mostly in vain. Here every pair of entries that is read together is
    multiplied, and every entry is read once. The price is paid in between: each of the
    `P = sum_k nnz(x[:, k]) nnz(weight[k, :])` products is written to DRAM, in a list of its row,
    and read again when the lists of a row are merged.

    In the first phase a unit takes an entry of x and multiplies it by a row, one product a cycle;
    in the second a unit takes a row of the output and merges its lists, one word a cycle. A phase
    lasts as long as its units work, or as its words need through the DRAM, whichever is longer.

    Args:
        x: The left matrix, zeros included; they are not touched.
        weight: The right one.
        machine: The units and the memory.

    Raises:
        BadValue: Shapes that do not fit, or an entry that is not finite.

    >>> run = outerspace(np.array([[0, 2], [1, 3]]), np.array([[5, 0], [7, 0]]))
    >>> run.y.tolist(), run.accesses["dram"]["psum"]
    ([[14, 0], [26, 0]], 6)

    Source: Pal et al., "OuterSPACE: An Outer Product Based Sparse Matrix Multiplication
        Accelerator", HPCA 2018; survey section 6.2; lab 14. The cycles are those of the machine
        described here, not of the paper's simulator, which has caches and a network.
    """
    check_product("outerspace", x, weight)
    _check.kind("outerspace", "machine", machine, OuterSpace)
    a, b = compress(x), compress(weight)
    lists = _multiply(a, b)
    rows = [merge(lists[p:q]).sum for p, q in zip(a.starts, a.starts[1:], strict=False) if p < q]
    y = np.zeros((a.n_rows, b.n_columns), np.result_type(a.values, b.values))
    for i, row in zip(np.flatnonzero(a.lengths), rows, strict=True):
        y[i, row.places] = row.values
    return _counted(machine, a, b, sum(len(row.places) for row in rows), y)


def _multiply(a: Rows, b: Rows) -> list[Partial]:
    """The list of products of each entry of the left matrix."""
    first, last = b.starts[a.columns], b.starts[a.columns + 1]
    rows = zip(a.values, first, last, strict=True)
    return [Partial(b.columns[p:q], value * b.values[p:q]) for value, p, q in rows]


def _counted(machine: OuterSpace, a: Rows, b: Rows, n_y: int, y: Matrix) -> Run:
    """Words by formula, cycles by handing out the work."""
    products = b.lengths[a.columns]  # of each entry of x
    by_row = np.bincount(a.rows, products, a.n_rows).astype(np.int64)
    n_products, n_lists = int(products.sum()), int((products > 0).sum())
    met = np.unique(a.columns)
    width = machine.value_bits + machine.index_bits
    bits = {"x": width, "weight": width, "psum": width, "y": width, "pointer": machine.index_bits}
    read = {"x": a.n_kept, "weight": int(b.lengths[met].sum()), "pointer": 2 * (b.n_rows + 1)}
    waits = {"psum": n_products, "pointer": n_lists}
    written = {"y": n_y, "pointer": a.n_rows + 1}
    in_columns = np.argsort(a.columns, kind="stable")  # the order in which x is read
    phases = [
        _phase(machine, products[in_columns], machine.n_units, [read, waits], bits),
        _phase(machine, by_row, machine.merge_units, [waits, written], bits),
    ]
    total = {
        name: sum(part.get(name, 0) for part in (read, waits, waits, written)) for name in bits
    }
    return Run(
        cycles=sum(phases),
        macs=n_products,
        n_units=machine.n_units,
        accesses={"dram": total},
        bits=bits,
        y=y,
        formula=(
            f"cycles = {sum(phases):,}: {phases[0]:,} to multiply, {phases[1]:,} to merge",
            f"psum = 2 x {n_products:,} products, written and read; {n_y:,} sums left",
        ),
    )


def _phase(
    machine: OuterSpace,
    work: Int64[np.ndarray, " n"],
    n_units: int,
    moved: Sequence[dict[str, int]],
    bits: dict[str, int],
) -> int:
    """Cycles of a phase: its units, or its DRAM."""
    n_bits = sum(words * bits[name] for part in moved for name, words in part.items())
    through = ceil(n_bits / machine.dram.bits_per_cycle)
    return machine.dram.latency_cycles + max(int(_makespan(work[work > 0], n_units)), through)


@compiled
def _makespan(work: np.ndarray, n_units: int) -> int:
    """When the last piece is done, each taken in turn by the unit that is idle first."""
    free = [0] * n_units
    for cycles in work:
        heapq.heapreplace(free, free[0] + cycles)
    return max(free)
