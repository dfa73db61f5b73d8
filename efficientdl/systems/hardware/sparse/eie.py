"""EIE: a product of a sparse matrix and a sparse vector, by units that wait for one another.

A central unit finds the activations that are not zero and sends each, one a cycle, to the queues of
all units. A unit works on the head of its queue: it walks down its own compressed column of that
activation, one entry a cycle. Columns are not equally full in all units, so the queues fill at
different speeds; the first one that is full stops the broadcast for all. A deeper queue evens out
more columns: that is what the depth buys.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Gemm, wide
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.sparse.interleaved import POINTER_BITS, InterleavedColumns

Vector = Num[np.ndarray, " k"]


@dataclass(frozen=True)
class Eie:
    """The machine, as it was built.

    Attributes:
        n_units: Processing elements.
        depth: Activations that a unit's queue holds, the one in work among them.
        index_bits: Width of a jump within a column.
        weight_bits: Width of a code of the table of shared weights.
        clock_mhz: Cycles in a microsecond.
    """

    n_units: int = 64  # ISCA 2016: 64 PEs
    depth: int = 8  # ISCA 2016, beside Figure 8: hardly any gain beyond
    index_bits: int = 4  # ISCA 2016, section III
    weight_bits: int = 4  # ISCA 2016, section III
    clock_mhz: float = 800  # ISCA 2016, Table IV

    def __post_init__(self) -> None:
        _check.whole("Eie", "n_units", self.n_units, 1)
        _check.whole("Eie", "depth", self.depth, 1)
        _check.whole("Eie", "index_bits", self.index_bits, 1, 16)
        _check.whole("Eie", "weight_bits", self.weight_bits, 1, 16)
        if not 0 < _check.number("Eie", "clock_mhz", self.clock_mhz) < float("inf"):
            _check.fail("Eie", "clock_mhz", "must be positive and finite", self.clock_mhz)

    def compress(self, weight: Num[np.ndarray, "k n"]) -> InterleavedColumns:
        """A matrix as this machine keeps it."""
        return InterleavedColumns.from_dense(
            weight,
            n_units=self.n_units,
            index_bits=self.index_bits,
            weight_bits=self.weight_bits,
        )


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    gemm, machine = Gemm(2, 3 * size, 5 * size), Eie(n_units=3, depth=1 + size % 4, index_bits=1)
    x = rng.integers(-9, 10, gemm.x_shape) * (rng.random(gemm.x_shape) < 0.4)
    weight = rng.integers(-7, 8, gemm.weight_shape) * (rng.random(gemm.weight_shape) < 0.3)

    def call() -> tuple[object, Cost]:
        run = simulate_eie(gemm, machine, x, weight)
        return run.y, run.cost()

    useful = (x != 0).astype(int) @ (weight != 0).astype(int)
    return call, x @ weight, -(-int(useful.sum()) // 3)


@technique(
    "hw-eie",
    paper="Han, Liu, Mao, Pu, Pedram, Horowitz, Dally, EIE: Efficient Inference Engine on "
    "Compressed Deep Neural Network, 2016",
    survey="6.2, Fig. 14",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_eie(
    layer: Gemm, machine: Eie, x: Num[np.ndarray, "*x"], weight: Num[np.ndarray, "*weight"]
) -> Run:
    """Multiply sparse vectors by a sparse matrix on EIE, cycle by cycle.

    Each row of x is a product of its own, one after the other. The run's utilisation is the paper's
    load balance: the share of unit cycles that are not bubbles. A padding zero is work like any
    other entry, and counted as a MAC. All stays on the chip; loading it is not counted, nor is
    looking for the next activation, which is ahead of the broadcast.

    Args:
        layer: The product; groups run in turn.
        machine: Units, queues and widths.
        x: Activations, in the layer's `x_shape`; zeros are skipped.
        weight: Inputs by outputs, in its `weight_shape`: the paper's matrix, transposed.

    Raises:
        BadValue: More distinct weights than the machine has codes.

    >>> weight = np.array([[2, 0, 0, 1], [5, 5, 5, 5], [0, 0, 3, 0]])
    >>> run = simulate_eie(Gemm(1, 3, 4), Eie(n_units=2), np.array([[1, 0, 10]]), weight)
    >>> run.y.tolist(), run.macs  # the second activation is zero: nothing of it is touched
    ([[2, 0, 30, 1]], 3)

    Source: Han et al., "EIE", ISCA 2016; survey section 6.2, Figure 14; lab 14.
    """
    _check.kind("simulate_eie", "layer", layer, Gemm)
    _check.kind("simulate_eie", "machine", machine, Eie)
    rows, matrices = layer.lower(x, weight)
    runs, y = [], []
    for group, matrix in zip(rows, matrices, strict=True):
        columns = machine.compress(matrix)
        for row in group:
            runs.append(run_columns(columns, row, depth=machine.depth))
            y.append(runs[-1].y)
    total = replace(reduce(add, runs), formula=_formula(runs))
    return replace(total, y=layer.assemble(np.array(y).reshape(-1, layer.m, layer.n)))


def run_columns(columns: InterleavedColumns, x: Vector, *, depth: int) -> Run:
    """One vector times a compressed matrix, cycle by cycle.

    Args:
        columns: The matrix, dealt out to the units.
        x: The vector; its zeros are skipped.
        depth: Activations that a queue holds.

    >>> columns = InterleavedColumns.from_dense(np.eye(4, dtype=int), n_units=2)
    >>> run = run_columns(columns, np.array([5, 0, 0, 6]), depth=8)
    >>> run.y.tolist(), run.cycles  # two broadcasts, and the second is worked on a cycle later
    ([5, 0, 0, 6], 3)
    """
    _check.kind("run_columns", "columns", columns, InterleavedColumns)
    _check.whole("run_columns", "depth", depth, 1)
    if x.shape != columns.shape[:1]:
        _check.fail("run_columns", "x", f"must have {columns.shape[0]} words", x.shape)
    n, n_units = columns.shape[1], columns.n_units
    active = np.flatnonzero(x)
    dtype = np.result_type(wide(x), columns.values)
    y = np.zeros((-(-n // n_units), n_units), dtype)
    memory = Memory(columns.codes, columns.skips, columns.starts, columns.values.astype(dtype))
    cycles, macs = _run(memory, x.astype(dtype)[active], active, depth, y)
    n_active, touched = len(active), len(active) * n_units
    return Run(
        cycles=cycles,
        macs=macs,
        n_units=n_units,
        accesses={
            "register": {"psum": 2 * macs},  # each entry reads its sum and writes it
            "link": {"x": touched},
            "buffer": {"x": n_active, "weight": macs, "index": macs, "pointer": 2 * touched},
        },
        bits={
            "x": 16,  # assumed, as are the sums
            "psum": 16,
            "weight": columns.weight_bits,
            "index": columns.index_bits,
            "pointer": POINTER_BITS,
        },
        y=y.reshape(-1)[:n],
        formula=(f"{n_active:,} broadcasts of {len(x):,}; {macs:,} entries on {n_units} units",),
    )


class Memory(NamedTuple):
    """What lies in the units' memories, for the compiled loop."""

    codes: np.ndarray
    skips: np.ndarray
    starts: np.ndarray
    values: np.ndarray


