"""A sparse matrix times one vector, in the form that moves the fewest bytes at its density.

One vector meets every weight once, so memory sets the pace. Sixteen rows go together, and a value's
place takes a byte (`Permuted`): the 32 numbers of `x` that it may meet lie in two registers. Where
nearly all weights are kept, a bit for every weight says whether it is, and there is no other index
(`Bitmap`). Both want instructions of AVX-512; without them, rows are read as `blocks` cuts them.
"""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import (
    aligned,
    at,
    expand,
    fma,
    load,
    prefetch,
    room,
    splat,
    store,
    total,
)
from efficientdl.kernels.sparse.blocks import (
    BlockedRows,
    block_matmul,
    block_matmul_reference,
    pack_blocks,
)
from efficientdl.kernels.sparse.demands import Indices, demand_rows, demand_x
from efficientdl.kernels.sparse.instructions import look_up_32, ones
from efficientdl.kernels.sparse.vector_forms import (
    LANES,
    STEPS,
    TABLE,
    WORD,
    Bitmap,
    Permuted,
    Vector,
    bitmap,
    permuted,
)
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

_ROWS = 16  # of a tile
_AHEAD = 1024  # values to fetch before they are needed
_DENSE = 0.75  # share of weights from which a bit for each is the cheaper index
_16 = np.uint64(16)


MatvecWeight = Bitmap | Permuted | BlockedRows


def pack_matvec(
    values: Float32[np.ndarray, " kept"], columns: Indices, row_starts: Indices, k: int
) -> MatvecWeight:
    """Compressed rows in the form that `matvec` reads fastest, by the share of weights kept.

    Args:
        values: The entries kept, row by row, in float32.
        columns: The column of each; within a row they rise.
        row_starts: Where each row begins among them, and one more for the end.
        k: Columns of the matrix.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or columns do not rise.

    >>> weight = pack_matvec(np.float32([2]), np.int32([40]), np.int32([0, 1]), 99)
    >>> matvec(weight, np.arange(99, dtype=np.float32))
    array([80.], dtype=float32)
    """
    values, columns, row_starts = demand_rows("pack_matvec", values, columns, row_starts, k)
    if values.ndim != 1:
        _check.fail("pack_matvec", "values", "must be a list", values.shape)
    if not cpu.has(cpu.AVX512) or k > TABLE * 2**16:
        return pack_blocks(values, columns, row_starts, k, n=1)
    m = len(row_starts) - 1
    form = bitmap if len(values) >= _DENSE * m * k else permuted
    return form(values, columns, row_starts, k)


