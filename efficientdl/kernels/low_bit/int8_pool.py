"""Pools on bytes: the largest of a window, which keeps the scale, or its mean in another one."""

import numpy as np
from jaxtyping import Int8
from numpy.lib.stride_tricks import sliding_window_view

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_pictures import whole
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Pair, Window
from efficientdl.report import Cost

Codes = Int8[np.ndarray, "n c h w"]
Pooled = Int8[np.ndarray, "n c p q"]
Shape = tuple[int, ...]
LEAST = -128


def int8_max_pool(x: Codes, kernel: Pair, window: Window) -> Pooled:
    """The largest code of each window; a border never wins.

    Args:
        x: Codes.
        kernel: How many pixels a window has, down and to the right.
        window: How it moves.

    Raises:
        BadKind: The codes are not int8.
        BadValue: A shape does not fit.

    >>> x = np.int8([[[[1, 5, 2, -3]]]])
    >>> int8_max_pool(x, (1, 2), Window(stride=(1, 2)))
    array([[[[5, 2]]]], dtype=int8)

    Source: pools need no scale: Jacob et al., "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", CVPR 2018; the survey's section 2.3; lab 13.
    """
    pixels, y = _arranged("int8_max_pool", x, kernel, window)
    deal(_largest, len(y) * y.shape[1], pixels, kernel, tuple(window), y)
    return y.transpose(0, 3, 1, 2)


def int8_max_pool_reference(x: Codes, kernel: Pair, window: Window) -> Pooled:
    """The same in NumPy."""
    return _windows(x, kernel, window, LEAST).max(axis=(4, 5))


def int8_max_pool_cost(x: Shape, kernel: Pair, window: Window) -> Cost:
    """No MACs, and the bytes of both pictures.

    >>> int8_max_pool_cost((1, 2, 4, 4), (2, 2), Window(stride=(2, 2)))
    Cost(macs=0, traffic_bytes=40)
    """
    p, q = window.outputs("int8_max_pool_cost", (x[2], x[3]), kernel)
    return Cost(macs=0, traffic_bytes=x[0] * x[1] * (x[2] * x[3] + p * q))


def int8_mean_pool(
    x: Codes, kernel: Pair, window: Window, zero_point: int, to: tuple[int, int, int, int, int]
) -> Pooled:
    """The mean of each window in another scale: a sum of steps, and one factor.

    `(sum (x - z_x)) multiplier 2**-shift + z_y`, rounded once, a half upwards; a border counts as
    zeros. The factor divides by the window's size too.

    Args:
        x: Codes.
        kernel: How many pixels a window has, down and to the right.
        window: How it moves.
        zero_point: The code of zero, in `x`.
        to: Multiplier, shift, code of zero, least and largest code of the result.

    Raises:
        BadKind: The codes are not int8.
        BadValue: A shape does not fit, or a number is outside its range.

    >>> x = np.int8([[[[1, 5, 2, 4]]]])
    >>> half = 2**30, 31, 0, -128, 127
    >>> int8_mean_pool(x, (1, 2), Window(stride=(1, 2)), 0, half)
    array([[[[3, 3]]]], dtype=int8)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.2; the survey's section 2.3; lab 13.
    """
    pixels, y = _arranged("int8_mean_pool", x, kernel, window)
    _demand_factor("int8_mean_pool", kernel, zero_point, to)
    numbers = tuple(int(number) for number in (zero_point, *to))
    deal(_mean, len(y) * y.shape[1], pixels, kernel, tuple(window), numbers, y)
    return y.transpose(0, 3, 1, 2)


def int8_mean_pool_reference(
    x: Codes, kernel: Pair, window: Window, zero_point: int, to: tuple[int, int, int, int, int]
) -> Pooled:
    """The same in NumPy."""
    multiplier, shift, zero, low, high = to
    steps = _windows(x.astype(np.int64) - zero_point, kernel, window, 0).sum(axis=(4, 5))
    scaled = (steps * multiplier + (1 << (shift - 1))) >> shift
    return np.clip(scaled + zero, low, high).astype(np.int8)


