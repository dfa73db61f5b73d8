"""A sparse matrix in compressed columns, times a dense one: what is zero in `x` costs nothing.

Column `j` stands in `values[a:b]`, with `a, b = column_starts[j : j + 2]`, and value `p` in row
`rows[p]`. A product by columns meets each row of `x` once, and where that is all zeros, as after
a ReLU, passes its column over. The price: it adds all over `y`. Where `x` has no zeros,
`csc_to_csr` turns the matrix into compressed rows, which have faster forms.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int32

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.sparse.demands import demand_starts
from efficientdl.report import Cost

Values = Float[np.ndarray, " kept"]
Indices = Int32[np.ndarray, " n"]
Matrix = Float[np.ndarray, "k n"]


def csc_matmul(values: Values, rows: Indices, column_starts: Indices, x: Matrix, m: int) -> Matrix:
    """Multiply a sparse matrix in compressed columns by a dense one: `y = A x`.

    Every row of `x` that is not all zeros is multiplied by its column's values, each of which adds
    a multiple of it to a row of `y`. A column that is passed over hides an infinity in its values.

    Args:
        values: The entries kept, column by column, float32 or float64.
        rows: The row of each, in int32, in any order.
        column_starts: Where each column begins among them, in int32, and one more for the end.
        x: What to multiply by, of the same dtype as the values.
        m: Rows of the matrix.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together. Every index is checked, on every call.

    >>> values, rows = np.array([3.0, 2.0]), np.int32([2, 0])  # [[0, 2], [0, 0], [3, 0]]
    >>> csc_matmul(values, rows, np.int32([0, 1, 2]), np.array([[1.0], [10.0]]), 3).tolist()
    [[20.0], [0.0], [3.0]]

    Source: Han et al., "EIE", ISCA 2016, section III: compressed columns, and zeros of the input
    passed over; the survey's section 6; lab 13.
    """
    _demand("csc_matmul", values, rows, column_starts, m)
    _check.kind("csc_matmul", "x", x, np.ndarray)
    if x.dtype != values.dtype:
        raise _check.BadKind(f"csc_matmul: x must be {values.dtype}, got {x.dtype}")
    if x.ndim != 2 or len(x) != len(column_starts) - 1:
        rule = f"must have 2 axes, the first of length {len(column_starts) - 1}"
        _check.fail("csc_matmul", "shape of x", rule, x.shape)
    y = np.zeros((m, x.shape[1]), x.dtype)
    values, rows, column_starts = map(np.ascontiguousarray, (values, rows, column_starts))
    _by_columns(values, rows, column_starts, np.ascontiguousarray(x), y)
    return y


def csc_matmul_reference(
    values: Values, rows: Indices, column_starts: Indices, x: Matrix, m: int
) -> Matrix:
    """`csc_matmul` in NumPy: each column's values times its row of `x`."""
    y = np.zeros((m, x.shape[1]), x.dtype)
    for j, (start, end) in enumerate(pairwise(column_starts)):
        np.add.at(y, rows[start:end], values[start:end, None] * x[j])
    return y


def csc_matmul_cost(
    values: tuple[int, ...],
    rows: tuple[int, ...],
    column_starts: tuple[int, ...],
    x: tuple[int, ...],
    m: int,
) -> Cost:
    """MACs where `x` has no zeros, and bytes that must travel in float32, from the shapes.

    >>> csc_matmul_cost((6,), (6,), (6,), (5, 2), 3)
    Cost(macs=12, traffic_bytes=136)
    """
    moved = values[0] + rows[0] + column_starts[0] + (x[0] + m) * x[1]
    return Cost(macs=values[0] * x[1], traffic_bytes=4 * moved)


def csc_to_csr(
    values: Values, rows: Indices, column_starts: Indices, m: int
) -> tuple[Values, Indices, Indices]:
    """The same matrix in compressed rows, its columns rising: values, columns and row starts.

    Columns are walked in order and each value goes to the next free place of its row, so nothing
    needs to be sorted.

    Args:
        values: The entries kept, column by column.
        rows: The row of each, in int32.
        column_starts: Where each column begins among them, in int32, and one more for the end.
        m: Rows of the matrix.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together.

    >>> [a.tolist() for a in csc_to_csr(np.ones(2), np.int32([2, 0]), np.int32([0, 1, 2]), 3)]
    [[1.0, 1.0], [1, 0], [0, 1, 1, 2]]

    Source: Saad, "Iterative Methods for Sparse Linear Systems", 2003, section 3.4; lab 13.
    """
    _demand("csc_to_csr", values, rows, column_starts, m)
    row_starts = np.zeros(m + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=m), out=row_starts[1:])
    ours, columns = np.empty_like(values), np.empty_like(rows)
    values, rows, column_starts = map(np.ascontiguousarray, (values, rows, column_starts))
    _to_rows(values, rows, column_starts, row_starts[:-1].copy(), ours, columns)
    return ours, columns, row_starts


def _demand(caller: str, values: Values, rows: Indices, column_starts: Indices, m: int) -> None:
    parts = {"values": values, "rows": rows, "column_starts": column_starts}
    for name, array in parts.items():
        _check.kind(caller, name, array, np.ndarray)
        if name != "values" and array.dtype != np.int32:
            raise _check.BadKind(f"{caller}: {name} must be int32, got {array.dtype}")
    if values.dtype not in (np.float32, np.float64):
        rule = f"must be float32 or float64, got {values.dtype}"
        raise _check.BadKind(f"{caller}: values {rule}")
    _check.whole(caller, "m", m, 0, 2**31 - 1)
    if values.ndim != 1 or values.shape != rows.shape:
        rule = "must be two lists, equally long"
        _check.fail(caller, "values and rows", rule, (values.shape, rows.shape))
    demand_starts(caller, column_starts, len(values), "column_starts")
    if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < m:
        _check.fail(caller, "rows", f"must be in [0, {m - 1}]", (int(rows.min()), int(rows.max())))


@compiled
def _by_columns(values, rows, column_starts, x, y):
    n = x.shape[1]
    for j in range(len(column_starts) - 1):
        seen, empty = x[j], True
        for c in range(n):
            empty = empty and seen[c] == 0
        if not empty:
            for p in range(column_starts[j], column_starts[j + 1]):
                row, v = y[rows[p]], values[p]
                for c in range(n):
                    row[c] += v * seen[c]


@compiled
def _to_rows(values, rows, column_starts, free, ours, columns):
    for j in range(len(column_starts) - 1):
        for p in range(column_starts[j], column_starts[j + 1]):
            to = free[rows[p]]
            free[rows[p]] = to + 1
            ours[to], columns[to] = values[p], j
