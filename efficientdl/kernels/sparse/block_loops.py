"""The loops of `blocks`, one for each width of panels: four sums of registers, or of half ones.

Tile by tile of rows, block by block of columns, row by row; sums are fetched from `y` and put back
once for each row of a block. The first block's sums begin at zero: `y` may hold anything.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import at, fma, load, load_half, splat, splat_half, store
from efficientdl.kernels.sparse.panels import whereabouts


@compiled
def _by_64(first, last, x, y, weight, sizes, frame):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    k, stride, step = frame[3:]
    zero = splat(np.float32(0))
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            of_x = (panel * k + b * block) * 64
            top = (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = at(starts, i), at(starts, i + 1)
                if p == end and b:
                    continue
                to = (number * tile + np.int64(at(rows, i))) * stride + panel * step
                a0, a1, a2, a3 = zero, zero, zero, zero
                if b:
                    a0, a1 = load(y, to), load(y, to + 16)
                    a2, a3 = load(y, to + 32), load(y, to + 48)
                while p < end:
                    v, o = splat(at(values, p)), of_x + np.int64(at(places, p)) * 64
                    a0 = fma(v, load(x, o), a0)
                    a1 = fma(v, load(x, o + 16), a1)
                    a2 = fma(v, load(x, o + 32), a2)
                    a3 = fma(v, load(x, o + 48), a3)
                    p += 1
                store(y, to, a0)
                store(y, to + 16, a1)
                store(y, to + 32, a2)
                store(y, to + 48, a3)


@compiled
def _by_16(first, last, x, y, weight, sizes, frame):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    k, stride, step = frame[3:]
    zero = splat(np.float32(0))
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            of_x = (panel * k + b * block) * 16
            top = (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = at(starts, i), at(starts, i + 1)
                to = (number * tile + np.int64(at(rows, i))) * stride + panel * step
                # Four sums: one alone would wait for each addition before the next.
                a0, a1, a2, a3 = zero, zero, zero, zero
                if b:
                    a0 = load(y, to)
                while p + 4 <= end:
                    o0, o1 = np.int64(at(places, p)) * 16, np.int64(at(places, p + 1)) * 16
                    o2, o3 = np.int64(at(places, p + 2)) * 16, np.int64(at(places, p + 3)) * 16
                    a0 = fma(splat(at(values, p)), load(x, of_x + o0), a0)
                    a1 = fma(splat(at(values, p + 1)), load(x, of_x + o1), a1)
                    a2 = fma(splat(at(values, p + 2)), load(x, of_x + o2), a2)
                    a3 = fma(splat(at(values, p + 3)), load(x, of_x + o3), a3)
                    p += 4
                while p < end:
                    o = of_x + np.int64(at(places, p)) * 16
                    a0 = fma(splat(at(values, p)), load(x, o), a0)
                    p += 1
                store(y, to, (a0 + a1) + (a2 + a3))


@compiled
def _by_8(first, last, x, y, weight, sizes, frame):
    values, places, starts, rows = weight
    tile, n_blocks, block = sizes
    k, stride, step = frame[3:]
    zero = splat_half(np.float32(0))
    for t in range(first, last):
        number, panel = whereabouts(t, frame)
        for b in range(n_blocks):
            of_x = (panel * k + b * block) * 8
            top = (number * n_blocks + b) * tile
            for i in range(top, top + tile):
                p, end = at(starts, i), at(starts, i + 1)
                to = (number * tile + np.int64(at(rows, i))) * stride + panel * step
                a0, a1, a2, a3 = zero, zero, zero, zero
                if b:
                    a0 = load_half(y, to)
                while p + 4 <= end:
                    o0, o1 = np.int64(at(places, p)) * 8, np.int64(at(places, p + 1)) * 8
                    o2, o3 = np.int64(at(places, p + 2)) * 8, np.int64(at(places, p + 3)) * 8
                    a0 = fma(splat_half(at(values, p)), load_half(x, of_x + o0), a0)
                    a1 = fma(splat_half(at(values, p + 1)), load_half(x, of_x + o1), a1)
                    a2 = fma(splat_half(at(values, p + 2)), load_half(x, of_x + o2), a2)
                    a3 = fma(splat_half(at(values, p + 3)), load_half(x, of_x + o3), a3)
                    p += 4
                while p < end:
                    o = of_x + np.int64(at(places, p)) * 8
                    a0 = fma(splat_half(at(values, p)), load_half(x, o), a0)
                    p += 1
                store(y, to, (a0 + a1) + (a2 + a3))


LOOPS = {64: _by_64, 16: _by_16, 8: _by_8}
