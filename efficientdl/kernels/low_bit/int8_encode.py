"""Floats into codes whose scale is known beforehand: where a network of integers begins."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int8

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_pictures import is_whole, whole
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Pictures = Float32[np.ndarray, "n c h w"]


class Levels(NamedTuple):
    """What codes stand for: `x = scale (code - zero point)`.

    Attributes:
        scale: The step from one code to the next, above 0.
        zero_point: The code of 0.0.
        lowest: The least code.
        highest: The largest.
    """

    scale: float
    zero_point: int
    lowest: int = -128
    highest: int = 127


def int8_encode(x: Pictures, levels: Levels) -> Int8[np.ndarray, "n c h w"]:
    """Write floats as codes, the channels of a pixel side by side in memory.

    The code is `x / scale + zero point`, rounded to the nearest whole number, a half to the even
    one, and cut at both ends.

    Args:
        x: Pictures; NaN becomes some code.
        levels: What the codes stand for.

    Raises:
        BadKind: `x` is not float32.
        BadValue: A shape does not fit, or a number is outside its range.

    >>> int8_encode(np.float32([[[[0.0, 0.25, 0.75, 99.0]]]]), Levels(0.5, 3))
    array([[[[  3,   4,   4, 127]]]], dtype=int8)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.1, eq. 1; the survey's section 2.3;
    lab 13.
    """
    _demand(x, levels)
    n, c, h, w = x.shape
    y = np.empty((n, h, w, c), np.int8)
    pixels, to = x.transpose(0, 2, 3, 1), y
    if is_whole(pixels):  # in that order already: as rows of one channel
        x, to = pixels.reshape(1, 1, n * h, w * c), y.reshape(1, n * h, w * c, 1)
    numbers = tuple(np.float32(number) for number in levels)
    deal(_encode, x.shape[0] * x.shape[2], whole(x), numbers, to)
    return y.transpose(0, 3, 1, 2)


def int8_encode_reference(x: Pictures, levels: Levels) -> Int8[np.ndarray, "n c h w"]:
    """The same in NumPy."""
    scale, zero_point, lowest, highest = (np.float32(number) for number in levels)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.clip(np.rint(x / scale + zero_point), lowest, highest).astype(np.int8)


def int8_encode_cost(x: tuple[int, ...], _levels: Levels) -> Cost:
    """No MACs, and the bytes of floats and codes.

    >>> int8_encode_cost((1, 3, 2, 2), Levels(1.0, 0))
    Cost(macs=0, traffic_bytes=60)
    """
    return Cost(macs=0, traffic_bytes=5 * int(np.prod(x)))


def _demand(x: np.ndarray, levels: Levels) -> None:
    caller = "int8_encode"
    demand_array(caller, "x", x, np.float32)
    _check.kind(caller, "levels", levels, Levels)
    if x.ndim != 4:
        _check.fail(caller, "shape of x", "must be n c h w", x.shape)
    if not _check.number(caller, "scale", levels.scale) > 0:
        _check.fail(caller, "scale", "must be above 0", levels.scale)
    for name in ("zero_point", "lowest", "highest"):
        _check.whole(caller, name, getattr(levels, name), -128, 127)


@compiled
def _encode(first, last, x, levels, y):
    scale, zero_point, lowest, highest = levels
    _, c, h, w = x.shape
    places = np.empty(w, np.float32)
    for line in range(first, last):
        image, i = line // h, line % h
        for k in range(c):
            for j in range(w):
                place = np.rint(x[image, k, i, j] / scale + zero_point)
                places[j] = min(max(place, lowest), highest)
            for j in range(w):
                y[image, i, j, k] = np.int8(places[j])