def matvec(weight: MatvecWeight, x: Vector) -> Vector:
    """Multiply a sparse matrix by a vector: `y = A x`.

    A dropped weight of a bitmap is multiplied as a zero, so an infinity in `x` turns into NaN, as
    in a dense kernel; so may it where rows go together.

    Args:
        weight: What `pack_matvec` has made.
        x: The vector, in float32.

    Raises:
        BadKind: `weight` or `x` is of another kind.
        BadValue: `x` is not as long as the matrix is wide.

    >>> weight = pack_matvec(np.float32([2, 3]), np.int32([0, 1]), np.int32([0, 2]), 2)
    >>> matvec(weight, np.float32([10, 1]))
    array([23.], dtype=float32)

    Source: bits for blocks: Buluç, Williams, Oliker and Demmel, "Reduced-Bandwidth Multithreaded
    Algorithms for Sparse Matrix-Vector Multiplication", IPDPS 2011, section III; rows that go
    together: Kreutzer, Hager, Wellein, Fehske and Bishop, "A Unified Sparse Matrix Data Format for
    Efficient General Sparse Matrix-Vector Multiplication on Modern Processors with Wide SIMD
    Units", 2014; the survey's section 6; lab 13.
    """
    _check.kind("matvec", "weight", weight, (Bitmap, Permuted, BlockedRows))
    demand_x("matvec", x, weight.k, 1)
    if isinstance(weight, BlockedRows):
        return np.ascontiguousarray(block_matmul(weight, x[:, None])[:, 0])
    padded = np.require(x, None, ("C", "A", "W"))  # the loops are compiled once
    if weight.k % WORD:  # the last word's weights meet zeros
        padded = aligned(-(-weight.k // WORD) * WORD, np.float32)
        padded[: weight.k] = x
    y = room(-(-weight.m // _ROWS) * _ROWS, np.float32)
    n_tiles = -(-weight.m // _ROWS)
    if isinstance(weight, Bitmap):
        deal(_by_bits, n_tiles, weight.values, weight.masks, weight.starts, padded, y, weight.m)
    else:
        parts = weight.values, weight.masks, weight.blocks, weight.places
        deal(_by_steps, n_tiles, parts, weight.starts, weight.firsts, padded, y)
    return y[: weight.m]


def matvec_reference(weight: MatvecWeight, x: Vector) -> Vector:
    """`matvec` in NumPy: the matrix unpacked and multiplied."""
    if isinstance(weight, BlockedRows):
        return block_matmul_reference(weight, x[:, None])[:, 0]
    if isinstance(weight, Bitmap):
        bits = np.unpackbits(weight.masks.astype("<u8").view(np.uint8), bitorder="little")
        dense = np.zeros((weight.m, -(-weight.k // WORD) * WORD), np.float32)
        dense[bits.reshape(dense.shape) == 1] = weight.values[:-LANES]
        return dense[:, : weight.k] @ x
    bytes_ = weight.places.astype("<u4").view(np.uint8).reshape(-1, LANES, STEPS)
    places = bytes_.transpose(0, 2, 1).reshape(-1, LANES)
    columns = weight.blocks[:, None].astype(np.intp) * TABLE + places
    whole = np.zeros(-(-weight.k // TABLE) * TABLE, np.float32)
    whole[: weight.k] = x
    there = (weight.masks[:, None] >> np.arange(LANES)) & 1 == 1
    steps = np.zeros(there.shape, np.float32)
    steps[there] = weight.values[:-LANES] * whole[columns[there]]
    y = np.zeros((len(weight.starts) - 1, LANES), np.float32)
    np.add.at(y, np.repeat(np.arange(len(y)), STEPS * np.diff(weight.starts)), steps)
    return y.reshape(-1)[: weight.m]


def matvec_cost(weight: MatvecWeight, x: tuple[int, ...]) -> Cost:
    """MACs of the values kept, and bytes that must travel.

    >>> weight = pack_matvec(np.float32([2, 3]), np.int32([0, 1]), np.int32([0, 2]), 2)
    >>> matvec_cost(weight, (2,)).macs
    2
    """
    kept = int(np.count_nonzero(weight.values))
    return Cost(macs=kept, traffic_bytes=weight.n_bytes + 4 * (x[0] + weight.m))


@compiled
def _by_bits(first, last, values, masks, starts, x, y, m):
    words, zero = len(x) // WORD, splat(np.float32(0))
    for i in range(first * _ROWS, min(last * _ROWS, m)):
        p = np.int64(at(starts, i))
        a, b, c, d = zero, zero, zero, zero
        for w in range(words):
            prefetch(values, p + _AHEAD)
            prefetch(values, p + _AHEAD + LANES)
            mask, k = at(masks, i * words + w), w * WORD
            second, third = mask >> _16, mask >> np.uint64(32)
            q = p + ones(mask & np.uint64(0xFFFF))
            r = p + ones(mask & np.uint64(0xFFFFFFFF))
            s = p + ones(mask & np.uint64(0xFFFFFFFFFFFF))
            a = fma(expand(values, p, mask & np.uint64(0xFFFF)), load(x, k), a)
            b = fma(expand(values, q, second & np.uint64(0xFFFF)), load(x, k + 16), b)
            c = fma(expand(values, r, third & np.uint64(0xFFFF)), load(x, k + 32), c)
            d = fma(expand(values, s, mask >> np.uint64(48)), load(x, k + 48), d)
            p += ones(mask)
        y[i] = total((a + b) + (c + d))


@compiled
def _by_steps(first, last, weight, starts, firsts, x, y):
    values, masks, blocks, places = weight
    zero = splat(np.float32(0))
    for t in range(first, last):
        a, b, c, d = zero, zero, zero, zero
        p = np.int64(at(firsts, t))
        for four in range(np.int64(at(starts, t)), np.int64(at(starts, t + 1))):
            s = four * STEPS
            prefetch(values, p + _AHEAD)
            prefetch(values, p + _AHEAD + LANES)
            index = load(places, 4 * s)
            m0, m1, m2, m3 = at(masks, s), at(masks, s + 1), at(masks, s + 2), at(masks, s + 3)
            o = np.int64(at(blocks, s)) * TABLE
            a = fma(expand(values, p, m0), look_up_32(load(x, o), load(x, o + 16), index), a)
            p, o = p + ones(m0), np.int64(at(blocks, s + 1)) * TABLE
            b = fma(expand(values, p, m1), look_up_32(load(x, o), load(x, o + 16), index >> 8), b)
            p, o = p + ones(m1), np.int64(at(blocks, s + 2)) * TABLE
            c = fma(expand(values, p, m2), look_up_32(load(x, o), load(x, o + 16), index >> 16), c)
            p, o = p + ones(m2), np.int64(at(blocks, s + 3)) * TABLE
            d = fma(expand(values, p, m3), look_up_32(load(x, o), load(x, o + 16), index >> 24), d)
            p += ones(m3)
        store(y, t * LANES, (a + b) + (c + d))
