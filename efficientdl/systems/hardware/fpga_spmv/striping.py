"""Striping: a sparse matrix cut into stripes, one for each unit of a pipeline.

A stripe goes down and to the right: each entry stands in a later row and in a later column than
the one before. A diagonal is one. So a unit that works on a stripe needs every sum and every word
of the vector once, in order, and both can stream past the units of a pipeline.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.arch import FAST_DRAM, Dram
from efficientdl.systems.hardware.fpga_spmv.operands import check_matvec
from efficientdl.systems.hardware.gemm import wide
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.spgemm.rows import Rows, check_matrix, compress


@dataclass(frozen=True)
class StripePipeline:
    """Units in a line, each with a multiplier and an adder, and queues between them.

    Attributes:
        n_units: Units: stripes that are at work at the same time.
        value_bits: Width of a value.
        index_bits: Width of the row and column number of an entry, together.
        dram: The memory outside.
    """

    n_units: int = 8  # Computer Physics Communications 2008: a prototype of 8 units
    value_bits: int = 64
    index_bits: int = 64  # assumed
    dram: Dram = FAST_DRAM

    def __post_init__(self) -> None:
        _check.whole("StripePipeline", "n_units", self.n_units, 1)
        for name in ("value_bits", "index_bits"):
            _check.whole("StripePipeline", name, getattr(self, name), 1, 64)
        _check.kind("StripePipeline", "dram", self.dram, Dram)


PIPELINE = StripePipeline()


class Stripe(NamedTuple):
    """What one unit works on: entries from the top left to the bottom right."""

    row: Int64[np.ndarray, " entries"]
    column: Int64[np.ndarray, " entries"]
    values: Num[np.ndarray, " entries"]


class Streams(NamedTuple):
    """When each sum and each word of the vector reaches a unit."""

    y: Int64[np.ndarray, " m"]
    x: Int64[np.ndarray, " k"]


def stripes(weight: Num[np.ndarray, "m k"]) -> list[Int64[np.ndarray, " entries"]]:
    """Cut the entries of a matrix into as few stripes as there can be.

    Row by row, from the right to the left, each entry goes to the stripe that ends nearest to its
    left. No two entries of a chain that never goes up nor to the right share a stripe, and by
    Dilworth's theorem the longest such chain has as many entries as there are stripes. A band of
    `d` full diagonals has `d`; a full matrix of `m` rows and `k` columns `m + k - 1`.

    Args:
        weight: The matrix.

    Returns:
        The numbers of each stripe's entries, in order, counted along the rows.

    >>> [stripe.tolist() for stripe in stripes(np.array([[1, 2, 0], [0, 3, 4], [0, 0, 5]]))]
    [[1, 3], [0, 2, 4]]

    Source: Elkurdi, Fernández, Souleimanov, Giannacopoulos, Gross, "FPGA Architecture and
        Implementation of Sparse Matrix-Vector Multiplication for the Finite Element Method", 2008;
        survey section 6.2; lab 14.
    """
    check_matrix("stripes", "weight", weight)
    return _stripes(compress(weight))


def _stripes(a: Rows) -> list[Int64[np.ndarray, " entries"]]:
    found = list[list[int]]()
    ends = list[tuple[int, int]]()  # the last column of each stripe, and its number; rising
    for entry in np.lexsort((-a.columns, a.rows)).tolist():
        column = int(a.columns[entry])
        at = bisect_left(ends, (column, -1)) - 1
        if at < 0:
            found.append([])
            number = len(found) - 1
        else:
            number = ends.pop(at)[1]
        found[number].append(entry)
        ends.insert(bisect_left(ends, (column, number)), (column, number))
    return [np.array(stripe) for stripe in found]


def striped(
    weight: Num[np.ndarray, "m k"],
    x: Num[np.ndarray, " k"],
    *,
    machine: StripePipeline = PIPELINE,
) -> Run:
    """Multiply a sparse matrix by a vector in a pipeline of stripes: `y = weight x`.

    Sums and words of the vector enter the first unit, one of each a cycle, and move on in order. A
    unit lets both pass until the row and the column of its next entry have come, does its MAC, and
    lets them go in the next cycle. A band of `d` full diagonals, the highest of them `u` above the
    main one, takes `m + u + d - 1` cycles: the first sum waits for word `u`, every unit adds one
    cycle. If there are more stripes than units, the sums go round once more.

    Args:
        weight: The matrix, zeros included; they are not touched.
        x: The vector.
        machine: The pipeline. Its queues are as long as they need to be.

    Raises:
        BadValue: Shapes that do not fit, or an entry that is not finite.

    >>> weight, x = np.diag([1, 2, 3]), np.array([1, 1, 2])
    >>> run = striped(weight, x, machine=StripePipeline(n_units=1))
    >>> run.y.tolist(), run.cycles
    ([1, 2, 6], 3)

    Source: as `stripes`.
    """
    check_matvec("striped", weight, x)
    _check.kind("striped", "machine", machine, StripePipeline)
    a = compress(weight)
    y = np.zeros(a.n_rows, np.result_type(a.values, wide(x)))
    cut, busy = _stripes(a), 0
    passes = [cut[i : i + machine.n_units] for i in range(0, len(cut), machine.n_units)]
    for units in passes:
        ready = Streams(np.arange(a.n_rows), np.arange(a.n_columns))
        for unit in units:
            stripe = Stripe(a.rows[unit], a.columns[unit], a.values[unit])
            ready = Streams(*_unit(stripe, wide(x), ready, y))
        busy += int(ready.y[-1])
    return _counted(machine, a, (len(cut), len(passes)), busy, y)


@compiled
def _unit(
    stripe: Stripe, x: np.ndarray, ready: Streams, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One unit does its stripe; gives when each sum and each word reaches the next unit."""
    y_next, x_next = np.empty(len(ready.y), np.int64), np.empty(len(ready.x), np.int64)
    i = j = y_free = x_free = 0  # who is next to pass, and when the way is free
    for e in range(len(stripe.values)):
        while i < stripe.row[e]:
            y_next[i] = y_free = max(ready.y[i], y_free) + 1
            i += 1
        while j < stripe.column[e]:
            x_next[j] = x_free = max(ready.x[j], x_free) + 1
            j += 1
        t = max(ready.y[i], y_free, ready.x[j], x_free)
        y[i] += stripe.values[e] * x[j]
        y_next[i] = y_free = x_next[j] = x_free = t + 1
        i, j = i + 1, j + 1
    for last in range(i, len(ready.y)):
        y_next[last] = y_free = max(ready.y[last], y_free) + 1
    for last in range(j, len(ready.x)):
        x_next[last] = x_free = max(ready.x[last], x_free) + 1
    return y_next, x_next


