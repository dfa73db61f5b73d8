"""Convolution with pruned filters: the taps kept are walked, and no matrix is made of x.

The input is padded, and a tap is then a place to read from: 64 pixels beside one another are four
loads. Filters that keep much the same taps go in fours, and a load serves all four. A filter alone
has as many loads as multiplications; for it the input lies there once for each column of the
kernel, shifted by a pixel each, so that no load straddles two cache lines.
"""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.pattern_weight import (
    TOGETHER,
    PatternWeight,
    demand_floats,
    pack_pattern,
    unpack_pattern,
)
from efficientdl.kernels.pattern_window import Frame, frame_of, odd, places_of
from efficientdl.kernels.quads import WIDTH, fma4, load4, store4, zeros4
from efficientdl.kernels.simd import aligned, at, splat
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Window
from efficientdl.report import Cost

Images = Float32[np.ndarray, "n c h w"]
Shape = tuple[int, ...]

FILTERS = 64  # of the output at a time: their sums stay in the nearest cache
MOST = 2**31 - 1
SAME = Window(padding=(1, 1))


def _inputs(rng: np.random.Generator, size: int) -> tuple[object, ...]:
    """Images of odd sizes; filters of four taps each, alike in fours or not; strides of 1 and 2."""
    c_out, c_in, n_taps = size, int(rng.integers(1, 2 * size + 1)), 9
    weight = rng.standard_normal((c_out, c_in, n_taps)).astype(np.float32)
    alike = -(-c_out // 4) if rng.random() < 0.5 else c_out
    score = rng.random((alike, c_in, n_taps)).repeat(-(-c_out // alike), axis=0)[:c_out]
    weight *= score >= np.sort(score, axis=2)[:, :, 5:6]
    x = rng.standard_normal((2, c_in, size, int(rng.integers(1, 40)))).astype(np.float32)
    stride = int(rng.integers(1, 3))
    return x, pack_pattern(weight.reshape(c_out, c_in, 3, 3)), Window((stride, stride), (1, 1))


@technique(
    "kernel-pattern-conv",
    paper="Niu, Ma, Lin, Wang, Qian, Lin, Wang, Ren, PatDNN: Achieving Real-Time DNN Execution on "
    "Mobile Devices with Pattern-based Weight Pruning, 2020",
    survey="2.1",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs, tolerance=1e-4, reason="the same sums in another order"),
)
def pattern_conv(
    x: Images, weight: PatternWeight, window: Window = SAME
) -> Float32[np.ndarray, "n c_out p q"]:
    """Convolve with pruned filters, touching the taps kept alone.

    For 64 pixels at a time, and eight input channels: every tap kept multiplies 64 pixels by one
    number, or by one for each of four filters, and adds to sums that lie in registers. Four of nine
    taps are 2.25 times fewer multiplications than the dense convolution's. Any mask will do, and
    any size of kernel; patterns are what makes filters alike.

    Args:
        x: The images.
        weight: From `pack_pattern`.
        window: Stride, padding and dilation, of one each unless given.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or the kernel is larger than the padded image.

    >>> weight = np.zeros((1, 1, 3, 3), np.float32)
    >>> weight[0, 0, 1, :2] = 10, 1  # ten times the left neighbour
    >>> pattern_conv(np.float32([[[[1, 2, 3]]]]), pack_pattern(weight))
    array([[[[ 1., 12., 23.]]]], dtype=float32)

    Source: Niu et al., "PatDNN", ASPLOS 2020; Ma et al., "PCONV", AAAI 2020; without patterns: Park
    et al., "Faster CNNs with Direct Sparse Convolutions and Guided Pruning", ICLR 2017, section
    2.1; the survey's section 2.1; lab 13.
    """
    _demand(x, weight, window)
    n, c_in, height, width = x.shape
    p, q = window.outputs("pattern_conv", (height, width), weight.kernel)
    y = np.empty((n, weight.shape[0], p, q), np.float32)
    if not y.size:
        return y
    frame = frame_of(x.shape, weight, window)
    n_floats = frame.copies * c_in * window.stride[0] * window.stride[1] * frame.plane
    if n_floats > MOST:
        _check.fail("pattern_conv", "x", f"must have at most {MOST} pixels, padded", x.shape)
    reach = window.padding[1] + window.dilation[1] * weight.kernel[1]  # behind the last line
    padded = aligned(n_floats + reach + 2 * WIDTH, np.float32)
    places = places_of(weight, window, frame)
    ours, lists = np.ascontiguousarray(x), (places, weight.values.reshape(-1), weight.starts)
    for first in range(0, n, frame.n_together):
        some = slice(first, first + frame.n_together)
        deal(_pad, c_in, ours[some], padded, tuple(frame), window.stride, window.padding)
        _convolve(padded, lists, weight, frame, y[some])
    return y


def _convolve(
    padded: np.ndarray,
    lists: tuple[np.ndarray, ...],
    weight: PatternWeight,
    frame: Frame,
    y: np.ndarray,
) -> None:
    """Write the outputs of the images in a frame."""
    n_pixels = ((len(y) - 1) * frame.lines + y.shape[2] - 1) * frame.row + y.shape[3]
    spots = -(-n_pixels // WIDTH)
    sums = aligned((len(weight.order), odd(n_pixels)), np.float32)
    n_groups = len(weight.order) // weight.group
    sizes = (spots, n_groups, FILTERS // weight.group, sums.shape[1])
    tiles = _four_filters if weight.group == TOGETHER else _one_filter
    deal(tiles, spots * -(-n_groups // sizes[2]), padded, lists, sums.reshape(-1), sizes)
    deal(_crop, len(weight.order), sums, weight.order, y, frame.row, frame.lines)


def pattern_conv_reference(
    x: Images, weight: PatternWeight, window: Window = SAME
) -> Float32[np.ndarray, "n c_out p q"]:
    """The same by shifted images: each tap of the dense filters times a padded image."""
    (down, right), (above, beside), (below, across) = window
    p, q = window.outputs("pattern_conv", (x.shape[2], x.shape[3]), weight.kernel)
    dense = unpack_pattern(weight).astype(np.float64)
    padded = np.pad(x, ((0, 0), (0, 0), (above, above), (beside, beside)))
    y = np.zeros((len(x), weight.shape[0], p, q))
    for r in range(weight.kernel[0]):
        for s in range(weight.kernel[1]):
            seen = padded[:, :, r * below :: down, s * across :: right][:, :, :p, :q]
            y += np.einsum("oc,nchw->nohw", dense[:, :, r, s], seen)
    return y.astype(np.float32)


def pattern_conv_cost(x: Shape, weight: PatternWeight, window: Window = SAME) -> Cost:
    """MACs of the taps kept, and bytes that must travel: images, taps and sums in float32.

    >>> ones = pack_pattern(np.ones((4, 2, 3, 3), np.float32))
    >>> pattern_conv_cost((1, 2, 5, 5), ones).macs == 4 * 2 * 9 * 25
    True
    """
    n, c_in, height, width = x
    p, q = window.outputs("pattern_conv", (height, width), weight.kernel)
    moved = n * (c_in * height * width + weight.shape[0] * p * q) + weight.values.size
    macs = n * int((weight.values != 0).sum()) * p * q
    return Cost(macs=macs, traffic_bytes=4 * (moved + 2 * len(weight.taps)))


def _demand(x: Images, weight: PatternWeight, window: Window) -> None:
    demand_floats("pattern_conv", "x", x)
    _check.kind("pattern_conv", "weight", weight, PatternWeight)
    _check.kind("pattern_conv", "window", window, Window)
    if x.ndim != 4 or x.shape[1] != weight.shape[1]:
        rule = f"must be n {weight.shape[1]} h w"
        _check.fail("pattern_conv", "shape of x", rule, x.shape)


@compiled
def _pad(first, last, images, padded, frame, stride, padding):
    """Some channels in a frame of zeros, sorted by phase; each copy a column further left."""
    (lines, row, plane, copies, _), (down, right), (above, beside) = frame, stride, padding
    n, c_in, height, width = images.shape
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
                    line = images[image, channel, y]
                    if right == 1:
                        padded[start + begin : start + end] = line[begin + shift : end + shift]
                    else:
                        for column in range(begin, end):
                            padded[start + column] = line[column * right + shift]
                    start += row


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
def _crop(first, last, sums, order, out, row, lines):
    n, _, height, width = out.shape
    for place in range(first, last):
        if order[place] >= 0:
            for image in range(n):
                for y in range(height):
                    start = (image * lines + y) * row
                    out[image, order[place], y] = sums[place, start : start + width]
