"""Pictures of bytes as the int8 convolution wants them, and the strips that it falls into."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int8, Int32, Shaped, UInt8

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_conv_tiles import BLOCK, Strip, panel_sums
from efficientdl.kernels.low_bit.int8_depthwise import channel_sums
from efficientdl.kernels.low_bit.int8_filters import DEPTH, LANES, PANEL, Int8Filters
from efficientdl.kernels.window import Pair, Window, places

Pictures = UInt8[np.ndarray, "n c_in h w"] | Int8[np.ndarray, "n c_in h w"]
ZeroPoints = Int32[np.ndarray, " n"]
Bytes = UInt8[np.ndarray, "n h w c"]
Shape = tuple[int, ...]
SIGNS = -0x7F7F7F80  # the signs of four bytes, as a word with a sign
STRIP = 256  # outputs of 16 channels at a time, as many whole lines as these hold
NOWHERE = np.zeros(0, np.int64)
BYTES, WORDS = (np.dtype(np.uint8), np.dtype(np.int8)), (np.dtype(np.int32),)
NO_PANELS, NO_CHANNELS = (0,) * 7, ((0,) * 5, ((0, 0),) * 5 + (0,))


class Arranged(NamedTuple):
    """A convolution laid out.

    Attributes:
        n_tiles: How many strips it falls into.
        shape: `n p q c_out` of the result.
        x: What strips read.
        plan: How they follow each other.
    """

    n_tiles: int
    shape: tuple[int, int, int, int]
    x: tuple[Any, ...]
    plan: tuple[Any, ...]


def arrange(
    caller: str, x: Pictures, filters: Int8Filters, window: Window, zero_points: ZeroPoints
) -> Arranged:
    """Check pictures, put their channels side by side if they are not, and lay out the strips."""
    _demand(caller, x, filters, zero_points)
    _check.kind(caller, "window", window, Window)
    outputs = window.outputs(caller, (x.shape[2], x.shape[3]), filters.shape[2:])
    signed = x.dtype == np.int8
    zeros = zero_points + np.int32(128 if signed else 0)
    pixels = x.view(np.uint8).transpose(0, 2, 3, 1)
    fill = zero_points.astype(np.uint8)
    lay_out = _lay_out_channels if filters.depthwise else _lay_out_panels
    return lay_out(pixels, (SIGNS if signed else 0, zeros, fill), filters, window, outputs)


Zeros = tuple[int, Int32[np.ndarray, " n"], UInt8[np.ndarray, " n"]]


def _lay_out_panels(
    pixels: Bytes, zeros: Zeros, filters: Int8Filters, window: Window, outputs: Pair
) -> Arranged:
    """Words of channels, with a border; as they stand where that is what they are already."""
    n, groups, words = len(pixels), filters.groups, filters.channel_words
    (up, left), (flip, steps, fill) = window.padding, zeros
    as_they_are = not (up or left) and filters.shape[1] % DEPTH == 0 and is_whole(pixels)
    if not as_they_are:
        pixels = _bordered(pixels, fill, filters, (up, left))
    _, h, w, _ = pixels.shape
    pixel = groups * words
    found = places(
        window,
        outputs,
        filters.shape[2:],
        pixel=pixel,
        row=w * pixel,
        channel_words=words,
    )
    taps = np.tile(found.taps, filters.copies) if filters.copies > 1 else found.taps
    flat, (p, q) = pixels.reshape(-1), outputs
    n_panels = groups * filters.n_panels
    x = flat, flat.view(np.int32), flip, steps, steps, found.pixels, taps, found.run
    plan = (p * q, n_panels, h * w * pixel, words, filters.per_group, filters.n_panels)
    n_tiles = n * -(-p * q // BLOCK) * n_panels
    plans = (False, BLOCK * PANEL, 0), (*plan, filters.depth), NO_CHANNELS
    return Arranged(n_tiles, (n, p, q, filters.shape[0]), x, plans)


def _lay_out_channels(
    pixels: Bytes, zeros: Zeros, filters: Int8Filters, window: Window, outputs: Pair
) -> Arranged:
    """Channels by sixteens; their border is made while lines are packed."""
    (c_out, _, r, s), (flip, steps, _) = filters.shape, zeros
    if c_out > pixels.shape[3]:  # several filters for a channel: it stands there as often
        pixels = pixels.repeat(c_out // pixels.shape[3], axis=3)
    if c_out % LANES or not is_whole(pixels):
        pixels = _filled_up(pixels, -(-c_out // LANES) * LANES)
    n, h, w, pixel = pixels.shape
    (p, q), n_rows = outputs, r * filters.copies
    borders = (steps.astype(np.uint32) * np.uint32(0x01010101)).view(np.int32)
    x = pixels.reshape(-1), NOWHERE.view(np.int32), flip, steps, borders, NOWHERE, NOWHERE, 0
    form = (h, w), window.stride, window.padding, window.dilation, (r, s), n_rows
    n_words = (w + 2 * window.padding[1]) * -(-n_rows // DEPTH) * LANES
    at_once = max(1, STRIP // q)
    n_tiles = n * -(-p // at_once) * (pixel // LANES)
    sizes = p, at_once, q, c_out, pixel
    plans = (True, at_once * q * LANES, n_words), NO_PANELS, (sizes, form)
    return Arranged(n_tiles, (n, p, q, c_out), x, plans)


def is_whole(array: Shaped[np.ndarray, "..."]) -> bool:
    """Whether loops may read an array as it stands: they are compiled for one kind of them."""
    return bool(array.flags.c_contiguous and array.flags.aligned and array.flags.writeable)


def whole(array: Shaped[np.ndarray, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
    """The array, or a copy, as loops read it.

    >>> flags = whole(np.ones((2, 3)).T).flags
    >>> flags.c_contiguous, flags.writeable
    (True, True)
    """
    return array if is_whole(array) else np.array(array, order="C")


def _bordered(
    pixels: Bytes, fill: UInt8[np.ndarray, " n"], filters: Int8Filters, by: Pair
) -> Bytes:
    """A copy in whole words for each group, between borders of zero's code."""
    (n, h, w, c), (up, left) = pixels.shape, by
    groups, words = filters.groups, filters.channel_words
    per_group = c // groups
    room = np.empty((n, h + 2 * up, w + 2 * left, groups, words * DEPTH), np.uint8)
    room[...] = fill[:, None, None, None, None]
    inside = room[:, up : up + h, left : left + w]
    given = pixels.reshape(n, h, w, groups, per_group)
    if per_group > DEPTH:
        inside[..., :per_group] = given
    else:  # NumPy copies a few bytes at a time slowly: a channel's along the line instead
        for k in range(per_group):
            inside[..., k] = given[..., k]
    return room.reshape(*room.shape[:3], groups * words * DEPTH)


