"""Depthwise convolution on maps that stay padded: sixteen channels a register, no copy to pad.

Nine multiplications for each number read: such a layer waits for memory, and a copy that only adds
a border of zeros costs as much as the layer itself. So maps keep their border from layer to layer:
`frame` lays images out once, every `depthwise_conv` reads framed maps and writes framed maps, and
`unframe` gives images back.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import aligned, fma, load, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Images = Float32[np.ndarray, "n c h w"]
Maps = Float32[np.ndarray, "n h+2 w+2 channels"]

LANES, BYTES = 16, 64  # of a register
TAPS = 9


@dataclass(frozen=True, eq=False)
class DepthwiseWeight:
    """A 3 x 3 filter for each channel, tap by tap, as `pack_depthwise` makes it.

    Attributes:
        taps: For each tap its weight in every channel; zeros fill the channels up to 16.
        c: How many channels there are.
    """

    taps: Float32[np.ndarray, "9 channels"]
    c: int

    def __post_init__(self) -> None:
        _demand_floats("DepthwiseWeight", "taps", self.taps)
        _check.whole("DepthwiseWeight", "c", self.c, 1)
        shape = TAPS, _full(self.c)
        if self.taps.shape != shape:
            _check.fail("DepthwiseWeight", "shape of taps", f"must be {shape}", self.taps.shape)
        ours = aligned(shape, np.float32)
        ours[...] = self.taps
        ours.flags.writeable = False
        object.__setattr__(self, "taps", ours)


def pack_depthwise(weight: Float32[np.ndarray, "c 3 3"]) -> DepthwiseWeight:
    """Put a 3 x 3 filter for each channel into the order of registers.

    Raises:
        BadKind: The weight is not float32.
        BadValue: It is not a 3 x 3 filter for each channel.

    >>> pack_depthwise(np.ones((20, 3, 3), np.float32)).taps.shape
    (9, 32)
    """
    _demand_floats("pack_depthwise", "weight", weight)
    if weight.ndim != 3 or weight.shape[1:] != (3, 3) or not len(weight):
        _check.fail("pack_depthwise", "shape of weight", "must be c 3 3", weight.shape)
    taps = np.zeros((TAPS, _full(len(weight))), np.float32)
    taps[:, : len(weight)] = weight.reshape(-1, TAPS).T
    return DepthwiseWeight(taps, len(weight))


def frame(x: Images) -> Maps:
    """Images as padded maps: channels last, filled up to 16, in a frame of zeros.

    Raises:
        BadKind: The images are not float32.
        BadValue: They have not four axes, or there is nothing in them.

    >>> frame(np.ones((1, 20, 5, 7), np.float32)).shape
    (1, 7, 9, 32)
    """
    _demand_floats("frame", "x", x)
    if x.ndim != 4 or 0 in x.shape:
        _check.fail("frame", "shape of x", "must be n c h w, not empty", x.shape)
    n, c, height, width = x.shape
    maps = aligned((n, height + 2, width + 2, _full(c)), np.float32)
    maps[:, 1:-1, 1:-1, :c] = x.transpose(0, 2, 3, 1)
    return maps


def unframe(maps: Maps, c: int) -> Images:
    """The images in padded maps of `c` channels.

    Raises:
        BadKind: The maps are not float32.
        BadValue: They are not framed, or have not so many channels.

    >>> x = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    >>> np.array_equal(unframe(frame(x), 3), x)
    True
    """
    _check.whole("unframe", "c", c, 1)
    _demand_maps("unframe", maps, _full(c))
    return np.ascontiguousarray(maps[:, 1:-1, 1:-1, :c].transpose(0, 3, 1, 2))


def depthwise_conv(maps: Maps, weight: DepthwiseWeight, stride: int = 1) -> Maps:
    """Convolve each channel with a 3 x 3 filter of its own, padding one, on padded maps.

    For 16 channels of a row nine registers hold the weights. A column of three pixels is loaded
    once and meets the sums of all places that see it. The result has its frame already.

    Args:
        maps: From `frame`, or from another `depthwise_conv`; what is in the frame is the padding.
        weight: From `pack_depthwise`.
        stride: Pixels from one place of the filters to the next.

    Raises:
        BadKind: The maps are not float32, or the weight is not packed.
        BadValue: The maps are not framed or have other channels, or `stride` is below 1.

    >>> blur = pack_depthwise(np.full((1, 3, 3), 1 / 9, np.float32))
    >>> unframe(depthwise_conv(frame(np.full((1, 1, 3, 3), 9, np.float32)), blur), 1)
    array([[[[4., 6., 4.],
             [6., 9., 6.],
             [4., 6., 4.]]]], dtype=float32)

    Source: Howard et al., "MobileNets", 2017, section 3.1, for the layer; Zhang, Lo and Lu, "High
    Performance Depthwise and Pointwise Convolutions on Mobile Devices", AAAI 2020, for reuse
    in registers; the survey's section 6; lab 13.
    """
    _check.kind("depthwise_conv", "weight", weight, DepthwiseWeight)
    _demand_maps("depthwise_conv", maps, weight.taps.shape[1])
    _check.whole("depthwise_conv", "stride", stride, 1, 2**31 - 1)
    n, height, width, channels = maps.shape
    p, q = (height - 3) // stride + 1, (width - 3) // stride + 1
    y = _room((n, p + 2, q + 2, channels))
    sizes = height, width, channels, p, q, stride
    deal(_rows, n * p, _flat(maps), weight.taps.reshape(-1), y.reshape(-1), sizes)
    return y


def depthwise_conv_reference(maps: Maps, weight: DepthwiseWeight, stride: int = 1) -> Maps:
    """The same in NumPy: nine shifted maps, each times its tap."""
    height, width = maps.shape[1] - 2, maps.shape[2] - 2
    sums = np.zeros((len(maps), height, width, maps.shape[3]))
    for tap, of_channel in enumerate(weight.taps.astype(np.float64)):
        down, right = divmod(tap, 3)
        sums += maps[:, down : down + height, right : right + width] * of_channel
    inside = sums[:, ::stride, ::stride].astype(np.float32)
    return np.pad(inside, ((0, 0), (1, 1), (1, 1), (0, 0)))


def depthwise_conv_cost(maps: tuple[int, ...], weight: tuple[int, ...], stride: int = 1) -> Cost:
    """MACs, and the bytes of both maps and of the weights, each moved once.

    Args:
        maps: The shape of the padded maps.
        weight: The shape of the weight, `c 3 3`.
        stride: As of `depthwise_conv`.

    >>> depthwise_conv_cost((1, 7, 9, 16), (16, 3, 3)).macs == 9 * 16 * 5 * 7
    True
    """
    n, height, width, channels = maps
    p, q = (height - 3) // stride + 1, (width - 3) // stride + 1
    moved = n * height * width + n * (p + 2) * (q + 2) + TAPS
    return Cost(macs=n * p * q * weight[0] * TAPS, traffic_bytes=4 * channels * moved)


def _full(c: int) -> int:
    return c + -c % LANES


def _room(shape: tuple[int, int, int, int]) -> Maps:
    """Maps that begin with a cache line; their frame, too, is the loop's to write."""
    n_bytes = 4 * math.prod(shape)
    room = np.empty(n_bytes + BYTES, np.uint8)
    return np.ndarray(shape, np.float32, buffer=room, offset=-room.ctypes.data % BYTES)


