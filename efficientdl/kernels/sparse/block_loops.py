"""The loops of `blocks`, one for each width of panels: four sums of registers, or of half ones.

Tile by tile of rows, block by block of columns, row by row; sums are fetched from `y` and put back
once for each row of a block. The first block's sums begin at the row's bias: `y` may hold anything.
The last block's are kept within bounds before they are stored.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import at, fma, load, load_half, splat, splat_half, store, within
from efficientdl.kernels.sparse.panels import whereabouts


@compiled
def _row(places, p, of_x):
    """Where the row of `x` begins that a value meets: `of_x` is that of the block, and the step."""
    return of_x[0] + np.int64(at(places, p)) * of_x[1]


@compiled
def _by_64(first, last, x, y, weight, sizes, frame, finish):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    (x_stride, x_step, stride, step), bias = frame[3:], finish[0]
    low, high = splat(finish[1]), splat(finish[2])
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            of_x = panel * x_step + b * block * x_stride, x_stride
            top = (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = at(starts, i), at(starts, i + 1)
                if p == end and 0 < b < n_blocks - 1:
                    continue
                row = number * tile + np.int64(at(rows, i))
                to = row * stride + panel * step
                if b:
                    a0, a1 = load(y, to), load(y, to + 16)
                    a2, a3 = load(y, to + 32), load(y, to + 48)
                else:
                    a0 = a1 = a2 = a3 = splat(at(bias, row))
                while p < end:
                    v, o = splat(at(values, p)), _row(places, p, of_x)
                    a0 = fma(v, load(x, o), a0)
                    a1 = fma(v, load(x, o + 16), a1)
                    a2 = fma(v, load(x, o + 32), a2)
                    a3 = fma(v, load(x, o + 48), a3)
                    p += 1
                if b == n_blocks - 1:
                    a0, a1 = within(a0, low, high), within(a1, low, high)
                    a2, a3 = within(a2, low, high), within(a3, low, high)
                store(y, to, a0)
                store(y, to + 16, a1)
                store(y, to + 32, a2)
                store(y, to + 48, a3)


@compiled
def _by_16(first, last, x, y, weight, sizes, frame, finish):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    (x_stride, x_step, stride, step), bias = frame[3:], finish[0]
    zero, low, high = splat(np.float32(0)), splat(finish[1]), splat(finish[2])
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            of_x = panel * x_step + b * block * x_stride, x_stride
            top = (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = at(starts, i), at(starts, i + 1)
                row = number * tile + np.int64(at(rows, i))
                to = row * stride + panel * step
                # Four sums: one alone would wait for each addition before the next.
                a0 = load(y, to) if b else splat(at(bias, row))
                a1, a2, a3 = zero, zero, zero
                while p + 4 <= end:
                    o0, o1 = _row(places, p, of_x), _row(places, p + 1, of_x)
                    o2, o3 = _row(places, p + 2, of_x), _row(places, p + 3, of_x)
                    a0 = fma(splat(at(values, p)), load(x, o0), a0)
                    a1 = fma(splat(at(values, p + 1)), load(x, o1), a1)
                    a2 = fma(splat(at(values, p + 2)), load(x, o2), a2)
                    a3 = fma(splat(at(values, p + 3)), load(x, o3), a3)
                    p += 4
                while p < end:
                    o = _row(places, p, of_x)
                    a0 = fma(splat(at(values, p)), load(x, o), a0)
                    p += 1
                a0 = (a0 + a1) + (a2 + a3)
                store(y, to, within(a0, low, high) if b == n_blocks - 1 else a0)


@compiled
def _by_8(first, last, x, y, weight, sizes, frame, finish):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    (x_stride, x_step, stride, step), bias = frame[3:], finish[0]
    zero, low, high = splat_half(np.float32(0)), splat_half(finish[1]), splat_half(finish[2])
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            of_x = panel * x_step + b * block * x_stride, x_stride
            top = (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = at(starts, i), at(starts, i + 1)
                row = number * tile + np.int64(at(rows, i))
                to = row * stride + panel * step
                a0 = load_half(y, to) if b else splat_half(at(bias, row))
                a1, a2, a3 = zero, zero, zero
                while p + 4 <= end:
                    o0, o1 = _row(places, p, of_x), _row(places, p + 1, of_x)
                    o2, o3 = _row(places, p + 2, of_x), _row(places, p + 3, of_x)
                    a0 = fma(splat_half(at(values, p)), load_half(x, o0), a0)
                    a1 = fma(splat_half(at(values, p + 1)), load_half(x, o1), a1)
                    a2 = fma(splat_half(at(values, p + 2)), load_half(x, o2), a2)
                    a3 = fma(splat_half(at(values, p + 3)), load_half(x, o3), a3)
                    p += 4
                while p < end:
                    o = _row(places, p, of_x)
                    a0 = fma(splat_half(at(values, p)), load_half(x, o), a0)
                    p += 1
                a0 = (a0 + a1) + (a2 + a3)
                store(y, to, within(a0, low, high) if b == n_blocks - 1 else a0)


LOOPS = {64: _by_64, 16: _by_16, 8: _by_8}