def _filled_up(pixels: Bytes, n_channels: int) -> Bytes:
    room = np.zeros((*pixels.shape[:3], n_channels), np.uint8)
    room[..., : pixels.shape[3]] = pixels
    return room


def _demand(caller: str, x: Pictures, filters: Int8Filters, zero_points: ZeroPoints) -> None:
    _check.kind(caller, "filters", filters, Int8Filters)
    for name, array, dtypes in (("x", x, BYTES), ("zero_points", zero_points, WORDS)):
        demand_array(caller, name, array, *dtypes)
    c_in = filters.shape[1] * filters.groups
    if x.ndim != 4 or x.shape[1] != c_in:
        _check.fail(caller, "shape of x", f"must be n {c_in} h w", x.shape)
    if zero_points.shape != x.shape[:1]:
        rule = f"must be one for each of {len(x)} pictures"
        _check.fail(caller, "zero_points", rule, zero_points.shape)
    low = -128 if x.dtype == np.int8 else 0
    zeros = zero_points.tolist()  # a few numbers: NumPy's own reductions take longer to start
    if zeros and not (min(zeros) >= low and max(zeros) <= low + 255):
        ends = min(zeros), max(zeros)
        _check.fail(caller, "zero_points", f"must be in [{low}, {low + 255}]", ends)


@compiled
def room(plan) -> tuple[np.ndarray, np.ndarray, int]:
    """Room for the sums of a strip and for its words, and how far apart its outputs stand."""
    (by_channel, n_sums, n_words), _, _ = plan
    width = LANES if by_channel else PANEL
    return np.empty(n_sums, np.int32), np.empty(n_words, np.int32), width


@compiled
def strip_sums(tile, x, w, plan, sums, packed) -> Strip:
    """The sums of one strip, into `sums`; where they belong.

    Returns:
        The first output, how many; the first filter, how many; the first column; the picture.
    """
    codes, words, flip, zeros, borders, pixels, taps, run = x
    (by_channel, _, _), panels, channels = plan
    if by_channel:
        read = codes, flip, zeros, borders
        return channel_sums(tile, read, w, channels, sums, packed)
    return panel_sums(tile, (words, flip, zeros, pixels, taps, run), w, panels, sums)
