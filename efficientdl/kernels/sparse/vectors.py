"""Rows that share columns, four by four, times a dense matrix: one index, and one look at `x`, for
four values.

Where weights are dropped in vectors of four rows (4x1), a row of `x` that is loaded serves four
rows of the product. So a value costs its multiplication and little else.
"""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import at, fma, load, load_half, splat, splat_half, store, within
from efficientdl.kernels.sparse.blocks import (
    BlockedRows,
    block_matmul_cost,
    block_matmul_reference,
    blocked,
    columns_of_a_block,
    multiply,
)
from efficientdl.kernels.sparse.demands import Indices, demand_rows, demand_x
from efficientdl.kernels.sparse.panels import Matrix, whereabouts
from efficientdl.report import Cost

HEIGHT = 4
ANY = np.float32(np.inf)
WIDEST = 64 if cpu.has(cpu.AVX512) else 16  # sixteen sums of 64 bytes need 32 registers


def pack_vectors(
    values: Float32[np.ndarray, "kept 4"], columns: Indices, row_starts: Indices, k: int
) -> BlockedRows:
    """Groups of four rows that share columns, cut into blocks of columns.

    Args:
        values: The vectors kept, group by group, in float32: a value for each row of the group.
        columns: The column of each; within a group they rise.
        row_starts: Where each group begins among them, and one more for the end.
        k: Columns of the matrix.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or columns do not rise.

    >>> weight = pack_vectors(np.float32([[1, 2, 3, 4]]), np.int32([1]), np.int32([0, 1]), 2)
    >>> vector_matmul(weight, np.float32([[5], [10]])).ravel()
    array([10., 20., 30., 40.], dtype=float32)
    """
    values, columns, row_starts = demand_rows("pack_vectors", values, columns, row_starts, k)
    if values.ndim != 2 or values.shape[1] != HEIGHT:
        _check.fail("pack_vectors", "shape of values", f"must be kept {HEIGHT}", values.shape)
    return blocked(values, columns, row_starts, k, columns_of_a_block(row_starts, k, 256))


def vector_matmul(weight: BlockedRows, x: Matrix) -> Matrix:
    """Multiply a matrix whose rows share columns four by four by a dense one: `y = A x`.

    Args:
        weight: What `pack_vectors` has made.
        x: What to multiply by, float32 of any layout. Where its columns lie side by side, so do
            those of `y`.

    Raises:
        BadKind: `weight` or `x` is of another kind.
        BadValue: `x` has not as many rows as the weight has columns, or rows share no columns.

    >>> weight = pack_vectors(np.ones((1, 4), np.float32), np.int32([0]), np.int32([0, 1]), 1)
    >>> vector_matmul(weight, np.float32([[1, 3]])).tolist()
    [[1.0, 3.0], [1.0, 3.0], [1.0, 3.0], [1.0, 3.0]]

    Source: Chen, Qu, Liu, Ding and Xie, "Efficient Tensor Core-Based GPU Kernels for Structured
    Sparsity under Reduced Precision", SC 2021, section 4, on column vectors; the survey's section
    6; lab 13.
    """
    _check.kind("vector_matmul", "weight", weight, BlockedRows)
    if weight.height != HEIGHT:
        _check.fail("vector_matmul", "height of the weight", f"must be {HEIGHT}", weight.height)
    demand_x("vector_matmul", x, weight.k, 2)
    return multiply(weight, x, LOOPS, WIDEST)


def vector_matmul_reference(weight: BlockedRows, x: Matrix) -> Matrix:
    """`vector_matmul` in NumPy: each group's vectors times the rows of `x` that they meet."""
    return block_matmul_reference(weight, x)


def vector_matmul_cost(weight: BlockedRows, x: tuple[int, ...]) -> Cost:
    """MACs that run, and bytes that must travel, from the weight and the shape of `x`.

    >>> weight = pack_vectors(np.ones((1, 4), np.float32), np.int32([0]), np.int32([0, 1]), 1)
    >>> vector_matmul_cost(weight, (1, 2)).macs
    8
    """
    return block_matmul_cost(weight, x)


