"""Depthwise convolution on planes: each channel by itself, while it is in the nearest cache.

A channel is copied into a frame of zeros, which is read again at once, so that no edge has to be
asked about and no padded copy of all channels is made. With a stride, the frame has even and odd
columns apart, as `pattern_conv` has: neighbouring outputs meet neighbouring numbers.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.planes import (
    LANES,
    Finish,
    Floats,
    Planes,
    demand_apart,
    demand_planes,
    finish_for,
    floats_of,
    place_for,
)
from efficientdl.kernels.simd import at, fma, load, splat, store, within
from efficientdl.kernels.sparse.instructions import look_up_32
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Window
from efficientdl.report import Cost

Filters = Float32[np.ndarray, "c r s"]
Image = Float32[np.ndarray, "c h w"]
SAME = Window(padding=(1, 1))
EVEN = 2 * np.arange(LANES, dtype=np.uint32)


class Frame(NamedTuple):
    """A channel in its frame.

    Attributes:
        places: How far from an output's number each tap's lies.
        line: Floats from a line to the next, all phases of it.
        phase: Floats from a phase of a line to the next.
        floats: Of all lines.
        outputs: Lines and columns of the outputs.
    """

    places: Int64[np.ndarray, " taps"]
    line: int
    phase: int
    floats: int
    outputs: tuple[int, int]


@lru_cache(maxsize=256)
def frame_of(size: tuple[int, int], kernel: tuple[int, int], window: Window) -> Frame:
    """The frame for a channel of this size.

    >>> frame_of((5, 5), (3, 3), Window(padding=(1, 1)))[1:]
    (32, 32, 240, (5, 5))
    """
    p, q = window.outputs("depthwise_planes", size, kernel)
    (_, right), (above, beside), (below, across) = window
    columns = across * np.arange(kernel[1])
    seen = max(q, LANES) + int(columns[-1]) // right
    wide = max(seen, -(-(size[1] + 2 * beside) // right) + LANES)  # a line may overshoot
    phase = LANES * -(-wide // LANES)
    line = right * phase
    within_line = columns % right * phase + columns // right
    places = (below * np.arange(kernel[0]) * line)[:, None] + within_line
    floats = (size[0] + 2 * above) * line + LANES
    return Frame(places.reshape(-1).astype(np.int64), line, phase, floats, (p, q))


def depthwise_planes(
    x: Planes,
    filters: Filters,
    window: Window = SAME,
    finish: Finish | None = None,
    into: Floats | None = None,
) -> Planes:
    """Convolve each plane with a filter of its own, add a bias, and keep within bounds.

    For sixteen outputs of each of four lines a register holds the sums: a tap's weight is fetched
    once for the 64, and nothing is written before all taps have been added.

    Args:
        x: The planes.
        filters: One for each, of any size.
        window: Stride, padding and dilation, of one each unless given.
        finish: The bias of each channel, and the bounds; none unless given.
        into: Where to put the result; a new place if there is none.

    Raises:
        BadKind: The filters are not float32.
        BadValue: They are not one for each plane, or larger than the padded plane; or there is too
            little room, or `x` is in it.

    >>> from efficientdl.kernels.planes import planes_of
    >>> blur = np.full((1, 3, 3), 1 / 9, np.float32)
    >>> depthwise_planes(planes_of(np.full((1, 3, 3), 9, np.float32)), blur).image
    array([[[4., 6., 4.],
            [6., 9., 6.],
            [4., 6., 4.]]], dtype=float32)

    Source: Howard et al., "MobileNets", 2017, section 3.1, for the layer; the survey's section 6;
    lab 13.
    """
    caller = "depthwise_planes"
    demand_array(caller, "filters", filters, np.float32)
    if filters.ndim != 3 or 0 in filters.shape:
        _check.fail(caller, "shape of filters", "must be c r s, not empty", filters.shape)
    demand_planes(caller, x, len(filters))
    frame = frame_of((x.height, x.width), (filters.shape[1], filters.shape[2]), window)
    p, q = frame.outputs
    into = place_for(caller, into, floats_of(x.c, p * q))
    demand_apart(caller, x=x.floats, into=into)
    finish = finish_for(caller, finish, x.c, x.c)
    y = Planes(into, x.c, p, q)
    weight = np.ascontiguousarray(filters).reshape(-1), frame.places
    sizes = x.height, x.width, x.step, p, q, y.step
    shape = frame.floats, frame.line, frame.phase, *window.stride, *window.padding
    deal(_channels, x.c, x.floats, into, weight, sizes, shape, tuple(finish))
    return y


def depthwise_planes_reference(
    image: Image, filters: Filters, window: Window = SAME, finish: Finish | None = None
) -> Image:
    """The same in NumPy, on an image: shifted channels, each times its tap."""
    (down, right), (above, beside), (below, across) = window
    _, r, s = filters.shape
    p, q = window.outputs("depthwise_planes", image.shape[1:], (r, s))
    padded = np.pad(image, ((0, 0), (above, above), (beside, beside)))
    sums = np.zeros((len(image), p, q))
    for i, j in np.ndindex(r, s):
        seen = padded[:, i * below :: down, j * across :: right][:, :p, :q]
        sums += filters[:, i, j, None, None].astype(np.float64) * seen
    if finish is not None:
        sums = np.clip(sums + finish.bias[: len(sums), None, None], finish.low, finish.high)
    return sums.astype(np.float32)


def depthwise_planes_cost(
    x: tuple[int, int, int], filters: tuple[int, int, int], window: Window = SAME
) -> Cost:
    """MACs, and the bytes of both images and of the weights, each moved once.

    >>> depthwise_planes_cost((2, 5, 5), (2, 3, 3)).macs == 2 * 9 * 25
    True
    """
    c, r, s = filters
    p, q = window.outputs("depthwise_planes", x[1:], (r, s))
    moved = c * (x[1] * x[2] + p * q + r * s)
    return Cost(macs=c * r * s * p * q, traffic_bytes=4 * moved)


@compiled
def _channels(first, last, x, y, weight, sizes, shape, finish):
    """Some channels: each is laid while the one before is convolved, so that no load waits."""
    (height, width, x_step, p, q, y_step), (_, places) = sizes, weight
    floats, line, phase, down, right, above, beside = shape
    whole = np.zeros(2 * floats + LANES, np.float32)
    edge = -(whole.ctypes.data // 4) % LANES  # from a cache line on
    low, high = splat(finish[1]), splat(finish[2])
    rolls = len(places) == 9 and down == right == 1 and places[3] == line
    for channel in range(first, last + 1):
        if channel < last:
            to = edge + channel % 2 * floats
            size, lengths = (height, width), (line, phase)
            _lay(x, channel * x_step, size, whole, to, lengths, right, (above, beside))
        if channel > first:
            done = channel - 1
            of, tap, to = edge + done % 2 * floats, done * len(places), done * y_step
            ends = splat(at(finish[0], done)), low, high
            if rolls:
                _nine(whole, of, weight, tap, y, to, (p, q, line), ends)
            else:
                _any(whole, of, weight, tap, y, to, (p, q, down * line), ends)


@compiled
def _nine(frame, of, weight, tap, y, to, sizes, ends):
    """A filter of 3 x 3, line after line: of three lines that one reads, the next reads two."""
    (p, q, line), (taps, places), (bias, low, high) = sizes, weight, ends
    middle, right = places[1], places[2]
    w0, w1, w2 = _three(taps, tap)
    w3, w4, w5 = _three(taps, tap + 3)
    w6, w7, w8 = _three(taps, tap + 6)
    for begin in range(0, q, LANES):
        left = max(min(begin, q - LANES), 0)
        o, out = of + left, to + left
        a0, a1, a2 = load(frame, o), load(frame, o + middle), load(frame, o + right)
        o += line
        b0, b1, b2 = load(frame, o), load(frame, o + middle), load(frame, o + right)
        for _ in range(p):
            o += line
            c0, c1, c2 = load(frame, o), load(frame, o + middle), load(frame, o + right)
            sums = fma(w2, a2, fma(w1, a1, fma(w0, a0, bias)))
            sums = fma(w5, b2, fma(w4, b1, fma(w3, b0, sums)))
            sums = fma(w8, c2, fma(w7, c1, fma(w6, c0, sums)))
            store(y, out, within(sums, low, high))
            a0, a1, a2, b0, b1, b2 = b0, b1, b2, c0, c1, c2
            out += q


@compiled
def _three(taps, tap):
    """The weights of a line of the filter, each in a register."""
    return splat(at(taps, tap)), splat(at(taps, tap + 1)), splat(at(taps, tap + 2))


@compiled
def _any(frame, of, weight, first_tap, y, to, sizes, ends):
    """Any filter: sixteen outputs of each of four lines, tap by tap."""
    (p, q, down), (taps, places), (bias, low, high) = sizes, weight, ends
    for top in range(0, p, 4):
        r1, r2, r3 = min(top + 1, p - 1), min(top + 2, p - 1), min(top + 3, p - 1)
        for begin in range(0, q, LANES):
            left = max(min(begin, q - LANES), 0)
            a = b = c = d = bias
            for tap in range(len(places)):
                v, place = splat(at(taps, first_tap + tap)), of + left + at(places, tap)
                a = fma(v, load(frame, place + top * down), a)
                b = fma(v, load(frame, place + r1 * down), b)
                c = fma(v, load(frame, place + r2 * down), c)
                d = fma(v, load(frame, place + r3 * down), d)
            out = to + left  # what a narrow line writes too much, the next mends
            store(y, out + top * q, within(a, low, high))
            store(y, out + r1 * q, within(b, low, high))
            store(y, out + r2 * q, within(c, low, high))
            store(y, out + r3 * q, within(d, low, high))


@compiled
def _lay(x, plane, size, frame, of_frame, lengths, right, padding):
    """A channel in its frame, whose border is zero already; what overshoots a line is zeroed."""
    (height, width), (line, phase), (above, beside) = size, lengths, padding
    zero, even = splat(np.float32(0)), load(EVEN, 0)
    for part in range(right):
        first = max(0, -(-(beside - part) // right))  # the first that is not in the border
        n = (width - 1 + beside - part) // right + 1 - first
        of = plane + first * right + part - beside
        to = of_frame + above * line + part * phase + first
        for _ in range(height):
            if right == 1:
                for j in range(0, n, LANES):
                    store(frame, to + j, load(x, of + j))
            elif right == 2:
                for j in range(0, n, LANES):
                    low, high = load(x, of + 2 * j), load(x, of + 2 * j + LANES)
                    store(frame, to + j, look_up_32(low, high, even))
            else:
                for j in range(n):
                    frame[to + j] = x[of + right * j]
            store(frame, to + n, zero)
            of, to = of + width, to + line
