"""A depthwise convolution of bytes: every filter has a channel to itself, 16 of them a register.

The rows that a window meets are packed first: for each column of the picture four bytes of a
channel, one below the other, become a word. `dot4` multiplies such a word by a column of a filter,
and since windows overlap, a column is packed once and used as often as the filter is wide.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_filters import DEPTH, LANES
from efficientdl.kernels.low_bit.int8_operations import load_spread
from efficientdl.kernels.simd import as_uint8, dot4, load, splat, store

Strip = tuple[int, int, int, int, int, int]
BYTES = (2**8 - 1, 2**16 - 2**8, 2**24 - 2**16, -(2**24))  # the four of a word, as it is signed


@compiled
def _line(p, i, form):
    """The line of the picture that row `i` of a filter meets; -1 where it is outside."""
    (height, _), (down, _), (top, _), (dilation, _), (r, _), n_rows = form
    line = p * down - top + i % r * dilation
    return line if i < n_rows and 0 <= line < height else -1


@compiled
def _lines(p, i, form):
    """The lines that four rows of a filter meet, from row `i` on."""
    return _line(p, i, form), _line(p, i + 1, form), _line(p, i + 2, form), _line(p, i + 3, form)


@compiled
def _pack_rows(x, start, lines, form, pixel, colours, place):
    """Words of four rows for each column of the picture and its border, 16 channels each."""
    ((_, width), _, (_, left), _, _, _), (packed, to, n_groups) = form, place
    one, two, three, four = lines
    row, (flip, border), keep, step = width * pixel, colours, 0, n_groups * LANES
    keep += BYTES[0] if one >= 0 else 0
    keep += BYTES[1] if two >= 0 else 0
    keep += BYTES[2] if three >= 0 else 0
    keep += BYTES[3] if four >= 0 else 0
    kept = splat(np.int32(keep))
    rest = border & splat(np.int32(-1 - keep))
    o1, o2 = start + max(one, 0) * row, start + max(two, 0) * row
    o3, o4 = start + max(three, 0) * row, start + max(four, 0) * row
    b2, b3, b4 = splat(np.int32(2**8)), splat(np.int32(2**16)), splat(np.int32(2**24))
    for j in range(left):
        store(packed, to + j * step, border)
        store(packed, to + (left + width + j) * step, border)
    to += left * step
    if four < 0:  # as for all filters of three rows
        for _ in range(width):
            word = load_spread(x, o1) | load_spread(x, o2) * b2 | load_spread(x, o3) * b3
            store(packed, to, (word ^ flip) & kept | rest)
            o1, o2, o3, to = o1 + pixel, o2 + pixel, o3 + pixel, to + step
        return
    for _ in range(width):
        word = load_spread(x, o1) | load_spread(x, o2) * b2
        word = word | load_spread(x, o3) * b3 | load_spread(x, o4) * b4
        store(packed, to, (word ^ flip) & kept | rest)
        o1, o2, o3, o4, to = o1 + pixel, o2 + pixel, o3 + pixel, o4 + pixel, to + step


@compiled
def _slide_three(packed, n_outputs, form, w, start, sums, place):
    """As `_slide`, for filters of three columns and at most four rows: they stay in registers."""
    _, (_, right), _, (_, dilation), _, _ = form
    codes, o = w
    w0, w1, w2 = load(codes, o), load(codes, o + 64), load(codes, o + 128)
    step, apart = right * LANES, dilation * LANES
    for q in range(n_outputs):
        o = q * step
        found = dot4(start, as_uint8(load(packed, o)), w0)
        found = dot4(found, as_uint8(load(packed, o + apart)), w1)
        store(sums, place + q * LANES, dot4(found, as_uint8(load(packed, o + 2 * apart)), w2))


@compiled
def _slide(packed, n_outputs, form, n_groups, w, start, sums, place):
    """The sums of one line of outputs."""
    _, (_, right), _, (_, dilation), (_, s), _ = form
    (codes, first), step = w, n_groups * LANES
    for q in range(n_outputs):
        found, from_, o = start, q * right * step, first
        for _ in range(s):
            for word in range(0, step, LANES):
                found = dot4(found, as_uint8(load(packed, from_ + word)), load(codes, o))
                o += DEPTH * LANES
            from_ += dilation * step
        store(sums, place + q * LANES, found)


@compiled
def channel_sums(tile, x, w, plan, sums, packed) -> Strip:
    """The sums of some lines of outputs of one picture and 16 channels; where they belong.

    Args:
        tile: Which of all tiles: pictures, then lines, then channels by sixteens.
        x: Bytes; by what they are flipped; for each picture, what code stands for zero, and four
            such bytes.
        w: Codes of the filters, their sums, and what each output of theirs starts with.
        plan: Lines of a picture and of a tile, outputs of a line, channels, and those with what
            fills up sixteens; then the picture's size, the window, the kernel's size and how many
            rows a filter has.
        sums: Room for the lines by 16.
        packed: Room for the words of a line.

    Returns:
        The first output, how many; the first filter, how many; the first column; the picture.
    """
    codes_of, flip, zeros, borders = x
    codes, columns, biases = w
    (n_lines, at_once, n_outputs, n_channels, pixel), form = plan
    n_parts = (n_lines + at_once - 1) // at_once
    block, rest = tile % (pixel // LANES), tile // (pixel // LANES)
    first, image, column = rest % n_parts * at_once, rest // n_parts, block * LANES
    (height, width), _, _, _, (_, s), n_rows = form
    n_groups = (n_rows + DEPTH - 1) // DEPTH
    colours = splat(np.int32(flip)), splat(borders[image])
    start = image * height * width * pixel + column
    filters = codes, column * n_groups * DEPTH * s
    starts = load(biases, column) - splat(zeros[image]) * load(columns, column)
    last = min(first + at_once, n_lines)
    for p in range(first, last):
        for i in range(0, n_groups * DEPTH, DEPTH):
            lines = _lines(p, i, form)
            to = packed, i // DEPTH * LANES, n_groups
            _pack_rows(codes_of, start, lines, form, pixel, colours, to)
        place = (p - first) * n_outputs * LANES
        if s == 3 and n_groups == 1:
            _slide_three(packed, n_outputs, form, filters, starts, sums, place)
        else:
            _slide(packed, n_outputs, form, n_groups, filters, starts, sums, place)
    n_valid = min(LANES, n_channels - column)
    found = (image * n_lines + first) * n_outputs
    return found, (last - first) * n_outputs, column, n_valid, column, image