@compiled
def _by_64(first, last, x, y, weight, sizes, frame, finish):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    (x_stride, x_step, stride, step), bias = frame[3:], finish[0]
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            least, most = _bounds(b, n_blocks, finish)
            low, high = splat(least), splat(most)
            of_x, top = panel * x_step + b * block * x_stride, (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = np.int64(at(starts, i)), np.int64(at(starts, i + 1))
                if p == end and 0 < b < n_blocks - 1:
                    continue
                row = (number * tile + np.int64(at(rows, i))) * HEIGHT
                to = row * stride + panel * step
                a0, a1, a2, a3 = _sums(y, to, b, at(bias, row))
                b0, b1, b2, b3 = _sums(y, to + stride, b, at(bias, row + 1))
                c0, c1, c2, c3 = _sums(y, to + 2 * stride, b, at(bias, row + 2))
                d0, d1, d2, d3 = _sums(y, to + 3 * stride, b, at(bias, row + 3))
                for q in range(p, end):
                    o = of_x + np.int64(at(places, q)) * x_stride
                    x0, x1, x2, x3 = load(x, o), load(x, o + 16), load(x, o + 32), load(x, o + 48)
                    v = splat(at(values, 4 * q))
                    a0, a1, a2, a3 = fma(v, x0, a0), fma(v, x1, a1), fma(v, x2, a2), fma(v, x3, a3)
                    v = splat(at(values, 4 * q + 1))
                    b0, b1, b2, b3 = fma(v, x0, b0), fma(v, x1, b1), fma(v, x2, b2), fma(v, x3, b3)
                    v = splat(at(values, 4 * q + 2))
                    c0, c1, c2, c3 = fma(v, x0, c0), fma(v, x1, c1), fma(v, x2, c2), fma(v, x3, c3)
                    v = splat(at(values, 4 * q + 3))
                    d0, d1, d2, d3 = fma(v, x0, d0), fma(v, x1, d1), fma(v, x2, d2), fma(v, x3, d3)
                _put(y, to, (a0, a1, a2, a3), low, high)
                _put(y, to + stride, (b0, b1, b2, b3), low, high)
                _put(y, to + 2 * stride, (c0, c1, c2, c3), low, high)
                _put(y, to + 3 * stride, (d0, d1, d2, d3), low, high)


@compiled
def _sums(y, to, block, bias):
    """The sums of a row so far."""
    if block:
        return load(y, to), load(y, to + 16), load(y, to + 32), load(y, to + 48)
    start = splat(bias)
    return start, start, start, start


@compiled
def _put(y, to, sums, low, high):
    store(y, to, within(sums[0], low, high))
    store(y, to + 16, within(sums[1], low, high))
    store(y, to + 32, within(sums[2], low, high))
    store(y, to + 48, within(sums[3], low, high))


@compiled
def _bounds(block, n_blocks, finish):
    """What the sums are kept within: all there is, but in the last block."""
    if block == n_blocks - 1:
        return finish[1], finish[2]
    return -ANY, ANY


@compiled
def _by_16(first, last, x, y, weight, sizes, frame, finish):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    (x_stride, x_step, stride, step), bias = frame[3:], finish[0]
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            least, most = _bounds(b, n_blocks, finish)
            low, high = splat(least), splat(most)
            of_x, top = panel * x_step + b * block * x_stride, (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                row = (number * tile + np.int64(at(rows, i))) * HEIGHT
                to = row * stride + panel * step
                if b:
                    a0, a1 = load(y, to), load(y, to + stride)
                    a2, a3 = load(y, to + 2 * stride), load(y, to + 3 * stride)
                else:
                    a0, a1 = splat(at(bias, row)), splat(at(bias, row + 1))
                    a2, a3 = splat(at(bias, row + 2)), splat(at(bias, row + 3))
                for q in range(np.int64(at(starts, i)), np.int64(at(starts, i + 1))):
                    part = load(x, of_x + np.int64(at(places, q)) * x_stride)
                    a0 = fma(splat(at(values, 4 * q)), part, a0)
                    a1 = fma(splat(at(values, 4 * q + 1)), part, a1)
                    a2 = fma(splat(at(values, 4 * q + 2)), part, a2)
                    a3 = fma(splat(at(values, 4 * q + 3)), part, a3)
                store(y, to, within(a0, low, high))
                store(y, to + stride, within(a1, low, high))
                store(y, to + 2 * stride, within(a2, low, high))
                store(y, to + 3 * stride, within(a3, low, high))


@compiled
def _by_8(first, last, x, y, weight, sizes, frame, finish):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    (x_stride, x_step, stride, step), bias = frame[3:], finish[0]
    zero = splat_half(np.float32(0))
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            least, most = _bounds(b, n_blocks, finish)
            low, high = splat_half(least), splat_half(most)
            of_x, top = panel * x_step + b * block * x_stride, (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                q, end = np.int64(at(starts, i)), np.int64(at(starts, i + 1))
                row = (number * tile + np.int64(at(rows, i))) * HEIGHT
                to = row * stride + panel * step
                b0, b1, b2, b3 = zero, zero, zero, zero
                if b:
                    a0, a1 = load_half(y, to), load_half(y, to + stride)
                    a2, a3 = load_half(y, to + 2 * stride), load_half(y, to + 3 * stride)
                else:
                    a0, a1 = splat_half(at(bias, row)), splat_half(at(bias, row + 1))
                    a2, a3 = splat_half(at(bias, row + 2)), splat_half(at(bias, row + 3))
                while q < end:
                    part = load_half(x, of_x + np.int64(at(places, q)) * x_stride)
                    a0 = fma(splat_half(at(values, 4 * q)), part, a0)
                    a1 = fma(splat_half(at(values, 4 * q + 1)), part, a1)
                    a2 = fma(splat_half(at(values, 4 * q + 2)), part, a2)
                    a3 = fma(splat_half(at(values, 4 * q + 3)), part, a3)
                    if q + 1 == end:
                        break
                    part = load_half(x, of_x + np.int64(at(places, q + 1)) * x_stride)
                    b0 = fma(splat_half(at(values, 4 * q + 4)), part, b0)
                    b1 = fma(splat_half(at(values, 4 * q + 5)), part, b1)
                    b2 = fma(splat_half(at(values, 4 * q + 6)), part, b2)
                    b3 = fma(splat_half(at(values, 4 * q + 7)), part, b3)
                    q += 2
                store(y, to, within(a0 + b0, low, high))
                store(y, to + stride, within(a1 + b1, low, high))
                store(y, to + 2 * stride, within(a2 + b2, low, high))
                store(y, to + 3 * stride, within(a3 + b3, low, high))


LOOPS = {64: _by_64, 16: _by_16, 8: _by_8}
