"""A sparse matrix as these machines read it: its rows, each a list of columns and values."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.systems.hardware.gemm import check_finite, wide

Matrix = Num[np.ndarray, "rows cols"]


class Rows(NamedTuple):
    """Compressed rows: row `i` is entries `starts[i]` to `starts[i + 1]`, columns rising.

    Attributes:
        starts: Where each row begins, and the end.
        columns: The column of each entry.
        values: The entry: int64 or float64.
        n_columns: Columns of the matrix.

    >>> figure = compress(np.array([[0, 2, 0], [0, 0, 0], [3, 0, 4]]))
    >>> figure.starts.tolist(), figure.columns.tolist(), figure.lengths.tolist()
    ([0, 1, 1, 3], [1, 0, 2], [1, 0, 2])
    """

    starts: Int64[np.ndarray, " starts"]
    columns: Int64[np.ndarray, " kept"]
    values: Num[np.ndarray, " kept"]
    n_columns: int

    @property
    def n_rows(self) -> int:
        """Rows of the matrix."""
        return len(self.starts) - 1

    @property
    def n_kept(self) -> int:
        """Entries that are not zero."""
        return len(self.columns)

    @property
    def lengths(self) -> Int64[np.ndarray, " rows"]:
        """Entries of each row."""
        return np.diff(self.starts)

    @property
    def rows(self) -> Int64[np.ndarray, " kept"]:
        """The row of each entry."""
        return np.repeat(np.arange(self.n_rows), self.lengths)


def compress(matrix: Matrix) -> Rows:
    """The entries that are not zero, in 64 bits.

    >>> compress(np.eye(3)).n_kept
    3
    """
    rows, columns = matrix.nonzero()
    starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
    # `nonzero` gives columns of one array; the loops are compiled for lists that lie side by side.
    side_by_side = np.ascontiguousarray(columns)
    return Rows(starts, side_by_side, wide(matrix)[rows, columns], matrix.shape[1])


def check_matrix(caller: str, name: str, matrix: object) -> None:
    """Demand a matrix with a row and a column at least, of finite numbers."""
    _check.kind(caller, name, matrix, np.ndarray)
    if matrix.ndim != 2 or not matrix.size:  # pyright: ignore[reportAttributeAccessIssue]
        _check.fail(caller, name, "must be a matrix that is not empty, of a shape", matrix.shape)  # pyright: ignore[reportAttributeAccessIssue]
    check_finite(caller, name, matrix)  # pyright: ignore[reportArgumentType]


def check_product(caller: str, x: object, weight: object) -> None:
    """Demand two matrices that can be multiplied.

    >>> check_product("outerspace", np.ones((2, 3)), np.ones((2, 3)))
    Traceback (most recent call last):
    efficientdl._check.BadValue: outerspace: weight must have a row for each of the 3 columns of x,
    got (2, 3)
    """
    check_matrix(caller, "x", x)
    check_matrix(caller, "weight", weight)
    if x.shape[1] != weight.shape[0]:  # pyright: ignore[reportAttributeAccessIssue]
        rule = f"must have a row for each of the {x.shape[1]} columns of x"  # pyright: ignore[reportAttributeAccessIssue]
        _check.fail(caller, "weight", rule, weight.shape)  # pyright: ignore[reportAttributeAccessIssue]