@compiled
def _run(
    memory: Memory, x: np.ndarray, active: np.ndarray, depth: int, y: np.ndarray
) -> tuple[int, int]:
    """Cycles, and entries worked on. All queues hold broadcasts `done[u]` to `sent`."""
    n_units, n_columns = len(memory.starts), len(active)
    done = np.zeros(n_units, np.int64)  # columns that each unit has finished
    entry = np.full(n_units, -1)  # where it is in its column
    row = np.zeros(n_units, np.int64)
    sent, t, macs, slowest = 0, 0, 0, 0
    while slowest < n_columns:
        room = sent < n_columns and sent - slowest < depth
        for u in range(n_units):
            if done[u] < sent:
                macs += _step(memory, x, active, done, entry, row, y, u)
        sent += room  # in the queues from the next cycle on
        slowest = done.min()
        t += 1
    return t, macs


@compiled
def _step(
    memory: Memory,
    x: np.ndarray,
    active: np.ndarray,
    done: np.ndarray,
    entry: np.ndarray,
    row: np.ndarray,
    y: np.ndarray,
    u: int,
) -> int:
    """One cycle of a unit with work: an entry of the head's column; gives whether there was one."""
    j = active[done[u]]
    if entry[u] < 0:  # a new head
        entry[u], row[u] = memory.starts[u, j], -1
    p, last = entry[u], memory.starts[u, j + 1]
    if p < last:
        row[u] += 1 + int(memory.skips[p])
        y[row[u], u] += memory.values[memory.codes[p]] * x[done[u]]
        entry[u] += 1
    if entry[u] >= last:
        done[u] += 1
        entry[u] = -1
    return int(p < last)


def _formula(runs: list[Run]) -> tuple[str, ...]:
    """What happened, one line for each vector, the first ten."""
    lines = tuple(f"cycles = {run.cycles:,}: {run.formula[0]}" for run in runs[:10])
    return lines + ((f"... and {len(runs) - 10:,} more",) if len(runs) > 10 else ())
