"""Weights as EIE stores them: the columns of each unit compressed, every index a short jump.

Output `i` belongs to unit `i % n_units`, which adds up all of it alone. Of each column a unit keeps
the weights that are not zero, as codes of a table of shared values, and with each how many of its
own outputs are jumped over. A jump too long for its bits is made in steps: an entry whose weight is
zero stands between.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Num, UInt16

from efficientdl import _check
from efficientdl.systems.hardware.gemm import check_finite, wide
from efficientdl.systems.hardware.sparse.jumps import jumps

POINTER_BITS = 16  # assumed: where a column begins


@dataclass(frozen=True, eq=False)
class InterleavedColumns:
    """A sparse matrix dealt out to units, each with compressed columns of its own.

    Entries `starts[u, j]` to `starts[u, j + 1]` are those of column `j` in unit `u`.

    Attributes:
        codes: Place of each weight in the table; 0 for the zeros that only lengthen a jump.
        skips: How many outputs of the unit are jumped over before each entry.
        starts: Where each column of each unit begins, and where the unit's last one ends.
        values: The table of shared weights; the first is zero.
        shape: k inputs, each with its column, and n outputs.
        index_bits: Width of a skip.
        weight_bits: Width of a code.
    """

    codes: UInt16[np.ndarray, " entries"]
    skips: UInt16[np.ndarray, " entries"]
    starts: Int64[np.ndarray, "units k1"]
    values: Num[np.ndarray, " values"]
    shape: tuple[int, int]
    index_bits: int = 4
    weight_bits: int = 4

    @classmethod
    def from_dense(
        cls,
        weight: Num[np.ndarray, "k n"],
        *,
        n_units: int,
        index_bits: int = 4,
        weight_bits: int = 4,
    ) -> "InterleavedColumns":
        """Compress a matrix, whose zeros are dropped.

        Args:
            weight: Inputs by outputs: its row `j` is column `j` of the paper's matrix.
            n_units: Units that the outputs are dealt out to.
            index_bits: Width of a skip, 1 to 16.
            weight_bits: Width of a code, 1 to 16.

        Raises:
            BadValue: More distinct weights than codes.

        >>> column = np.zeros((1, 23), int)  # the paper's: 1, 2, and 3 after 18 zeros
        >>> column[0, [2, 3, 22]] = 1, 2, 3
        >>> figure = InterleavedColumns.from_dense(column, n_units=1)
        >>> figure.values[figure.codes].tolist(), figure.skips.tolist()
        ([1, 2, 0, 3], [2, 0, 15, 2])

        Source: Han et al., "EIE", ISCA 2016, section III; survey section 6.2; lab 14.
        """
        _check_matrix(weight)
        _check.whole("InterleavedColumns", "n_units", n_units, 1)
        _check.whole("InterleavedColumns", "index_bits", index_bits, 1, 16)
        _check.whole("InterleavedColumns", "weight_bits", weight_bits, 1, 16)
        k, n = weight.shape
        dealt = np.zeros((k, -(-n // n_units) * n_units), weight.dtype)
        dealt[:, :n] = weight
        dealt = np.ascontiguousarray(dealt.reshape(k, -1, n_units).transpose(2, 0, 1))
        unit, column, row = dealt.nonzero()  # unit by unit, column by column, downwards
        values, codes = _shared(wide(dealt[unit, column, row]), weight_bits)
        ours = unit * k + column
        padding, skip = np.divmod(jumps(ours, row), 1 << index_bits)
        at = np.cumsum(padding + 1) - 1
        n_entries = int(at[-1]) + 1 if len(at) else 0
        all_codes = np.zeros(n_entries, np.uint16)
        all_skips = np.full(n_entries, (1 << index_bits) - 1, np.uint16)
        all_codes[at], all_skips[at] = codes, skip
        in_each = np.bincount(ours, weights=padding + 1, minlength=n_units * k).astype(np.int64)
        ends = np.cumsum(in_each).reshape(n_units, k)
        before = np.concatenate([[0], ends[:-1, -1]])[:, None]
        starts = np.concatenate([before, ends], axis=1)
        return cls(all_codes, all_skips, starts, values, (k, n), index_bits, weight_bits)

    def to_dense(self) -> Num[np.ndarray, "k n"]:
        """The matrix again.

        >>> eye = np.eye(3, dtype=int)
        >>> InterleavedColumns.from_dense(eye, n_units=2).to_dense().tolist() == eye.tolist()
        True
        """
        (k, n), n_units = self.shape, self.n_units
        dense = np.zeros((k, -(-n // n_units) * n_units), self.values.dtype)
        for unit in range(n_units):
            for j in range(k):
                mine = slice(self.starts[unit, j], self.starts[unit, j + 1])
                rows = np.cumsum(self.skips[mine].astype(np.int64) + 1) - 1
                dense[j, rows * n_units + unit] = self.values[self.codes[mine]]
        return dense[:, :n]

    @property
    def n_units(self) -> int:
        """Units that the outputs are dealt out to."""
        return len(self.starts)

    @property
    def n_entries(self) -> int:
        """Weights stored, padding zeros included."""
        return len(self.codes)

    @property
    def n_padding(self) -> int:
        """Zeros that are stored only because a jump was too long."""
        return self.n_entries - int(np.count_nonzero(self.codes))

    @property
    def work(self) -> Int64[np.ndarray, "units k"]:
        """Entries of each column in each unit: how long a unit takes for it."""
        return np.diff(self.starts, axis=1)

    @property
    def bits(self) -> int:
        """Entries and pointers, in bits; the table of values is not counted.

        >>> InterleavedColumns.from_dense(np.eye(4), n_units=2).bits  # 4 entries, 2 x 5 pointers
        192
        """
        entry = self.index_bits + self.weight_bits
        return self.n_entries * entry + self.starts.size * POINTER_BITS


def _check_matrix(weight: object) -> None:
    _check.kind("InterleavedColumns", "weight", weight, np.ndarray)
    if weight.ndim != 2 or not weight.size:  # pyright: ignore[reportAttributeAccessIssue]
        rule = "must be a matrix with inputs and outputs"
        _check.fail("InterleavedColumns", "weight", rule, weight.shape)  # pyright: ignore[reportAttributeAccessIssue]
    check_finite("InterleavedColumns", "weight", weight)  # pyright: ignore[reportArgumentType]


def _shared(
    kept: Num[np.ndarray, " kept"], weight_bits: int
) -> tuple[Num[np.ndarray, " values"], Int64[np.ndarray, " kept"]]:
    """The table of distinct weights behind a zero, and the place of each weight in it."""
    distinct, place = np.unique(kept, return_inverse=True)
    if len(distinct) >= 1 << weight_bits:
        rule = f"must have at most {1 << weight_bits} distinct values, zero among them, to be"
        rule += f" codes of {weight_bits} bits"
        _check.fail("InterleavedColumns", "weight", rule, len(distinct) + 1)
    return np.concatenate([np.zeros(1, kept.dtype), distinct]), place + 1
