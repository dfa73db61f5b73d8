"""A sparse matrix in compressed rows, times a dense matrix: work for the weights kept alone.

Row `i` of the sparse matrix stands in `values[a:b]`, with `a, b = row_starts[i : i + 2]`, and value
`p` in column `columns[p]`. A dense kernel multiplies by every zero. This one never meets a zero,
and pays for it by reading an index with every value.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int32
from numpy.lib.stride_tricks import as_strided

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost

Values = Float[np.ndarray, " kept"]
Indices = Int32[np.ndarray, " n"]
Matrix = Float[np.ndarray, "k n"]
Shape = tuple[int, ...]

_BLOCK = 1024  # columns at a time: a row of that many floats, and four more, fit the nearest cache


def _inputs(rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
    """A matrix with some rows empty, in either precision, times one column or several."""
    m, k, n = size, 2 * size + 1, size if size % 3 else 1
    dtype = np.float32 if rng.random() < 0.5 else np.float64
    dense = rng.standard_normal((m, k)) * (rng.random((m, k)) < rng.random((m, 1)) - 0.2)
    rows, columns = dense.nonzero()
    row_starts = np.searchsorted(rows, np.arange(m + 1))
    x = rng.standard_normal((k, n))
    floats = dense[rows, columns].astype(dtype), x.astype(dtype)
    return floats[0], columns.astype(np.int32), row_starts.astype(np.int32), floats[1]


@technique(
    "kernel-sparse-csr",
    paper="Han, Liu, Mao, Pu, Pedram, Horowitz, Dally, EIE: Efficient Inference Engine on "
    "Compressed Deep Neural Network, 2016",
    survey="6",
    lab="02_pruning",
    kind=Kernel(inputs=_inputs, tolerance=1e-5, reason="the same sums in another order"),
)
def csr_matmul(values: Values, columns: Indices, row_starts: Indices, x: Matrix) -> Matrix:
    """Multiply a sparse matrix in compressed rows by a dense one: `y = A x`.

    Every value kept adds its multiple of a row of `x` to a row of `y`: the inner loop runs along
    the `n` columns, which lie side by side in memory. Four values go at a time, so that a row of
    `y` is read and written once for the four. A single column is the dot product of each row.
    What is dropped is not multiplied, so a dropped weight hides an infinity in `x`, which a dense
    kernel would turn into NaN.

    Args:
        values: The entries kept, row by row, float32 or float64.
        columns: The column of each, in int32.
        row_starts: Where each row begins among them, in int32, and one more for the end.
        x: What to multiply by, of the same dtype as the values. Its rows may overlap in memory, as
            those of NumPy's `sliding_window_view` do, and are then not copied.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together. Every index is checked, on every call.

    >>> values = np.array([2.0, 3.0])  # [[0, 2], [0, 0], [3, 0]]
    >>> columns, row_starts = np.int32([1, 0]), np.int32([0, 1, 1, 2])
    >>> csr_matmul(values, columns, row_starts, np.array([[1.0], [10.0]]))
    array([[20.],
           [ 0.],
           [ 3.]])

    Source: Han et al., "EIE", ISCA 2016, section III, which holds such a matrix in compressed
    columns; compressed rows: Saad, "Iterative Methods for Sparse Linear Systems", 2003, section
    3.4; the survey's section 6; lab 02.
    """
    _demand_arrays(values, columns, row_starts, x)
    values, columns, row_starts = map(np.ascontiguousarray, (values, columns, row_starts))
    _demand_fit(values, columns, row_starts, x)
    y = np.empty((len(row_starts) - 1, x.shape[1]), x.dtype)
    unsigned = columns.view(np.uint32)  # which cannot count from the end: nothing to ask in a loop
    if x.shape[1] == 1:
        _by_vector(values, unsigned, row_starts, np.ascontiguousarray(x).reshape(-1), y)
    else:
        _by_matrix(values, unsigned, row_starts, *_rows_in_memory(x), y)
    return y


def csr_matmul_reference(
    values: Values, columns: Indices, row_starts: Indices, x: Matrix
) -> Matrix:
    """`csr_matmul` in NumPy: each row's values times the rows of `x` that they meet.

    >>> csr_matmul_reference(np.ones(1), np.int32([1]), np.int32([0, 1]), np.array([[1.0], [5.0]]))
    array([[5.]])
    """
    y = np.zeros((len(row_starts) - 1, x.shape[1]), x.dtype)
    for i, (start, end) in enumerate(pairwise(row_starts)):
        y[i] = values[start:end] @ x[columns[start:end]]
    return y


def csr_matmul_cost(values: Shape, columns: Shape, row_starts: Shape, x: Shape) -> Cost:
    """MACs that run, and bytes that must travel in float32, from the shapes of the arguments.

    >>> csr_matmul_cost((6,), (6,), (4,), (5, 2))  # 6 values and columns, 4 starts, 10 in, 6 out
    Cost(macs=12, traffic_bytes=128)
    """
    n_rows, n_columns = row_starts[0] - 1, x[1]
    moved = values[0] + columns[0] + row_starts[0] + (x[0] + n_rows) * n_columns
    return Cost(macs=values[0] * n_columns, traffic_bytes=4 * moved)


@compiled
def _by_matrix(values, columns, row_starts, flat, step, y):
    n = y.shape[1]
    for left in range(0, n, _BLOCK):
        width = min(_BLOCK, n - left)
        for i in range(len(row_starts) - 1):
            row = y[i, left : left + width]
            row[:] = 0
            p, end = row_starts[i], row_starts[i + 1]
            while p + 4 <= end:
                v0, v1, v2, v3 = values[p], values[p + 1], values[p + 2], values[p + 3]
                x0 = _part(flat, columns[p], step, left, width)
                x1 = _part(flat, columns[p + 1], step, left, width)
                x2 = _part(flat, columns[p + 2], step, left, width)
                x3 = _part(flat, columns[p + 3], step, left, width)
                for j in range(width):
                    row[j] += v0 * x0[j] + v1 * x1[j] + v2 * x2[j] + v3 * x3[j]
                p += 4
            while p < end:
                v0, x0 = values[p], _part(flat, columns[p], step, left, width)
                for j in range(width):
                    row[j] += v0 * x0[j]
                p += 1


@compiled
def _part(flat, row, step, left, width):
    """Columns `left` to `left + width` of a row of the matrix that lies in `flat`."""
    start = np.intp(row) * step + left
    return flat[start : start + width]


@compiled
def _by_vector(values, columns, row_starts, x, y):
    for i in range(len(row_starts) - 1):
        # Four sums: one alone would wait for each addition before the next.
        s0 = s1 = s2 = s3 = values.dtype.type(0)
        p, end = row_starts[i], row_starts[i + 1]
        while p + 4 <= end:
            s0 += values[p] * x[columns[p]]
            s1 += values[p + 1] * x[columns[p + 1]]
            s2 += values[p + 2] * x[columns[p + 2]]
            s3 += values[p + 3] * x[columns[p + 3]]
            p += 4
        while p < end:
            s0 += values[p] * x[columns[p]]
            p += 1
        y[i, 0] = (s0 + s1) + (s2 + s3)


@compiled
def _indices_fit(columns, row_starts, k, n_kept):
    """Whether no row ends before it starts, and no index leads out of its array."""
    rows_fit = row_starts[0] == 0 and row_starts[-1] == n_kept
    for i in range(len(row_starts) - 1):
        rows_fit &= row_starts[i] <= row_starts[i + 1]
    largest = np.uint32(0)  # of unsigned numbers, below which no negative one hides
    for column in columns:
        largest = max(largest, column)
    return rows_fit, n_kept == 0 or largest < k


def _rows_in_memory(x: np.ndarray) -> tuple[np.ndarray, int]:
    """The memory behind a matrix, and how far in it each row begins after the one before."""
    if x.flags.c_contiguous:
        return x.reshape(-1), x.shape[1]
    if x.strides[1] != x.itemsize or x.strides[0] < 0 or x.strides[0] % x.itemsize:
        return np.ascontiguousarray(x).reshape(-1), x.shape[1]
    step = x.strides[0] // x.itemsize
    length = (x.shape[0] - 1) * step + x.shape[1]
    return as_strided(x, (length,), (x.itemsize,)), step


def _demand_arrays(*arrays: object) -> None:
    for name, array in zip(("values", "columns", "row_starts", "x"), arrays, strict=True):
        _check.kind("csr_matmul", name, array, np.ndarray)


def _demand_fit(
    values: np.ndarray, columns: np.ndarray, row_starts: np.ndarray, x: np.ndarray
) -> None:
    _demand_dtypes(values, columns, row_starts, x)
    if values.ndim != 1 or values.shape != columns.shape:
        rule = "must be two lists, equally long"
        _check.fail("csr_matmul", "values and columns", rule, (values.shape, columns.shape))
    if row_starts.ndim != 1 or not len(row_starts):
        rule = "must be a list with one start for each row, and the end"
        _check.fail("csr_matmul", "row_starts", rule, row_starts.shape)
    if x.ndim != 2:
        _check.fail("csr_matmul", "x", "must be a matrix", x.shape)
    rows_fit, columns_fit = _indices_fit(
        columns.view(np.uint32), row_starts, x.shape[0], len(values)
    )
    if not rows_fit:
        rule = f"must rise from 0 to the number of values, {len(values)}"
        _check.fail("csr_matmul", "row_starts", rule, row_starts.tolist())
    if not columns_fit:
        rule = f"must be numbers of rows of x, 0 to {x.shape[0] - 1}"
        _check.fail("csr_matmul", "columns", rule, (int(columns.min()), int(columns.max())))


def _demand_dtypes(
    values: np.ndarray, columns: np.ndarray, row_starts: np.ndarray, x: np.ndarray
) -> None:
    floats = values.dtype in (np.float32, np.float64) and values.dtype == x.dtype
    if not floats:
        dtypes = f"{values.dtype} and {x.dtype}"
        rule = f"must both be float32 or both float64, got {dtypes}"
        raise _check.BadKind(f"csr_matmul: values and x {rule}")
    if not (columns.dtype == row_starts.dtype == np.int32):
        dtypes = f"{columns.dtype} and {row_starts.dtype}"
        raise _check.BadKind(f"csr_matmul: columns and row_starts must be int32, got {dtypes}")