def _flat(maps: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(maps).reshape(-1)


def _demand_floats(caller: str, name: str, array: object) -> None:
    _check.kind(caller, name, array, np.ndarray)
    assert isinstance(array, np.ndarray)
    if array.dtype != np.float32:
        raise _check.BadKind(f"{caller}: {name} must be float32, got {array.dtype}")


def _demand_maps(caller: str, maps: np.ndarray, channels: int) -> None:
    _demand_floats(caller, "maps", maps)
    fits = maps.ndim == 4 and min(maps.shape[1:3]) >= 3 and maps.shape[3] == channels
    if not fits:
        _check.fail(caller, "shape of maps", f"must be n h+2 w+2 {channels}", maps.shape)


@compiled
def _rows(first, last, x, taps, y, sizes):
    height, width, channels, p, q, stride = sizes
    line, out_line = width * channels, (q + 2) * channels
    for tile in range(first, last):
        image, row = tile // p, tile % p
        top = (image * height + row * stride) * line
        out = (image * (p + 2) + row + 1) * out_line
        _clear(y, out, out + channels)
        _clear(y, out + out_line - channels, out + out_line)
        if row == 0:
            _clear(y, out - out_line, out)
        if row == p - 1:
            _clear(y, out + out_line, out + 2 * out_line)
        for c in range(0, channels, LANES):
            weight = (
                _columns(taps, c, channels),
                _columns(taps, c + channels, channels),
                _columns(taps, c + 2 * channels, channels),
            )
            place = out + channels + c
            if stride == 1:
                _row(x, top + c, line, weight, y, place, (q, channels))
            else:
                _row_apart(x, top + c, line, weight, y, place, (q, channels, stride))


@compiled
def _clear(y, begin, end):
    for place in range(begin, end, LANES):
        store(y, place, splat(np.float32(0)))


@compiled
def _columns(taps, place, channels):
    """The three weights of a column of the filter."""
    down = 3 * channels
    return load(taps, place), load(taps, place + down), load(taps, place + 2 * down)


@compiled
def _pixels(x, place, line):
    """The three pixels of a column."""
    return load(x, place), load(x, place + line), load(x, place + 2 * line)


@compiled
def _plus(sums, w, pixels):
    return fma(w[2], pixels[2], fma(w[1], pixels[1], fma(w[0], pixels[0], sums)))


@compiled
def _row(x, o, line, weight, y, out, sizes):
    """Sixteen channels of a row: each column of pixels is loaded once and meets three sums."""
    (left, middle, right), (q, channels) = weight, sizes
    zero, column = splat(np.float32(0)), _pixels(x, o + channels, line)
    this = _plus(_plus(zero, left, _pixels(x, o, line)), middle, column)
    next_ = _plus(zero, left, column)
    o += 2 * channels
    for _ in range(q):
        column = _pixels(x, o, line)
        store(y, out, _plus(this, right, column))
        this, next_ = _plus(next_, middle, column), _plus(zero, left, column)
        o, out = o + channels, out + channels


@compiled
def _row_apart(x, o, line, weight, y, out, sizes):
    """The same where the next place of the filter is more than a pixel further."""
    (left, middle, right), (q, channels, stride) = weight, sizes
    for _ in range(q):
        sums = _plus(splat(np.float32(0)), left, _pixels(x, o, line))
        sums = _plus(sums, middle, _pixels(x, o + channels, line))
        store(y, out, _plus(sums, right, _pixels(x, o + 2 * channels, line)))
        o, out = o + stride * channels, out + channels
