"""One sparse matrix, in whichever form is the fastest for what it meets.

Packing reads every weight, a product should read what is kept, once. So a form is packed when it
is first asked for, and stays.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Float

from efficientdl import _check
from efficientdl.kernels.csr import csr_matmul
from efficientdl.kernels.sparse.blocks import BlockedRows, block_matmul, pack_blocks
from efficientdl.kernels.sparse.demands import Indices, Values, columns_rise, demand_starts
from efficientdl.kernels.sparse.n_of_m import n_of_m_matmul, pack_n_of_m
from efficientdl.kernels.sparse.planes import pack_for_planes
from efficientdl.kernels.sparse.spmv import MatvecWeight, matvec, pack_matvec
from efficientdl.kernels.sparse.vectors import HEIGHT, pack_vectors, vector_matmul

Matrix = Float[np.ndarray, "k n"]
Product = Callable[[Matrix], Matrix]

FEW_MACS = 2**14  # a product so small is over before a packed form has been called
FEW_COLUMNS = 16  # a panel of one register
SHARING_PAYS = 1.25  # with so many zeros filled in, rows that share columns are still faster
HALVES = ((2, 4), (4, 8))  # patterns of which a group's places are cheaper than an index


class SparseMatrix:
    """A matrix in compressed rows that knows its faster forms.

    - one column, a vector: `matvec`;
    - rows that share columns four by four, or nearly so: `vector_matmul`;
    - half of every four or eight neighbours kept: `n_of_m_matmul`;
    - all else: `block_matmul`;
    - float64, columns that do not rise in a row, and very small products: `csr_matmul`.

    The arrays are read again for each form: they must not change.

    Args:
        values: The entries kept, row by row, float32 or float64.
        columns: The column of each, in int32.
        row_starts: Where each row begins among them, in int32, and one more for the end.
        k: Columns of the matrix.

    Raises:
        BadValue: Used in a product, the arrays do not fit together.

    >>> matrix = SparseMatrix(np.float32([2, 3]), np.int32([1, 0]), np.int32([0, 1, 2]), 2)
    >>> matrix.times(np.float32([[1, 2], [10, 20]]))
    array([[20., 40.],
           [ 3.,  6.]], dtype=float32)

    Source: the survey's section 6; lab 13.
    """

    def __init__(self, values: Values, columns: Indices, row_starts: Indices, k: int) -> None:
        _check.whole("SparseMatrix", "k", k, 1, 2**31 - 1)
        self.parts, self.k = (values, columns, row_starts), k

    def times(self, x: Matrix) -> Matrix:
        """The matrix times a dense one; where the columns of `x` lie side by side, so do these.

        Args:
            x: What to multiply by, of the values' dtype.

        Raises:
            BadKind: `x` is of another dtype.
            BadValue: It has not as many rows as the matrix has columns.
        """
        if x.ndim != 2:
            _check.fail("SparseMatrix", "x", "must be a matrix", x.shape)
        few = len(self.parts[0]) * x.shape[-1] < FEW_MACS
        if few or not x.shape[-1] or not self.packs:
            return csr_matmul(*self.parts, x)
        if x.shape[1] == 1:
            return matvec(self._for_a_vector, x[:, 0])[:, None]
        return (self._for_few if x.shape[1] <= FEW_COLUMNS else self._for_many)(x)

    @cached_property
    def for_planes(self) -> BlockedRows:
        """The matrix for `plane_matmul`, in vectors where rows share columns; it must `packs`."""
        parts = self._fours if self.shares_columns else self.parts
        return pack_for_planes(*parts, self.k)

    @cached_property
    def packs(self) -> bool:
        """Whether it has other forms than compressed rows."""
        values, columns, row_starts = self.parts
        if values.dtype != np.float32 or not len(values):
            return False
        demand_starts("SparseMatrix", row_starts, len(columns))
        return columns_rise(columns, row_starts, self.k)

    @cached_property
    def n_of_m(self) -> tuple[int, int] | None:
        """The pattern of halves that it keeps to, if to any."""
        values, columns, row_starts = self.parts
        n_rows = len(row_starts) - 1
        if 2 * len(values) < 0.9 * n_rows * self.k:
            return None
        rows = np.repeat(np.arange(n_rows), np.diff(row_starts))
        for n, m in HALVES:
            counts = np.bincount(rows * -(-self.k // m) + columns // m)
            if self.k % m == 0 and counts.max() <= n:
                return n, m
        return None

    @cached_property
    def shares_columns(self) -> bool:
        """Whether rows share columns four by four, but for a few zeros to fill in."""
        n_kept = len(self.parts[0])
        return HEIGHT * len(self._places_of_fours) <= SHARING_PAYS * n_kept

    @cached_property
    def _places_of_fours(self) -> Indices:
        """Where any of four rows keeps a value: the four rows' number times `k`, plus a column."""
        _, columns, row_starts = self.parts
        rows = np.repeat(np.arange(len(row_starts) - 1), np.diff(row_starts))
        return np.unique(rows // HEIGHT * self.k + columns)

    @cached_property
    def _for_a_vector(self) -> MatvecWeight:
        return pack_matvec(*self.parts, self.k)

    @cached_property
    def _for_few(self) -> Product:
        return self._structured or _block_product(pack_blocks(*self.parts, self.k, n=FEW_COLUMNS))

    @cached_property
    def _for_many(self) -> Product:
        return self._structured or _block_product(pack_blocks(*self.parts, self.k))

    @cached_property
    def _structured(self) -> Product | None:
        """The product by vectors or groups, where the mask has a structure."""
        if self.shares_columns:
            vectors, m = pack_vectors(*self._fours, self.k), len(self.parts[2]) - 1
            return lambda x: vector_matmul(vectors, x)[:m]
        if self.n_of_m is None:
            return None
        values, columns, row_starts = self.parts
        dense = np.zeros((len(row_starts) - 1, self.k), np.float32)
        dense[np.repeat(np.arange(len(dense)), np.diff(row_starts)), columns] = values
        groups = pack_n_of_m(dense, *self.n_of_m)
        return lambda x: n_of_m_matmul(groups, x)

    @property
    def _fours(self) -> tuple[Values, Indices, Indices]:
        """Compressed rows of vectors: four rows together."""
        values, columns, row_starts = self.parts
        m, places = len(row_starts) - 1, self._places_of_fours
        rows = np.repeat(np.arange(m), np.diff(row_starts))
        filled = np.zeros((len(places), HEIGHT), np.float32)
        filled[np.searchsorted(places, rows // HEIGHT * self.k + columns), rows % HEIGHT] = values
        n_fours = -(-m // HEIGHT)
        starts = np.searchsorted(places, self.k * np.arange(n_fours + 1)).astype(np.int32)
        return filled, (places % self.k).astype(np.int32), starts


def _block_product(packed: BlockedRows) -> Product:
    return lambda x: block_matmul(packed, x)
