"""An array, its registers empty and its operands at hand: to run it, or to look on."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Num
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from efficientdl.systems.hardware.arch import Array
from efficientdl.systems.hardware.simulate import output_array, weight_array
from efficientdl.systems.hardware.simulate.lanes import grid
from efficientdl.systems.hardware.simulate.plan import (
    DEEP,
    NEVER,
    Plan,
    Trace,
    new_trace,
    plan,
)

Matrix = Num[np.ndarray, "a b"]


class WeightMachine(NamedTuple):
    """What a weight-stationary array is started with."""

    work: weight_array.Work
    plan: Plan
    units: weight_array.Units
    trace: Trace


class OutputMachine(NamedTuple):
    """What an output-stationary array is started with."""

    work: output_array.Work
    plan: Plan
    units: output_array.Units
    trace: Trace


def weight_machine(
    x: Matrix,
    weight: Matrix,
    array: Array,
    *,
    hurry: int = 0,
    until: int = NEVER,
    deep: int = DEEP,
) -> WeightMachine:
    """A weight-stationary array, with nothing done.

    Its trace has one moment for all sums that leave in the same cycle: `moments` spreads them.
    """
    (m, k), n = x.shape, weight.shape[1]
    operand, total = widths(x, weight)
    across, used = -(-n // array.cols), min(n, array.cols)
    y = np.zeros((across, *grid(m + used - 1, array.cols, total).shape), total)
    return WeightMachine(
        weight_array.Work(_reversed(x.T, operand), _kept(weight, operand), y),
        plan(k, n, m, array, hurry=hurry, until=until, deep=deep),
        weight_array.units(array.rows, array.cols, array.weight_registers, operand, total),
        new_trace(across, m + used - 1),
    )


def output_machine(
    x: Matrix, weight: Matrix, array: Array, *, hurry: int = 0, until: int = NEVER
) -> OutputMachine:
    """An output-stationary array, with nothing done."""
    (m, k), n = x.shape, weight.shape[1]
    operand, total = widths(x, weight)
    return OutputMachine(
        output_array.Work(_reversed(x, operand), _kept(weight, operand), np.zeros((m, n), total)),
        plan(m, n, k, array, hurry=hurry, until=until),
        output_array.units(array.rows, array.cols, operand, total),
        new_trace(m, n),
    )


def widths(x: Matrix, weight: Matrix) -> tuple[np.dtype, np.dtype]:
    """Types of operands and sums: 16 and 32 bits where nothing can overflow them, else 64."""
    if "f" in (x.dtype.kind, weight.dtype.kind):
        return np.dtype(np.float64), np.dtype(np.float64)
    largest = [max(-int(a.min()), int(a.max())) for a in (x, weight)]
    fits = largest[0] * largest[1] * x.shape[1] < 2**31 and max(largest) < 2**15
    kinds = (np.int16, np.int32) if fits else (np.int64, np.int64)
    return np.dtype(kinds[0]), np.dtype(kinds[1])


def straight(
    array: Num[np.ndarray, "across cycles cols"], shape: tuple[int, int], cols: int
) -> Matrix:
    """What left in the same cycle stands side by side; here by row m and column n, as it should.

    Word m of column j leaves in cycle m + j of its fold.
    """
    m, n = shape
    parts = []
    for j, part in enumerate(array):
        used = min(cols, n - j * cols)
        down, right = part.strides
        parts.append(as_strided(part, (m, used), (down, down + right)))
    return np.concatenate(parts, axis=1)


def moments(
    times: Int32[np.ndarray, "across cycles"], shape: tuple[int, int], cols: int
) -> Int32[np.ndarray, "m n"]:
    """When it happened to word m of column n, from when it did to those that left together.

    >>> moments(np.array([[5, 6, 7], [8, 9, -1]]), (2, 3), 2).tolist()
    [[5, 6, 8], [6, 7, 9]]
    """
    m, n = shape
    widths = [min(cols, n - j * cols) for j in range(len(times))]
    parts = zip(times, widths, strict=True)
    return np.concatenate([sliding_window_view(part, used)[:m] for part, used in parts], axis=1)


def _kept(matrix: Matrix, dtype: np.dtype) -> Matrix:
    return np.ascontiguousarray(matrix, dtype)


def _reversed(matrix: Matrix, dtype: np.dtype) -> Matrix:
    """Each row backwards: the last word to enter comes first."""
    rows, cols = matrix.shape
    made = grid(rows, cols, dtype)
    made[:rows, :cols] = matrix.astype(dtype, copy=False)[:, ::-1]  # narrow first: less to move
    return made
