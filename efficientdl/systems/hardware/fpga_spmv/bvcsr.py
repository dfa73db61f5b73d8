"""BVCSR: a bit for each column of a small block, where CSR has a number for each entry.

The memory of an FPGA board moves so many bits a cycle, and every bit of an index is none of a
value. Entries that stand side by side share most of their column number, so it is written once
for a block of columns; a vector of bits says which of them the block keeps.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Bool, Int64, Num

from efficientdl import _check
from efficientdl.systems.hardware.arch import FAST_DRAM, Dram
from efficientdl.systems.hardware.fpga_spmv.operands import check_vector
from efficientdl.systems.hardware.gemm import wide
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.spgemm.rows import Rows, check_matrix, compress


@dataclass(frozen=True, eq=False)
class Bvcsr:
    """A sparse matrix in rows of blocks.

    Attributes:
        starts: Where the blocks of each row begin, and the end.
        blocks: Number of each block in its row of blocks, from the left.
        kept: Which columns of the block are kept.
        values: The entries kept, in order.
        n_columns: Columns of the matrix.

    >>> figure = Bvcsr.from_dense(np.array([[0, 0, 5, 6], [7, 0, 0, 0]]), block=2)
    >>> figure.blocks.tolist(), figure.kept.astype(int).tolist()
    ([1, 0], [[1, 1], [1, 0]])

    Source: Zou, Dou, Guo, Ni, "High Performance Sparse Matrix-Vector Multiplication on FPGA", IEICE
        Electronics Express 2013; survey section 6.2; lab 14. The paper was not at hand. The survey
        says that BVCSR shortens the indices; a summary of the paper, that it has two levels, blocks
        and what they hold, and profits from entries side by side. That a block is part of one row,
        and what it holds a vector of bits, is assumed.
    """

    starts: Int64[np.ndarray, " starts"]
    blocks: Int64[np.ndarray, " blocks"]
    kept: Bool[np.ndarray, "blocks width"]
    values: Num[np.ndarray, " kept"]
    n_columns: int

    @classmethod
    def from_dense(cls, weight: Num[np.ndarray, "m k"], *, block: int = 8) -> "Bvcsr":
        """The entries that are not zero.

        Args:
            weight: The matrix.
            block: Columns of a block. With 1 there is a block for each entry, and this is CSR; with
                all columns it is a dense row of bits.

        Raises:
            BadValue: A matrix that is empty or not finite, or a block of no column.
        """
        check_matrix("Bvcsr.from_dense", "weight", weight)
        _check.whole("Bvcsr.from_dense", "block", block, 1, weight.shape[1])
        a = compress(weight)
        per_row = -(-a.n_columns // block)
        name = a.rows * per_row + a.columns // block
        names, which = np.unique(name, return_inverse=True)
        kept = np.zeros((len(names), block), bool)
        kept[which, a.columns % block] = True
        starts = np.searchsorted(names // per_row, np.arange(a.n_rows + 1))
        return cls(starts, names % per_row, kept, a.values, a.n_columns)

    @property
    def block(self) -> int:
        """Columns of a block."""
        return self.kept.shape[1]

    def to_rows(self) -> Rows:
        """The same matrix in compressed rows."""
        which, column = self.kept.nonzero()
        columns = self.blocks[which] * self.block + column
        before = np.concatenate([[0], np.cumsum(self.kept.sum(axis=1))])
        return Rows(before[self.starts], columns, self.values, self.n_columns)

    @property
    def index_bits(self) -> int:
        """Bits of all that is not a value.

        Of `B` blocks of `b` columns, in `m` rows of `k` columns:
        `B (ceil(log2 ceil(k / b)) + b) + (m + 1) ceil(log2(B + 1))`.

        >>> weight = np.ones((2, 64), int)
        >>> Bvcsr.from_dense(weight, block=8).index_bits, csr_index_bits(compress(weight))
        (191, 792)
        """
        n = len(self.blocks)
        per_row = -(-self.n_columns // self.block)
        return n * ((per_row - 1).bit_length() + self.block) + len(self.starts) * n.bit_length()


def csr_index_bits(matrix: Rows) -> int:
    """Bits of the indices of compressed rows, none wider than it must be.

    Of `z` entries in `m` rows of `k` columns: `z ceil(log2 k) + (m + 1) ceil(log2(z + 1))`. So a
    block of `b` columns pays when it keeps more than
    `(ceil(log2 ceil(k / b)) + b) / ceil(log2 k)` entries, the row starts aside.

    >>> csr_index_bits(compress(np.eye(8)))  # 8 x 3 bits, and 9 x 4
    60
    """
    z = matrix.n_kept
    return z * (matrix.n_columns - 1).bit_length() + len(matrix.starts) * z.bit_length()


def bvcsr_matvec(
    weight: Bvcsr,
    x: Num[np.ndarray, " k"],
    *,
    n_units: int = 4,
    value_bits: int = 64,
    dram: Dram = FAST_DRAM,
) -> Run:
    """Multiply from the blocks: count the bits of each, and take so many values off the stream.

    A block of `c` entries takes `ceil(c / n_units)` cycles, or the matrix as long as its bits need
    from the DRAM. Where that is what limits, every index bit saved is time saved. The run's words
    of `index` are bits.

    Args:
        weight: The matrix.
        x: The vector, which lies on the chip.
        n_units: Multipliers.
        value_bits: Width of a value.
        dram: The memory outside.

    Raises:
        BadValue: A vector of another length, or with an entry that is not finite.

    >>> weight = Bvcsr.from_dense(np.array([[0, 0, 5, 6], [7, 0, 0, 0]]), block=2)
    >>> run = bvcsr_matvec(weight, np.array([1, 2, 3, 4]), n_units=2)
    >>> run.y.tolist(), run.cycles
    ([39, 7], 2)

    Source: as `Bvcsr`.
    """
    _check.kind("bvcsr_matvec", "weight", weight, Bvcsr)
    check_vector("bvcsr_matvec", x, weight.n_columns)
    _check.whole("bvcsr_matvec", "n_units", n_units, 1)
    _check.whole("bvcsr_matvec", "value_bits", value_bits, 1, 64)
    _check.kind("bvcsr_matvec", "dram", dram, Dram)
    counts = weight.kept.sum(axis=1)
    a = weight.to_rows()
    y = np.zeros(a.n_rows, np.result_type(a.values, wide(x)))
    np.add.at(y, a.rows, a.values * wide(x)[a.columns])
    moved = {"weight": a.n_kept, "x": a.n_columns, "y": a.n_rows, "index": weight.index_bits}
    bits = dict.fromkeys(("weight", "x", "y"), value_bits) | {"index": 1}
    through = ceil(sum(n * bits[name] for name, n in moved.items()) / dram.bits_per_cycle)
    busy = int((-(-counts // n_units)).sum())
    cycles = dram.latency_cycles + max(busy, through)
    return Run(
        cycles=cycles,
        macs=a.n_kept,
        n_units=n_units,
        accesses={"dram": moved, "buffer": {"x": a.n_columns + a.n_kept}},
        bits=bits,
        y=y,
        formula=(
            f"cycles = {cycles:,}: {busy:,} for {len(counts):,} blocks of {weight.block} columns;"
            f" the DRAM takes {through:,}",
            f"index bits = {weight.index_bits:,}; compressed rows have {csr_index_bits(a):,}",
        ),
    )
