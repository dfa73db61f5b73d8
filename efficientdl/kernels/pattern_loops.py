"""The loops of `pattern_conv`: a frame around the images, the taps, and what is cut out of it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.pattern_weight import TOGETHER, PatternWeight
from efficientdl.kernels.pattern_window import Frame, frame_of, odd, places_of
from efficientdl.kernels.planes import Finish
from efficientdl.kernels.quads import LANES, WIDTH, fma4, load4, store4, zeros4
from efficientdl.kernels.simd import at, load, room, splat, store, within
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Window

Floats = Float32[np.ndarray, " floats"]

FILTERS = 64  # of the output at a time: their sums stay in the nearest cache
MOST = 2**31 - 1


class Pictures(NamedTuple):
    """Images in flat memory, whose lines follow each other.

    Attributes:
        n: How many images there are.
        height: Lines of a channel.
        width: Pixels of a line.
        image: Floats from an image to the next.
        channel: Floats from a channel to the next.
    """

    n: int
    height: int
    width: int
    image: int
    channel: int


def convolve(
    x: Floats,
    of_x: Pictures,
    weight: PatternWeight,
    window: Window,
    y: Floats,
    of_y: Pictures,
    finish: Finish,
    scratch: Floats | None = None,
) -> None:
    """Write all outputs, as many images at a time as stay near.

    Args:
        x: The images.
        of_x: How they lie there.
        weight: The filters.
        window: How they move.
        y: Where the outputs go.
        of_y: How these lie there.
        finish: A bias for each output channel, and bounds.
        scratch: Room for what lies in between, `scratch_floats`; new room if there is none.
    """
    c_in, stride = weight.shape[1], window.stride
    frame = frame_of((of_x.n, c_in, of_x.height, of_x.width), weight, window)
    n_padded, n_sums = _floats_between(frame, weight, window, (of_y.height, of_y.width))
    if n_padded > MOST:
        shape = (of_x.n, c_in, of_x.height, of_x.width)
        _check.fail("pattern_conv", "x", f"must have at most {MOST} pixels, padded", shape)
    if scratch is None:
        scratch = room(n_padded + n_sums, np.float32)
    padded, sums = scratch[:n_padded], scratch[n_padded : n_padded + n_sums]
    padded[:] = 0
    lists = places_of(weight, window, frame), weight.values.reshape(-1), weight.starts
    for first in range(0, of_x.n, frame.n_together):
        n = min(frame.n_together, of_x.n - first)
        some, made = of_x._replace(n=n), of_y._replace(n=n)
        left = x[first * of_x.image :]
        moves = stride, window.padding
        deal(_pad, c_in, left, tuple(some), c_in, padded, tuple(frame), moves)
        _convolve_some((padded, sums), lists, weight, frame, y[first * of_y.image :], made, finish)


def scratch_floats(
    x_shape: tuple[int, ...], weight: PatternWeight, window: Window, outputs: tuple[int, int]
) -> int:
    """Floats that lie between the input, `n c h w`, and outputs of so many lines and columns."""
    return sum(_floats_between(frame_of(x_shape, weight, window), weight, window, outputs))


def _floats_between(
    frame: Frame, weight: PatternWeight, window: Window, outputs: tuple[int, int]
) -> tuple[int, int]:
    """Floats of a frame, in whole cache lines, and of the sums of its images."""
    phases = window.stride[0] * window.stride[1]
    reach = window.padding[1] + window.dilation[1] * weight.kernel[1]  # behind the last line
    n_padded = frame.copies * weight.shape[1] * phases * frame.plane + reach + 2 * WIDTH
    return n_padded + -n_padded % LANES, len(weight.order) * odd(_pixels(frame, outputs)) + LANES


def _pixels(frame: Frame, outputs: tuple[int, int]) -> int:
    """From the first output of the images in a frame to the last."""
    return ((frame.n_together - 1) * frame.lines + outputs[0] - 1) * frame.row + outputs[1]


def _convolve_some(
    between: tuple[Floats, Floats],
    lists: tuple[np.ndarray, ...],
    weight: PatternWeight,
    frame: Frame,
    y: Floats,
    of_y: Pictures,
    finish: Finish,
) -> None:
    """Write the outputs of the images in a frame."""
    (padded, sums), outputs = between, (of_y.height, of_y.width)
    n_pixels = _pixels(frame._replace(n_together=of_y.n), outputs)
    line, spots = odd(n_pixels), -(-n_pixels // WIDTH)
    n_groups = len(weight.order) // weight.group
    sizes = (spots, n_groups, FILTERS // weight.group, line)
    tiles = _four_filters if weight.group == TOGETHER else _one_filter
    deal(tiles, spots * -(-n_groups // sizes[2]), padded, lists, sums, sizes)
    from_, to = (frame.lines, frame.row, line), tuple(of_y)
    deal(_crop, len(weight.order), sums, weight.order, from_, y, to, tuple(finish))


@compiled
def _pad(first, last, images, sizes, c_in, padded, frame, moves):
    """Some channels in a frame of zeros, sorted by phase; each copy a column further left."""
    (lines, row, plane, copies, _), ((down, right), (above, beside)) = frame, moves
    n, height, width, image_step, channel_step = sizes
    for channel in range(first, last):
        for part in range(copies * down * right):
            copy, below, phase = part // (down * right), part // right % down, part % right
            shift = phase - beside
            # from the image's column 0 on, or from the first that a copy holds
            begin = max(copy, (right - 1 - shift) // right)
            end = (width + right - 1 - shift) // right
            of = ((copy * c_in + channel) * down + below) * right + phase
            top = (below - above) % down
            for image in range(n):
                start = of * plane + (image * lines + (top + above) // down) * row - copy
                for y in range(top, height, down):
                    line = image * image_step + channel * channel_step + y * width + shift
                    _thin(images, line + begin * right, right, padded, start + begin, end - begin)
                    start += row


@compiled
def _thin(x, of, step, y, to, n):
    """Every `step`th of a line."""
    of, to = np.uintp(of), np.uintp(to)  # which cannot count from the end: nothing to ask
    if step == 1:
        for j in range(np.uintp(max(n, 0))):
            y[to + j] = x[of + j]
    else:
        for j in range(np.uintp(max(n, 0))):
            y[to + j] = x[of + np.uintp(step) * j]


@compiled
def _one_filter(first, last, x, lists, sums, sizes):
    (places, values, starts), (spots, n_groups, at_once, line) = lists, sizes
    n_blocks = (len(starts) - 1) // n_groups
    for tile in range(first, last):
        pixel, left = tile % spots * WIDTH, tile // spots * at_once
        for block in range(n_blocks):
            for group in range(left, min(left + at_once, n_groups)):
                where = group * line + pixel
                s = load4(sums, where) if block else zeros4()
                begin = block * n_groups + group
                for p in range(at(starts, begin), at(starts, begin + 1)):
                    s = fma4(splat(at(values, p)), load4(x, pixel + np.int64(at(places, p))), s)
                store4(sums, where, s)


@compiled
def _four_filters(first, last, x, lists, sums, sizes):
    (places, values, starts), (spots, n_groups, at_once, line) = lists, sizes
    n_blocks = (len(starts) - 1) // n_groups
    for tile in range(first, last):
        pixel, left = tile % spots * WIDTH, tile // spots * at_once
        for block in range(n_blocks):
            for group in range(left, min(left + at_once, n_groups)):
                where = 4 * group * line + pixel
                a = b = c = d = zeros4()
                if block:
                    a, b = load4(sums, where), load4(sums, where + line)
                    c, d = load4(sums, where + 2 * line), load4(sums, where + 3 * line)
                begin = block * n_groups + group
                for p in range(at(starts, begin), at(starts, begin + 1)):
                    pixels = load4(x, pixel + np.int64(at(places, p)))
                    a = fma4(splat(at(values, 4 * p)), pixels, a)
                    b = fma4(splat(at(values, 4 * p + 1)), pixels, b)
                    c = fma4(splat(at(values, 4 * p + 2)), pixels, c)
                    d = fma4(splat(at(values, 4 * p + 3)), pixels, d)
                store4(sums, where, a)
                store4(sums, where + line, b)
                store4(sums, where + 2 * line, c)
                store4(sums, where + 3 * line, d)


@compiled
def _crop(first, last, sums, order, from_, y, to, finish):
    """Some filters' outputs, out of the lines of the frame, with their bias and within bounds."""
    (lines, row, step), (n, height, width, image_step, channel_step) = from_, to
    low, high = splat(finish[1]), splat(finish[2])
    few = np.empty(LANES, np.float32)
    for place in range(first, last):
        channel = np.int64(order[place])
        if channel < 0:
            continue
        bias = splat(at(finish[0], channel))
        for image in range(n):
            for line in range(height):
                of = place * step + (image * lines + line) * row
                out = image * image_step + channel * channel_step + line * width
                for j in range(0, width - LANES + 1, LANES):
                    store(y, out + j, within(load(sums, of + j) + bias, low, high))
                if width >= LANES:  # the last register, again where it overlaps the one before
                    j = width - LANES
                    store(y, out + j, within(load(sums, of + j) + bias, low, high))
                else:
                    store(few, 0, within(load(sums, of) + bias, low, high))
                    for j in range(width):
                        y[out + j] = few[j]
