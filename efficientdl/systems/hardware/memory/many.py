"""Cycles of many tiles at once: the formulas of `dataflow/`, over arrays of sizes.

A search asks for thousands of tiles. These are the same folds, gaps and spans as there, with arrays
in the place of numbers; a test holds the two equal.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from efficientdl.systems.hardware.arch import Arch, Array, Dataflow, Drain, Edge
from efficientdl.systems.hardware.gemm import Bits

Ints = Int64[np.ndarray, "..."]


class _Axes(NamedTuple):
    """What the array's rows and columns stand for, and what follows each other in time."""

    rows: Ints
    cols: Ints
    steps: Ints


def tile_cycles(arch: Arch, m: Ints, k: Ints, n: Ints, *, bits: Bits, adds: bool) -> Ints:
    """Cycles of tiles of sizes m, k and n, no faster than the buffer's port.

    Args:
        arch: The machine.
        m: Rows of x.
        k: What is summed over.
        n: Columns of w.
        bits: Widths of the words.
        adds: Whether they add to sums that were begun before.

    >>> one = np.array([8])
    >>> tile_cycles(Arch("toy", Array(4, 4)), one, one // 2, one // 2, bits=Bits(), adds=False)
    array([18])
    """
    cycles = _elapsed(_axes(arch.dataflow, m, k, n), arch)
    rate = arch.buffer.bits_per_cycle
    if rate == float("inf"):
        return cycles
    x, weight, sums = _words(arch, m, k, n)
    moved = x * bits.x + weight * bits.weight + (sums + adds * m * n) * bits.y
    return np.maximum(cycles, np.ceil(moved / rate).astype(np.int64))


def _axes(dataflow: Dataflow, m: Ints, k: Ints, n: Ints) -> _Axes:
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        return _Axes(m, n, k)
    if dataflow is Dataflow.INPUT_STATIONARY:
        return _Axes(k, m, n)
    return _Axes(k, n, m)


def _words(arch: Arch, m: Ints, k: Ints, n: Ints) -> tuple[Ints, Ints, Ints]:
    """Words of x, of the weights and of sums that pass the buffer's port."""
    rows, cols = arch.array.rows, arch.array.cols
    waiting = 2 * m * n * (-(-k // rows) - 1)
    if arch.dataflow is Dataflow.OUTPUT_STATIONARY:
        return m * k * -(-n // cols), k * n * -(-m // rows), m * n
    if arch.dataflow is Dataflow.INPUT_STATIONARY:
        return m * k, k * n * -(-m // cols), m * n + waiting
    weight = m * k * n if arch.dataflow is Dataflow.NO_LOCAL_REUSE else k * n
    return m * k * -(-n // cols), weight, m * n + waiting


class _Timing(NamedTuple):
    """Gaps between folds of given rows and columns and one of given rows; spans; the first load."""

    gap: Callable[[Ints, Ints, Ints], Ints]
    span: Callable[[Ints, Ints], Ints]
    loads: bool


def _elapsed(axes: _Axes, arch: Arch) -> Ints:
    """Cycles of all folds: the latest end, over the last fold of each size."""
    array = arch.array
    n_rows, n_cols = -(-axes.rows // array.rows), -(-axes.cols // array.cols)
    full_r, rest_r = _charged(axes.rows, array.rows, array.edge)
    full_c, rest_c = _charged(axes.cols, array.cols, array.edge)
    gap, span, loads = _timing(arch.dataflow, array, axes.steps)

    def within(col: Ints, fold: Ints) -> Ints:
        rest = (fold > 0) & (fold == n_rows - 1)
        return (fold - rest) * gap(full_r, col, full_r) + rest * gap(full_r, col, rest_r)

    column = within(full_c, n_rows - 1) + gap(rest_r, full_c, full_r)
    ends = [
        j * column + within(col, i) + span(row, col)
        for j, col in [(np.maximum(n_cols - 2, 0), full_c), (n_cols - 1, rest_c)]
        for i, row in [(np.maximum(n_rows - 2, 0), full_r), (n_rows - 1, rest_r)]
    ]
    return np.maximum.reduce(ends) + (full_r if loads else 0)


def _charged(total: Ints, size: int, edge: Edge) -> tuple[Ints, Ints]:
    """For how many rows or columns the first part and the last part are scheduled."""
    if edge is Edge.PHYSICAL:
        return np.full_like(total, size), np.full_like(total, size)
    return np.minimum(total, size), (total - 1) % size + 1


def _timing(dataflow: Dataflow, array: Array, steps: Ints) -> _Timing:
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        return _output_stationary(array, steps)
    if dataflow is Dataflow.NO_LOCAL_REUSE:
        return _no_local_reuse(array, steps)
    return _weight_stationary(array, steps)


def _output_stationary(array: Array, steps: Ints) -> _Timing:
    def span(rows: Ints, cols: Ints) -> Ints:
        bus = array.drain is Drain.BUS
        drain = -(-rows * cols // array.bus_words) if bus else rows
        return steps + rows + cols - 2 + drain

    def gap(rows: Ints, cols: Ints, following: Ints) -> Ints:
        if array.drain is not Drain.OVERLAP:
            return span(rows, cols)
        return np.maximum(np.maximum(steps, rows), 2 * rows - following)

    return _Timing(gap, span, loads=False)


def _no_local_reuse(array: Array, steps: Ints) -> _Timing:
    def levels(rows: Ints) -> Ints:
        return np.ceil(np.log2(rows)).astype(np.int64)

    def span(rows: Ints, cols: Ints) -> Ints:
        return steps + levels(rows) + 0 * cols

    def gap(rows: Ints, cols: Ints, following: Ints) -> Ints:
        if array.drain is not Drain.OVERLAP:
            return span(rows, cols)
        return steps + np.maximum(0, levels(rows) - levels(following))

    return _Timing(gap, span, loads=False)


def _weight_stationary(array: Array, steps: Ints) -> _Timing:
    def span(rows: Ints, cols: Ints) -> Ints:
        return steps + rows + cols - 2

    def gap(rows: Ints, cols: Ints, following: Ints) -> Ints:
        overlap = array.drain is Drain.OVERLAP
        free = steps if overlap else span(rows, cols)
        load = following if array.weight_registers == 2 else free + following
        port = steps + rows - following if overlap else load
        return np.maximum(np.maximum(free, port), load)

    return _Timing(gap, span, loads=True)