def _counted(
    machine: StripePipeline, a: Rows, cut: tuple[int, int], busy: int, y: Num[np.ndarray, " m"]
) -> Run:
    """Words, and cycles: those of the passes, or of the DRAM."""
    n_stripes, n_passes = cut
    dram = {
        "weight": a.n_kept,
        "index": a.n_kept,
        "x": n_passes * a.n_columns,
        "psum": 2 * max(0, n_passes - 1) * a.n_rows,
        "y": a.n_rows,
    }
    bits = dict.fromkeys(("weight", "x", "psum", "y"), machine.value_bits)
    bits |= {"index": machine.index_bits}
    through = ceil(sum(n * bits[name] for name, n in dram.items()) / machine.dram.bits_per_cycle)
    cycles = machine.dram.latency_cycles + max(busy, through)
    hops = max(0, n_stripes - n_passes)  # from each unit of a pass to the next
    return Run(
        cycles=cycles,
        macs=a.n_kept,
        n_units=machine.n_units,
        accesses={"dram": dram, "link": {"psum": hops * a.n_rows, "x": hops * a.n_columns}},
        bits=bits,
        y=y,
        formula=(
            f"cycles = {cycles:,}: {n_stripes} stripes in {n_passes} passes take {busy:,};"
            f" the DRAM takes {through:,}",
        ),
    )
