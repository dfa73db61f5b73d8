"""Tiles of a convolution of bytes: the sums of several outputs and filters stay in registers.

Channels lie side by side, four to a word. An output reads runs of words, each from its own first
pixel on and a tap farther: nothing is copied for the places of the window (im2col). Filters stand
in panels of 32: four products deep they are 128 bytes, which `dot4` takes together with one word of
the picture, spread over the lanes. Bytes with a sign lose it on the way, as `x + 128`.

    sum (x - z_x) (w - z_w) = sum (x + 128) (w - z_w) - (z_x + 128) sum (w - z_w)

The last term is known before the first product: each sum starts there.
"""

import numpy as np

from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_filters import LANES, PANEL
from efficientdl.kernels.simd import as_uint8, at, dot4, load, splat, store

Strip = tuple[int, int, int, int, int, int]
WIDE = cpu.has(cpu.AVX512)  # 32 registers of 64 bytes; others have 8, or fewer
TALL = 12 if WIDE else 4  # outputs of a tile; 24 registers of sums, or 4
ENOUGH = 8 if WIDE else 3  # outputs that are worth a tall tile, some of them done twice
SHORT = 2  # where fewer are left; the last is done twice rather than one alone
BLOCK = 192  # outputs at a time of one panel, a multiple of either


@compiled
def _two(pixels, row, last, base):
    return base + at(pixels, min(row, last)), base + at(pixels, min(row + 1, last))


@compiled
def _dots(sums, codes, w):
    return dot4(sums[0], codes, w[0]), dot4(sums[1], codes, w[1])


@compiled
def _spread(words, place, flip):
    return as_uint8(splat(at(words, place)) ^ flip)


@compiled
def _store2(sums, place, a, b):
    store(sums, place, a[0])
    store(sums, place + 16, a[1])
    store(sums, place + 32, b[0])
    store(sums, place + 48, b[1])


@compiled
def _store4(sums, place, a, b, c, d):
    _store2(sums, place, a, b)
    _store2(sums, place + 64, c, d)


@compiled
def _twelve(x, rows, w, starts, sums):
    """12 outputs of 32 filters: for every four products 2 loads, 12 spread words, 24 `dot4`.

    As long as there are enough left; the number of those that are done.
    """
    (words, base, flip, pixels, taps, run), (codes, o0), (row, n_rows, last) = x, w, rows
    i = 0
    while i + ENOUGH <= n_rows:
        p0, p1 = _two(pixels, row + i, last, base)
        p2, p3 = _two(pixels, row + i + 2, last, base)
        p4, p5 = _two(pixels, row + i + 4, last, base)
        p6, p7 = _two(pixels, row + i + 6, last, base)
        p8, p9 = _two(pixels, row + i + 8, last, base)
        p10, p11 = _two(pixels, row + i + 10, last, base)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = s10 = s11 = starts
        o, place = o0, i * PANEL
        for first in taps:
            for t in range(first, first + run):
                both = load(codes, o), load(codes, o + 64)
                s0 = _dots(s0, _spread(words, p0 + t, flip), both)
                s1 = _dots(s1, _spread(words, p1 + t, flip), both)
                s2 = _dots(s2, _spread(words, p2 + t, flip), both)
                s3 = _dots(s3, _spread(words, p3 + t, flip), both)
                s4 = _dots(s4, _spread(words, p4 + t, flip), both)
                s5 = _dots(s5, _spread(words, p5 + t, flip), both)
                s6 = _dots(s6, _spread(words, p6 + t, flip), both)
                s7 = _dots(s7, _spread(words, p7 + t, flip), both)
                s8 = _dots(s8, _spread(words, p8 + t, flip), both)
                s9 = _dots(s9, _spread(words, p9 + t, flip), both)
                s10 = _dots(s10, _spread(words, p10 + t, flip), both)
                s11 = _dots(s11, _spread(words, p11 + t, flip), both)
                o += 128
        _store4(sums, place, s0, s1, s2, s3)
        _store4(sums, place + 128, s4, s5, s6, s7)
        _store4(sums, place + 256, s8, s9, s10, s11)
        i += TALL
    return i


