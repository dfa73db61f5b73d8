"""Tiles of a product of bytes: the sums of several rows and columns stay in registers.

Rows of `x` stand in bytes without a sign, four to a word. The weights stand in panels of 64
columns: four products deep and 64 columns wide are 256 bytes that lie side by side, so that `dot4`
takes one register of them with one word of `x`, spread over the lanes.

    sum (x - z_x) (w - z_w) = sum x w - z_x sum (w - z_w) - z_w sum x

The last two are known before the first product: each sum starts there, and zero points cost
nothing.
"""

from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import as_uint8, at, dot4, load, splat, store

PANEL = 64  # columns
DEPTH = 4  # products that one lane of a register adds up
WIDE = cpu.has(cpu.AVX512)  # 32 registers of 64 bytes; others have 8, or fewer
TALL = 6 if WIDE else 4  # rows of a tile; 24 registers of sums, or 4
SHORT = 2  # rows of a tile where fewer are left; rows are padded to so many
BLOCK = 96  # rows at a time of one panel, a multiple of either


@compiled
def _start4(x, row, w, column):
    (_, _, rows), (_, _, columns, width) = x, w
    z, s = splat(at(rows, 2 * row)), splat(at(rows, 2 * row + 1))
    return (
        z * load(columns, column) + s * load(columns, width + column),
        z * load(columns, column + 16) + s * load(columns, width + column + 16),
        z * load(columns, column + 32) + s * load(columns, width + column + 32),
        z * load(columns, column + 48) + s * load(columns, width + column + 48),
    )


@compiled
def _dots4(sums, word, w):
    codes = as_uint8(splat(word))
    return (
        dot4(sums[0], codes, w[0]),
        dot4(sums[1], codes, w[1]),
        dot4(sums[2], codes, w[2]),
        dot4(sums[3], codes, w[3]),
    )


@compiled
def _load4(panels, o):
    return (
        load(panels, o),
        load(panels, o + 64),
        load(panels, o + 128),
        load(panels, o + 192),
    )


@compiled
def _store4(c, place, sums):
    store(c, place, sums[0])
    store(c, place + 16, sums[1])
    store(c, place + 32, sums[2])
    store(c, place + 48, sums[3])


@compiled
def _six_rows(x, row, w, column, c, place):
    """Six rows by 64 columns: for every four products 4 loads, 6 spread words and 24 `dot4`."""
    (words, stride, _), (panels, steps, _, _), (sums, width) = x, w, c
    s0 = _start4(x, row, w, column)
    s1 = _start4(x, row + 1, w, column)
    s2 = _start4(x, row + 2, w, column)
    s3 = _start4(x, row + 3, w, column)
    s4 = _start4(x, row + 4, w, column)
    s5 = _start4(x, row + 5, w, column)
    p, o = row * stride, column * steps * DEPTH
    for _ in range(steps):
        columns = _load4(panels, o)
        s0 = _dots4(s0, at(words, p), columns)
        s1 = _dots4(s1, at(words, p + stride), columns)
        s2 = _dots4(s2, at(words, p + 2 * stride), columns)
        s3 = _dots4(s3, at(words, p + 3 * stride), columns)
        s4 = _dots4(s4, at(words, p + 4 * stride), columns)
        s5 = _dots4(s5, at(words, p + 5 * stride), columns)
        p += 1
        o += 256
    _store4(sums, place, s0)
    _store4(sums, place + width, s1)
    _store4(sums, place + 2 * width, s2)
    _store4(sums, place + 3 * width, s3)
    _store4(sums, place + 4 * width, s4)
    _store4(sums, place + 5 * width, s5)


@compiled
def _two_rows(x, row, w, column, c, place):
    """Two rows by 64 columns."""
    (words, stride, _), (panels, steps, _, _), (sums, width) = x, w, c
    s0 = _start4(x, row, w, column)
    s1 = _start4(x, row + 1, w, column)
    p, o = row * stride, column * steps * DEPTH
    for _ in range(steps):
        columns = _load4(panels, o)
        s0 = _dots4(s0, at(words, p), columns)
        s1 = _dots4(s1, at(words, p + stride), columns)
        p += 1
        o += 256
    _store4(sums, place, s0)
    _store4(sums, place + width, s1)


@compiled
def _start(x, row, w, column):
    (_, _, rows), (_, _, columns, width) = x, w
    z, s = splat(at(rows, 2 * row)), splat(at(rows, 2 * row + 1))
    return z * load(columns, column) + s * load(columns, width + column)


@compiled
def _four_rows(x, row, w, column, c, place):
    """Four rows by 16 columns, four times: as many sums as eight registers hold."""
    (words, stride, _), (panels, steps, _, _), (sums, width) = x, w, c
    for part in range(0, PANEL, 16):
        s0 = _start(x, row, w, column + part)
        s1 = _start(x, row + 1, w, column + part)
        s2 = _start(x, row + 2, w, column + part)
        s3 = _start(x, row + 3, w, column + part)
        p, o = row * stride, column * steps * DEPTH + DEPTH * part
        for _ in range(steps):
            columns = load(panels, o)
            s0 = dot4(s0, as_uint8(splat(at(words, p))), columns)
            s1 = dot4(s1, as_uint8(splat(at(words, p + stride))), columns)
            s2 = dot4(s2, as_uint8(splat(at(words, p + 2 * stride))), columns)
            s3 = dot4(s3, as_uint8(splat(at(words, p + 3 * stride))), columns)
            p += 1
            o += 256
        store(sums, place + part, s0)
        store(sums, place + width + part, s1)
        store(sums, place + 2 * width + part, s2)
        store(sums, place + 3 * width + part, s3)


_tall = _six_rows if WIDE else _four_rows


@compiled
def add_block(x, row, last, w, column, c, place) -> None:
    """The sums of rows `row .. last - 1` and of the 64 columns from `column` on, into `c`.

    `x` is the words of all rows, how many words a row has, and for each row two numbers, `-z_x` and
    `-sum x`. `w` is the panels, how deep they are, and two rows of numbers for columns,
    `sum (w - z_w)` and `z_w`, with their length. `c` is where sums go and how far apart its rows
    are; the first goes to `place`.
    """
    while row + TALL <= last:
        _tall(x, row, w, column, c, place)
        row += TALL
        place += TALL * c[1]
    while row < last:
        _two_rows(x, row, w, column, c, place)
        row += SHORT
        place += SHORT * c[1]
