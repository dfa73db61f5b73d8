"""The loops of a sparse convolution that fetches each point where it lies.

A tile is a block of sites. For each offset, six pairs at a time: six rows of sums are loaded from
the sites, every channel of the six points multiplies one row of weights, and the sums go back. No
point is copied and no product is kept. Two shapes: rows of 64 sums for the 32 registers of
AVX-512, rows of 16 for what is left and for the 16 registers of AVX2.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.quads import LANES, WIDTH, fma4, load4, store4
from efficientdl.kernels.simd import at, fma, load, splat, store

AT_ONCE = 6


@compiled
def wide_tiles(first, last, x, weight, y, pairs, begins, sizes) -> None:
    """Blocks of sites, 64 channels of output at a time; `sizes` are those of the panels."""
    c_in, stride, left, n_panels = sizes
    for block in range(first, last):
        for panel in range(n_panels):
            for offset in range(begins.shape[0]):
                w = (panel * begins.shape[0] + offset) * c_in * WIDTH
                rows = (c_in, stride, left + panel * WIDTH)
                p, end = begins[offset, block], begins[offset, block + 1]
                while p + AT_ONCE <= end:
                    _six_wide(x, weight, y, pairs, p, w, rows)
                    p += AT_ONCE
                while p < end:
                    _one_wide(x, weight, y, pairs, p, w, rows)
                    p += 1


@compiled
def narrow_tiles(first, last, x, weight, y, pairs, begins, sizes) -> None:
    """Blocks of sites, 16 channels of output at a time."""
    c_in, stride, left, n_panels = sizes
    for block in range(first, last):
        for panel in range(n_panels):
            for offset in range(begins.shape[0]):
                w = (panel * begins.shape[0] + offset) * c_in * LANES
                rows = (c_in, stride, left + panel * LANES)
                p, end = begins[offset, block], begins[offset, block + 1]
                while p + AT_ONCE <= end:
                    _six_narrow(x, weight, y, pairs, p, w, rows)
                    p += AT_ONCE
                while p < end:
                    _one_narrow(x, weight, y, pairs, p, w, rows)
                    p += 1


@compiled
def _six(indices, p, scale, shift):
    """Where six rows begin."""
    return (
        np.int64(at(indices, p)) * scale + shift,
        np.int64(at(indices, p + 1)) * scale + shift,
        np.int64(at(indices, p + 2)) * scale + shift,
        np.int64(at(indices, p + 3)) * scale + shift,
        np.int64(at(indices, p + 4)) * scale + shift,
        np.int64(at(indices, p + 5)) * scale + shift,
    )


@compiled
def _six_wide(x, weight, y, pairs, p, w, rows):
    c_in, stride, column = rows
    i, o = _six(pairs[0], p, c_in, 0), _six(pairs[1], p, stride, column)
    s0, s1, s2 = load4(y, o[0]), load4(y, o[1]), load4(y, o[2])
    s3, s4, s5 = load4(y, o[3]), load4(y, o[4]), load4(y, o[5])
    for c in range(c_in):
        row = load4(weight, w)
        s0 = fma4(splat(at(x, i[0] + c)), row, s0)
        s1 = fma4(splat(at(x, i[1] + c)), row, s1)
        s2 = fma4(splat(at(x, i[2] + c)), row, s2)
        s3 = fma4(splat(at(x, i[3] + c)), row, s3)
        s4 = fma4(splat(at(x, i[4] + c)), row, s4)
        s5 = fma4(splat(at(x, i[5] + c)), row, s5)
        w += WIDTH
    store4(y, o[0], s0)
    store4(y, o[1], s1)
    store4(y, o[2], s2)
    store4(y, o[3], s3)
    store4(y, o[4], s4)
    store4(y, o[5], s5)


@compiled
def _one_wide(x, weight, y, pairs, p, w, rows):
    c_in, stride, column = rows
    i, o = np.int64(at(pairs[0], p)) * c_in, np.int64(at(pairs[1], p)) * stride + column
    sums = load4(y, o)
    for c in range(c_in):
        sums = fma4(splat(at(x, i + c)), load4(weight, w), sums)
        w += WIDTH
    store4(y, o, sums)


@compiled
def _six_narrow(x, weight, y, pairs, p, w, rows):
    c_in, stride, column = rows
    i, o = _six(pairs[0], p, c_in, 0), _six(pairs[1], p, stride, column)
    s0, s1, s2 = load(y, o[0]), load(y, o[1]), load(y, o[2])
    s3, s4, s5 = load(y, o[3]), load(y, o[4]), load(y, o[5])
    for c in range(c_in):
        row = load(weight, w)
        s0 = fma(splat(at(x, i[0] + c)), row, s0)
        s1 = fma(splat(at(x, i[1] + c)), row, s1)
        s2 = fma(splat(at(x, i[2] + c)), row, s2)
        s3 = fma(splat(at(x, i[3] + c)), row, s3)
        s4 = fma(splat(at(x, i[4] + c)), row, s4)
        s5 = fma(splat(at(x, i[5] + c)), row, s5)
        w += LANES
    store(y, o[0], s0)
    store(y, o[1], s1)
    store(y, o[2], s2)
    store(y, o[3], s3)
    store(y, o[4], s4)
    store(y, o[5], s5)


@compiled
def _one_narrow(x, weight, y, pairs, p, w, rows):
    c_in, stride, column = rows
    i, o = np.int64(at(pairs[0], p)) * c_in, np.int64(at(pairs[1], p)) * stride + column
    sums = load(y, o)
    for c in range(c_in):
        sums = fma(splat(at(x, i + c)), load(weight, w), sums)
        w += LANES
    store(y, o, sums)