@compiled
def _pairs(x, i, rows, w, starts, sums):
    """Two outputs of 32 filters at a time, from output `i` of the block on."""
    (words, base, flip, pixels, taps, run), (codes, o0), (row, n_rows, last) = x, w, rows
    while i < n_rows:
        p0, p1 = _two(pixels, row + i, last, base)
        s0 = s1 = starts
        o = o0
        for first in taps:
            for t in range(first, first + run):
                both = load(codes, o), load(codes, o + 64)
                s0 = _dots(s0, _spread(words, p0 + t, flip), both)
                s1 = _dots(s1, _spread(words, p1 + t, flip), both)
                o += 128
        _store2(sums, i * PANEL, s0, s1)
        i += SHORT


@compiled
def _four(x, rows, w, starts, sums):
    """Four outputs of 16 filters, twice: as many sums as eight registers hold. As `_twelve`."""
    (words, base, flip, pixels, taps, run), (codes, o0), (row, n_rows, last) = x, w, rows
    i = 0
    while i + ENOUGH <= n_rows:
        p0, p1 = _two(pixels, row + i, last, base)
        p2, p3 = _two(pixels, row + i + 2, last, base)
        for part in range(2):
            o, place = o0 + 64 * part, i * PANEL + LANES * part
            s0 = s1 = s2 = s3 = starts[0] if part == 0 else starts[1]
            for first in taps:
                for t in range(first, first + run):
                    w16 = load(codes, o)
                    s0 = dot4(s0, _spread(words, p0 + t, flip), w16)
                    s1 = dot4(s1, _spread(words, p1 + t, flip), w16)
                    s2 = dot4(s2, _spread(words, p2 + t, flip), w16)
                    s3 = dot4(s3, _spread(words, p3 + t, flip), w16)
                    o += 128
            store(sums, place, s0)
            store(sums, place + PANEL, s1)
            store(sums, place + 2 * PANEL, s2)
            store(sums, place + 3 * PANEL, s3)
        i += TALL
    return i


_tall = _twelve if WIDE else _four


@compiled
def panel_sums(tile, x, w, plan, sums) -> Strip:
    """The sums of up to 96 outputs of one picture and 32 filters; where they belong.

    Args:
        tile: Which of all tiles: pictures, then blocks of outputs, then panels.
        x: Words; by what they are flipped; for each picture, what code stands for zero; and where
            the window reads.
        w: Codes of the filters, their sums, and what each output of theirs starts with.
        plan: How many outputs a picture has, how many panels; then words of a picture and of a
            group, and filters of a group, panels of a group and bytes of a filter.
        sums: Room for 96 by 32.

    Returns:
        The first output, how many; the first filter, how many; the first column; the picture.
    """
    words, flip, zeros, pixels, taps, run = x
    codes, columns, biases = w
    n, n_panels, image_words, group_words, per_group, group_panels, depth = plan
    n_blocks = (n + BLOCK - 1) // BLOCK
    panel, block = tile % n_panels, tile // n_panels
    image, row = block // n_blocks, block % n_blocks * BLOCK
    group, column = panel // group_panels, panel % group_panels * PANEL
    read = (
        words,
        image * image_words + group * group_words,
        splat(np.int32(flip)),
        pixels,
        taps,
        run,
    )
    filters = codes, panel * PANEL * depth
    zero, at_column = splat(zeros[image]), panel * PANEL
    starts = (
        load(biases, at_column) - zero * load(columns, at_column),
        load(biases, at_column + LANES) - zero * load(columns, at_column + LANES),
    )
    n_rows = min(BLOCK, n - row)
    rows = row, n_rows, n - 1
    done = _tall(read, rows, filters, starts, sums)
    _pairs(read, done, rows, filters, starts, sums)
    return (
        image * n + row,
        n_rows,
        group * per_group + column,
        min(PANEL, per_group - column),
        at_column,
        image,
    )