def int8_mean_pool_cost(
    x: Shape, kernel: Pair, window: Window, _zero_point: int, _to: tuple[int, int, int, int, int]
) -> Cost:
    """A MAC for each output, and the bytes of both pictures.

    >>> int8_mean_pool_cost((1, 2, 4, 4), (2, 2), Window(stride=(2, 2)), 0, (1, 1, 0, 0, 0))
    Cost(macs=8, traffic_bytes=40)
    """
    p, q = window.outputs("int8_mean_pool_cost", (x[2], x[3]), kernel)
    pixels = x[0] * x[1]
    return Cost(macs=pixels * p * q, traffic_bytes=pixels * (x[2] * x[3] + p * q))


def _arranged(
    caller: str, x: Codes, kernel: Pair, window: Window
) -> tuple[Int8[np.ndarray, "n h w c"], Int8[np.ndarray, "n p q c"]]:
    demand_array(caller, "x", x, np.int8)
    _check.kind(caller, "window", window, Window)
    if x.ndim != 4:
        _check.fail(caller, "shape of x", "must be n c h w", x.shape)
    p, q = window.outputs(caller, (x.shape[2], x.shape[3]), kernel)
    pixels = whole(x.transpose(0, 2, 3, 1))
    return pixels, np.empty((len(x), p, q, x.shape[1]), np.int8)


def _demand_factor(
    caller: str, kernel: Pair, zero_point: int, to: tuple[int, int, int, int, int]
) -> None:
    _check.whole(caller, "zero_point", zero_point, -128, 127)
    if len(to) != 5:
        _check.fail(caller, "to", "must be multiplier, shift, zero point, lowest, highest", to)
    _check.whole(caller, "multiplier", to[0], 0, 2**31 - 1)
    _check.whole(caller, "shift", to[1], 1, 62)
    for name, number in zip(("zero point", "lowest", "highest"), to[2:], strict=True):
        _check.whole(caller, f"{name} of the result", number, -128, 127)
    if kernel[0] * kernel[1] > 2**23:  # of them 255 times as many need 31 bits
        _check.fail(caller, "kernel", "must have at most 2**23 pixels", kernel)


def _windows(x: np.ndarray, kernel: Pair, window: Window, border: int) -> np.ndarray:
    (down, right), (up, left), (d, e) = window
    padded = np.pad(x, ((0, 0), (0, 0), (up, up), (left, left)), constant_values=border)
    size = d * (kernel[0] - 1) + 1, e * (kernel[1] - 1) + 1
    return sliding_window_view(padded, size, axis=(2, 3))[:, :, ::down, ::right, ::d, ::e]


@compiled
def _largest(first, last, x, kernel, window, y):
    (r, s), ((down, right), (up, left), (d, e)) = kernel, window
    _, h, w, c = x.shape
    _, p, q, _ = y.shape
    for line in range(first, last):
        image, top = line // p, line % p * down - up
        for j in range(q):
            to = y[image, line % p, j]
            to[:] = LEAST
            for a in range(top, top + d * r, d):
                for b in range(j * right - left, j * right - left + e * s, e):
                    if 0 <= a < h and 0 <= b < w:
                        codes = x[image, a, b]
                        for k in range(c):
                            to[k] = codes[k] if codes[k] > to[k] else to[k]


@compiled
def _mean(first, last, x, kernel, window, numbers, y):
    (r, s), ((down, right), (up, left), (d, e)) = kernel, window
    zero_point, multiplier, shift, zero, low, high = numbers
    _, h, w, c = x.shape
    _, p, q, _ = y.shape
    sums, half = np.empty(c, np.int32), np.int64(1) << (shift - 1)
    for line in range(first, last):
        image, top = line // p, line % p * down - up
        for j in range(q):
            sums[:] = 0
            for a in range(top, top + d * r, d):
                for b in range(j * right - left, j * right - left + e * s, e):
                    if 0 <= a < h and 0 <= b < w:
                        codes = x[image, a, b]
                        for k in range(c):
                            sums[k] += np.int32(codes[k]) - np.int32(zero_point)
            to = y[image, line % p, j]
            for k in range(c):
                steps = (np.int64(sums[k]) * multiplier + half) >> shift
                to[k] = min(max(steps + zero, low), high)
