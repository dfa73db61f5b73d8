"""The loops of `n_of_m`, one for each pattern and width: in machine code, N and M are constants.

Tile by tile of rows, block by block of columns, four groups at a time, whose places fill whole
bytes. Each row of a block has as many groups as any other.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import at, fma, load, load_half, splat, splat_half, store
from efficientdl.kernels.sparse.panels import whereabouts

Loop = Callable[..., None]


@cache
def loop(width: int, n: int, m: int, bits: int) -> Loop:
    """The loop for panels of this width, and for `n` of `m` with places of so many bits."""
    return {64: _by_64, 16: _by_16, 8: _by_8}[width](n, m, bits)


@compiled
def _place(codes, first_byte, bit, bits):
    """The place that begins with this bit."""
    return (np.int64(at(codes, first_byte + (bit >> 3))) >> (bit & 7)) & ((1 << bits) - 1)


def _by_64(n: int, m: int, bits: int) -> Loop:
    @compiled
    def run(first, last, x, y, weight, sizes, frame):
        (values, codes), (tile, n_blocks, quads) = weight, sizes
        (stride, step), zero = frame[5:], splat(np.float32(0))
        for t in range(first, last):
            number, panel = whereabouts(t, frame)
            for b in range(n_blocks):
                of_x, of_row = (panel * n_blocks + b) * quads, (number * n_blocks + b) * tile
                for i in range(tile):
                    to = (number * tile + i) * stride + panel * step
                    p = (of_row + i) * quads * (4 * n)
                    a0, a1, a2, a3 = zero, zero, zero, zero
                    if b:
                        a0, a1 = load(y, to), load(y, to + 16)
                        a2, a3 = load(y, to + 32), load(y, to + 48)
                    for quad in range(quads):
                        byte, o = p * bits >> 3, (of_x + quad) * (256 * m)
                        for q in range(4 * n):
                            v = splat(at(values, p + q))
                            r = o + (q // n * m + _place(codes, byte, q * bits, bits)) * 64
                            a0, a1 = fma(v, load(x, r), a0), fma(v, load(x, r + 16), a1)
                            a2, a3 = fma(v, load(x, r + 32), a2), fma(v, load(x, r + 48), a3)
                        p += 4 * n
                    store(y, to, a0)
                    store(y, to + 16, a1)
                    store(y, to + 32, a2)
                    store(y, to + 48, a3)

    return run


def _by_16(n: int, m: int, bits: int) -> Loop:
    @compiled
    def run(first, last, x, y, weight, sizes, frame):
        (values, codes), (tile, n_blocks, quads) = weight, sizes
        stride, step = frame[5:]
        zero = splat(np.float32(0))
        for t in range(first, last):
            number, panel = whereabouts(t, frame)
            for b in range(n_blocks):
                of_x, of_row = (panel * n_blocks + b) * quads, (number * n_blocks + b) * tile
                for i in range(tile):
                    to = (number * tile + i) * stride + panel * step
                    p = (of_row + i) * quads * (4 * n)
                    a0, a1, a2, a3 = zero, zero, zero, zero  # one for each group
                    if b:
                        a0 = load(y, to)
                    for quad in range(quads):
                        byte, o = p * bits >> 3, (of_x + quad) * 4
                        for j in range(n):
                            r0 = (o * m + _place(codes, byte, j * bits, bits)) * 16
                            r1 = ((o + 1) * m + _place(codes, byte, (n + j) * bits, bits)) * 16
                            r2 = ((o + 2) * m + _place(codes, byte, (2 * n + j) * bits, bits)) * 16
                            r3 = ((o + 3) * m + _place(codes, byte, (3 * n + j) * bits, bits)) * 16
                            a0 = fma(splat(at(values, p + j)), load(x, r0), a0)
                            a1 = fma(splat(at(values, p + n + j)), load(x, r1), a1)
                            a2 = fma(splat(at(values, p + 2 * n + j)), load(x, r2), a2)
                            a3 = fma(splat(at(values, p + 3 * n + j)), load(x, r3), a3)
                        p += 4 * n
                    store(y, to, (a0 + a1) + (a2 + a3))

    return run


def _by_8(n: int, m: int, bits: int) -> Loop:
    @compiled
    def run(first, last, x, y, weight, sizes, frame):
        (values, codes), (tile, n_blocks, quads) = weight, sizes
        stride, step = frame[5:]
        zero = splat_half(np.float32(0))
        for t in range(first, last):
            number, panel = whereabouts(t, frame)
            for b in range(n_blocks):
                of_x, of_row = (panel * n_blocks + b) * quads, (number * n_blocks + b) * tile
                for i in range(tile):
                    to = (number * tile + i) * stride + panel * step
                    p = (of_row + i) * quads * (4 * n)
                    a0, a1, a2, a3 = zero, zero, zero, zero  # one for each group
                    if b:
                        a0 = load_half(y, to)
                    for quad in range(quads):
                        byte, o = p * bits >> 3, (of_x + quad) * 4
                        for j in range(n):
                            r0 = (o * m + _place(codes, byte, j * bits, bits)) * 8
                            r1 = ((o + 1) * m + _place(codes, byte, (n + j) * bits, bits)) * 8
                            r2 = ((o + 2) * m + _place(codes, byte, (2 * n + j) * bits, bits)) * 8
                            r3 = ((o + 3) * m + _place(codes, byte, (3 * n + j) * bits, bits)) * 8
                            a0 = fma(splat_half(at(values, p + j)), load_half(x, r0), a0)
                            a1 = fma(splat_half(at(values, p + n + j)), load_half(x, r1), a1)
                            a2 = fma(splat_half(at(values, p + 2 * n + j)), load_half(x, r2), a2)
                            a3 = fma(splat_half(at(values, p + 3 * n + j)), load_half(x, r3), a3)
                        p += 4 * n
                    store(y, to, (a0 + a1) + (a2 + a3))

    return run
