"""Compressed sparse rows: the values kept, the column of each, and where each row begins."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int32
from torch import Tensor

from efficientdl import _check


@dataclass(frozen=True, eq=False)
class Csr:
    """A sparse matrix as a kernel reads it.

    Row `i` stands in `values[a:b]`, with `a, b = row_starts[i : i + 2]`. Its indices are the whole
    32-bit numbers that a kernel can use at once; `csr_bits` counts what they need when packed.

    Attributes:
        values: The entries kept, row by row.
        columns: The column of each.
        row_starts: Where each row begins, and one more for the end.
        shape: Rows and columns of the matrix.

    Raises:
        BadValue: The parts do not fit together.

    >>> figure = Csr.from_dense(torch.tensor([[0.0, 2.0], [0.0, 0.0], [3.0, 0.0]]))
    >>> figure.columns.tolist(), figure.row_starts.tolist()
    ([1, 0], [0, 1, 1, 2])

    Source: Saad, "Iterative Methods for Sparse Linear Systems", 2003, section 3.4; the survey's
    section 2.1; lab 02.
    """

    values: Float[Tensor, " kept"]
    columns: Int32[Tensor, " kept"]
    row_starts: Int32[Tensor, " starts"]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        m, k = self.shape
        if len(self.row_starts) != m + 1:
            rule = f"must have a start for each of {m} rows, and the end"
            _check.fail("Csr", "row_starts", rule, len(self.row_starts))
        if self.values.is_meta:  # shapes alone: there is no index to look at
            return
        starts = self.row_starts
        if starts[0] != 0 or starts[-1] != self.n_kept or bool((starts.diff() < 0).any()):
            rule = f"must rise from 0 to the number of values, {self.n_kept}"
            _check.fail("Csr", "row_starts", rule, starts.tolist())
        if not bool(((self.columns >= 0) & (self.columns < k)).all()):
            _check.fail("Csr", "columns", f"must be in [0, {k})", self.columns.tolist())

    @classmethod
    def from_dense(
        cls, matrix: Float[Tensor, "m k"], mask: Bool[Tensor, "m k"] | None = None
    ) -> "Csr":
        """The entries that a mask keeps, or all that are not zero where there is no mask.

        Args:
            matrix: What to compress.
            mask: True for each entry that stays; it may keep a zero.

        >>> Csr.from_dense(torch.eye(2), torch.tensor([[True, True], [False, False]])).values
        tensor([1., 0.])
        """
        kept = matrix != 0 if mask is None else mask
        if kept.shape != matrix.shape:
            rule = f"must have the matrix's shape {tuple(matrix.shape)}"
            _check.fail("Csr", "mask", rule, tuple(kept.shape))
        row_starts = torch.zeros(len(matrix) + 1, dtype=torch.int32, device=matrix.device)
        row_starts[1:] = kept.sum(dim=1).cumsum(dim=0)
        columns = kept.nonzero()[:, 1].to(torch.int32)
        shape = (matrix.shape[0], matrix.shape[1])
        return cls(matrix.detach()[kept], columns, row_starts, shape)

    def to_dense(self) -> Float[Tensor, "m k"]:
        """The matrix with its zeros.

        >>> Csr.from_dense(torch.eye(2)).to_dense()
        tensor([[1., 0.],
                [0., 1.]])
        """
        rows = torch.arange(self.shape[0], device=self.values.device)
        rows = rows.repeat_interleave(self.row_starts.diff().long())
        dense = self.values.new_zeros(self.shape)
        # Entries of the same place add up, as they do in a product.
        return dense.index_put_((rows, self.columns.long()), self.values, accumulate=True)

    @property
    def n_kept(self) -> int:
        """How many entries are stored."""
        return len(self.values)

    @property
    def index_bits(self) -> int:
        """Bits of all columns and row starts, 32 each."""
        return 32 * (len(self.columns) + len(self.row_starts))

    @property
    def bits(self) -> int:
        """Bits of all of it, as it lies in memory.

        >>> Csr.from_dense(torch.eye(2)).bits  # 2 values, 2 columns, 3 row starts
        224
        """
        return 8 * self.values.element_size() * self.n_kept + self.index_bits
