"""Two forms of a sparse matrix that meets one vector: a bit a weight, or a byte a value and step.

`spmv` chooses between them and multiplies.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Int32, UInt16, UInt32, UInt64

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.packed import Packed
from efficientdl.kernels.sparse.demands import Indices, demand_rise

Vector = Float32[np.ndarray, " n"]
LANES, WORD, TABLE, STEPS = 16, 64, 32, 4


@dataclass(frozen=True, eq=False)
class Bitmap(Packed):
    """A sparse matrix as a bit for each weight, and the values kept, row by row.

    Attributes:
        values: What is kept, and a register's worth of zeros.
        masks: Words of 64 weights of a row, the first weight lowest.
        starts: Where each row begins among the values, and the end.
        m: Rows.
        k: Columns.
    """

    values: Float32[np.ndarray, " kept"]
    masks: UInt64[np.ndarray, " words"]
    starts: Int32[np.ndarray, " starts"]
    m: int
    k: int

    dtypes: ClassVar = {"values": np.float32, "masks": np.uint64, "starts": np.int32}

    def demand(self) -> None:
        if self.values.ndim != 1 or len(self.values) < LANES:
            self.refuse("values", f"must be a list, {LANES} or longer", self.values.shape)
        demand_rise(self, self.starts, self.m + 1, len(self.values) - LANES)
        words = -(-self.k // WORD)
        if self.masks.shape != (self.m * words,):
            self.refuse("masks", f"must be {self.m} times {words} words", self.masks.shape)
        kept = np.bitwise_count(self.masks).reshape(self.m, words).sum(axis=1, dtype=np.int64)
        if (kept != np.diff(self.starts)).any():
            self.refuse("masks", "must have a one for each value of a row", kept.tolist())


@dataclass(frozen=True, eq=False)
class Permuted(Packed):
    """A sparse matrix, sixteen rows at a time, step by step: at most one value for each row.

    Attributes:
        values: What is kept, step by step, and a register's worth of zeros.
        masks: Which of the sixteen rows have a value in each step, the first row lowest.
        blocks: Which 32 columns each step meets.
        places: The columns within these, a byte for each row of four steps, in words.
        starts: Where each sixteen rows begin, in fours of steps, and the end.
        firsts: Where each sixteen rows begin among the values.
        m: Rows.
        k: Columns.
    """

    values: Float32[np.ndarray, " kept"]
    masks: UInt16[np.ndarray, " steps"]
    blocks: UInt16[np.ndarray, " steps"]
    places: UInt32[np.ndarray, " words"]
    starts: Int32[np.ndarray, " starts"]
    firsts: Int32[np.ndarray, " slices"]
    m: int
    k: int

    dtypes: ClassVar = {
        "values": np.float32, "masks": np.uint16, "blocks": np.uint16, "places": np.uint32,
        "starts": np.int32, "firsts": np.int32,
    }  # fmt: skip

    def demand(self) -> None:
        _check.whole("Permuted", "k", self.k, 1, TABLE * 2**16)
        n_slices, n_steps = -(-self.m // LANES), len(self.blocks)
        demand_rise(self, self.starts, n_slices + 1, n_steps // STEPS)
        shapes = self.blocks.shape, self.masks.shape, self.places.shape
        if n_steps % STEPS or shapes != ((n_steps,), (n_steps,), (n_steps // STEPS * LANES,)):
            rule = f"must be one, one and {LANES // STEPS} for each step, {STEPS} at a time"
            self.refuse("blocks, masks and places", rule, shapes)
        ends = np.concatenate([[0], np.cumsum(np.bitwise_count(self.masks), dtype=np.int64)])
        if self.values.shape != (int(ends[-1]) + LANES,):
            rule = f"must be one for each bit of the masks, and {LANES}"
            self.refuse("values", rule, self.values.shape)
        if not np.array_equal(self.firsts, ends[STEPS * self.starts[:-1].astype(np.int64)]):
            self.refuse("firsts", "must be where the masks have it", self.firsts.tolist())
        if n_steps and self.blocks.max() >= -(-self.k // TABLE):
            self.refuse("blocks", f"must be below {-(-self.k // TABLE)}", int(self.blocks.max()))


def bitmap(values: Vector, columns: Indices, row_starts: Indices, k: int) -> Bitmap:
    """Checked compressed rows as a bit for each weight."""
    m, words = len(row_starts) - 1, -(-k // WORD)
    masks = np.zeros(m * words, np.uint64)
    _set_bits(columns, row_starts, masks)
    room = np.concatenate([values, np.zeros(LANES, np.float32)])
    return Bitmap(room, masks, row_starts, m, k)


def permuted(values: Vector, columns: Indices, row_starts: Indices, k: int) -> Permuted:
    """Checked compressed rows, sixteen at a time, in steps of one block of columns each."""
    m, n_blocks = len(row_starts) - 1, -(-k // TABLE)
    counts = np.zeros((-(-m // LANES), n_blocks, LANES), np.int32)
    _count(columns, row_starts, counts)
    lengths = counts.max(axis=2, initial=0)  # steps of each block of each sixteen rows
    starts = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(-(-lengths.sum(axis=1) // STEPS), out=starts[1:])
    before = np.cumsum(lengths, axis=1) - lengths + STEPS * starts[:-1, None].astype(np.int64)
    n_steps = STEPS * int(starts[-1])
    masks, blocks = np.zeros(n_steps, np.uint16), np.zeros(n_steps, np.uint16)
    places = np.zeros(n_steps * LANES, np.uint8)
    steps = np.empty(len(columns), np.int64)
    _to_steps(columns, row_starts, before, steps, masks, blocks, places)
    ends = np.concatenate([[0], np.cumsum(np.bitwise_count(masks), dtype=np.int64)])
    ours = np.zeros(len(values) + LANES, np.float32)
    rows = np.repeat(np.arange(m) % LANES, np.diff(row_starts)).astype(np.uint16)
    lower = masks[steps] & ((np.uint16(1) << rows) - np.uint16(1))
    ours[ends[steps] + np.bitwise_count(lower)] = values
    four = places.reshape(-1, STEPS, LANES).transpose(0, 2, 1)  # a step's byte of a lane's word
    words = np.ascontiguousarray(four).view("<u4").reshape(-1).astype(np.uint32)
    firsts = ends[STEPS * starts[:-1].astype(np.int64)].astype(np.int32)
    return Permuted(ours, masks, blocks, words, starts, firsts, m, k)


@compiled
def _set_bits(columns, row_starts, masks):
    words = len(masks) // max(len(row_starts) - 1, 1)
    for i in range(len(row_starts) - 1):
        for p in range(row_starts[i], row_starts[i + 1]):
            c = columns[p]
            masks[i * words + c // WORD] |= np.uint64(1) << np.uint64(c % WORD)


@compiled
def _count(columns, row_starts, counts):
    for i in range(len(row_starts) - 1):
        for p in range(row_starts[i], row_starts[i + 1]):
            counts[i // LANES, columns[p] // TABLE, i % LANES] += 1


@compiled
def _to_steps(columns, row_starts, before, steps, masks, blocks, places):
    for i in range(len(row_starts) - 1):
        block, rank, row = -1, 0, i % LANES
        for p in range(row_starts[i], row_starts[i + 1]):
            b = columns[p] // TABLE
            rank = rank + 1 if b == block else 0
            block = b
            step = before[i // LANES, b] + rank
            steps[p] = step
            masks[step] |= np.uint16(1 << row)
            blocks[step], places[step * LANES + row] = b, columns[p] - b * TABLE
