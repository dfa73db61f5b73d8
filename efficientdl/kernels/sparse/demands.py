"""What sparse products demand of compressed rows, of packed forms of them, and of `x`."""

import numpy as np
from jaxtyping import Float32, Int32

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.packed import Packed, demand_dtype

Values = Float32[np.ndarray, "kept ..."]
Indices = Int32[np.ndarray, " n"]


def demand_rise(weight: Packed, starts: np.ndarray, length: int, last: int) -> None:
    """Refuse starts that are not so many, or do not rise from zero to the last one."""
    fits = starts.shape == (length,) and starts[0] == 0 and starts[-1] == last
    if not fits or (np.diff(starts) < 0).any():
        rule = f"must be {length} places that rise from 0 to {last}"
        weight.refuse("starts", rule, starts.tolist())


def demand_x(caller: str, x: object, k: int, n_axes: int) -> np.ndarray:
    """`x` as an array of float32 with `k` rows, or refuse it."""
    _check.kind(caller, "x", x, np.ndarray)
    assert isinstance(x, np.ndarray)
    demand_dtype(caller, "x", x, np.float32)
    if x.ndim != n_axes or x.shape[0] != k:
        rule = f"must have {n_axes} axes, the first of length {k}"
        _check.fail(caller, "shape of x", rule, x.shape)
    return x


def demand_rows(
    caller: str, values: Values, columns: Indices, row_starts: Indices, k: int
) -> tuple[Values, Indices, Indices]:
    """Compressed rows with rising columns, contiguous, or refuse them.

    Args:
        caller: Whom the error names.
        values: What is kept, row by row.
        columns: The column of each.
        row_starts: Where each row begins, and the end.
        k: How many columns the matrix has.
    """
    parts = {"values": values, "columns": columns, "row_starts": row_starts}
    for name, array in parts.items():
        _check.kind(caller, name, array, np.ndarray)
        demand_dtype(caller, name, array, np.float32 if name == "values" else np.int32)
    _check.whole(caller, "k", k, 1, 2**31 - 1)
    if columns.ndim != 1 or values.shape[:1] != columns.shape:
        rule = "must be two lists, equally long"
        _check.fail(caller, "values and columns", rule, (values.shape, columns.shape))
    demand_starts(caller, row_starts, len(columns))
    values, columns, row_starts = map(np.ascontiguousarray, (values, columns, row_starts))
    wrong = _first_wrong(columns, row_starts, k)
    if wrong >= 0:
        rule = f"must rise in each row, within [0, {k - 1}]; number {wrong} does not"
        _check.fail(caller, "columns", rule, int(columns[wrong]))
    return values, columns, row_starts


def demand_starts(caller: str, starts: Indices, n_kept: int, name: str = "row_starts") -> None:
    """Refuse starts that do not rise from zero to the number of values."""
    if starts.ndim != 1 or not len(starts):
        rule = f"must be a list with one start for each {name.partition('_')[0]}, and the end"
        _check.fail(caller, name, rule, starts.shape)
    if starts[0] or starts[-1] != n_kept or (np.diff(starts) < 0).any():
        rule = f"must rise from 0 to the number of values, {n_kept}"
        _check.fail(caller, name, rule, starts.tolist())


def columns_rise(columns: Indices, row_starts: Indices, k: int) -> bool:
    """Whether the columns of checked compressed rows rise within each row, and are below `k`.

    >>> columns_rise(np.int32([0, 2, 1]), np.int32([0, 2, 3]), 3)
    True
    >>> columns_rise(np.int32([2, 0, 1]), np.int32([0, 2, 3]), 3)
    False
    """
    return _first_wrong(columns, row_starts, k) < 0


@compiled
def _first_wrong(columns, row_starts, k):
    """The first value whose column does not rise or leads out of the matrix; -1 if all fit."""
    for i in range(len(row_starts) - 1):
        before = -1
        for p in range(row_starts[i], row_starts[i + 1]):
            if columns[p] <= before or columns[p] >= k:
                return p
            before = columns[p]
    return -1
