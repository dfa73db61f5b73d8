"""Convolutions of bytes, drawn: what the tests of `int8_conv` and its kin share."""

import numpy as np
import torch
from torch.nn import functional

from efficientdl.kernels.low_bit.int8_conv_codes import pack_requantize
from efficientdl.kernels.low_bit.int8_conv_floats import pack_scales
from efficientdl.kernels.low_bit.int8_filters import Int8Filters, pack_filters
from efficientdl.kernels.low_bit.int8_requantize import Requantize
from efficientdl.kernels.window import Window


def pair(rng, low, high):
    first, second = rng.integers(low, high, 2)
    return int(first), int(second)


def drawn(rng, size):
    """Pictures, a weight, its zero points and groups, a window and the pictures' zero points."""
    depthwise = rng.random() < 0.4
    groups = int(rng.integers(2, 3 + 2 * size)) if depthwise else int(rng.choice([1, 1, 2, 3]))
    c_in = 1 if depthwise else int(rng.integers(1, 2 + size // 2))
    per_group = int(rng.integers(1, 3)) if depthwise else int(rng.integers(1, 2 + 3 * size))
    window = Window(pair(rng, 1, 4), pair(rng, 0, 3), pair(rng, 1, 3))
    shape = 1 + size % 3, c_in * groups, size + 5, size // 2 + 6
    signed = rng.random() < 0.5
    low, dtype = (-128, np.int8) if signed else (0, np.uint8)
    x = rng.integers(low, low + 256, shape).astype(dtype)
    if rng.random() < 0.5:  # the channels of a pixel side by side
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    weight = rng.integers(-128, 128, (per_group * groups, c_in, *pair(rng, 1, 4)), dtype=np.int8)
    zeros = rng.integers(-128, 128, len(weight), dtype=np.int32) if rng.random() < 0.4 else None
    return x, weight, zeros, groups, window, rng.integers(low, low + 256, len(x), dtype=np.int32)


def inputs(rng, size):
    x, weight, zeros, groups, window, zero_points = drawn(rng, size)
    return x, pack_filters(weight, zeros, groups=groups), window, zero_points


def requantize(rng, n):
    ends = int(rng.integers(-128, 0)), int(rng.integers(0, 128))
    return Requantize(
        rng.integers(-5000, 5000, n, dtype=np.int32),
        rng.integers(2**30, 2**31, n, dtype=np.int64).astype(np.int32),
        rng.integers(35, 45, n, dtype=np.int32),
        int(rng.integers(-128, 128)),
        *ends,
    )


def inputs_for_codes(rng, size):
    x, filters, window, zero_points = inputs(rng, size)
    return x, pack_requantize(filters, requantize(rng, filters.shape[0])), window, zero_points


def inputs_for_floats(rng, size):
    x, filters, window, zero_points = inputs(rng, size)
    scales, biases = rng.random((2, filters.shape[0]), dtype=np.float32)
    scales_x = rng.random(len(x), dtype=np.float32)
    return x, pack_scales(filters, scales, biases), window, zero_points, scales_x


def by_torch(x, weight, zeros, groups, window, zero_points):
    """The sums in floats of 64 bits, which are exact on whole numbers of this size."""
    steps = torch.from_numpy(x.astype(np.float64) - zero_points[:, None, None, None])
    zeros = np.zeros(len(weight)) if zeros is None else zeros
    filters = torch.from_numpy(weight.astype(np.float64) - zeros[:, None, None, None])
    return functional.conv2d(steps, filters, None, *window, groups).numpy()


def filters_of(c_out=2, c_in=3, r=2, s=2) -> Int8Filters:
    return pack_filters(np.ones((c_out, c_in, r, s), np.int8))
