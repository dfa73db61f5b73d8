"""Pools on bytes against torch in floats."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit.int8_pool import int8_max_pool, int8_mean_pool
from efficientdl.kernels.window import Window
from tests.kernels.low_bit.convolutions import pair
from tests.promises import kernel
from tests.promises.toys import toy

X = np.zeros((1, 2, 4, 4), np.int8)
TO = 2**30, 32, 0, -128, 127
# nothing is multiplied: that MACs grow with the size cannot hold
PROMISES = [p for p in kernel.PROMISES if p is not kernel.knows_its_cost_from_shapes]


def inputs(rng, size):
    x = rng.integers(-128, 128, (2, size, size + 3, size // 2 + 4), dtype=np.int8)
    kernel = pair(rng, 1, 4)
    padding = min(kernel[0] // 2, 1), min(kernel[1] // 2, 1)
    return x, kernel, Window(pair(rng, 1, 4), padding)


def inputs_of_means(rng, size):
    to = int(rng.integers(2**30, 2**31)), int(rng.integers(31, 36)), 3, -100, 110
    return *inputs(rng, size), int(rng.integers(-128, 128)), to


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize(
    ("pool", "drawn"), [(int8_max_pool, inputs), (int8_mean_pool, inputs_of_means)]
)
def test_they_keep_the_promises_of_a_kernel(pool, drawn, promise):
    promise(toy(pool, Kernel(inputs=drawn)))


def test_a_window_of_one_pixel_is_the_picture():
    x, *_ = inputs(np.random.default_rng(0), 9)
    np.testing.assert_array_equal(int8_max_pool(x, (1, 1), Window()), x)
    one = 2**30, 30, 5, -128, 127
    np.testing.assert_array_equal(int8_mean_pool(x, (1, 1), Window(), 5, one), x)


@settings(deadline=None, max_examples=40)
@given(size=st.integers(1, 30), seed=st.integers(0, 999))
def test_they_are_torch_s(size, seed):
    x, kernel, window = inputs(np.random.default_rng(seed), size)
    floats, zero = torch.from_numpy(x).double(), 7
    largest = functional.max_pool2d(floats, kernel, window.stride, window.padding)
    np.testing.assert_array_equal(int8_max_pool(x, kernel, window), largest)
    means = functional.avg_pool2d(floats - zero, kernel, window.stride, window.padding)
    multiplier = round(2**31 / (kernel[0] * kernel[1] * 1.1))
    y = int8_mean_pool(x, kernel, window, zero, (multiplier, 31, -3, -128, 127))
    # a half of a code to round, and what is left of a multiplier of 31 bits
    exact = (means / 1.1 - 3).clamp(-128, 127).numpy()
    assert np.abs(y - exact).max() <= 0.5 + 1e-5


def test_a_dilated_window_skips_pixels():
    x = np.arange(25, dtype=np.int8).reshape(1, 1, 5, 5)
    y = int8_max_pool(x, (2, 2), Window(dilation=(2, 3)))
    np.testing.assert_array_equal(y[0, 0], [[13, 14], [18, 19], [23, 24]])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((X.astype(float), (2, 2), Window()), "x must be an array of int8, got float64"),
        ((X[0], (2, 2), Window()), r"shape of x must be n c h w, got \(2, 4, 4\)"),
        ((X, (5, 2), Window()), "picture with its border must be at least as large"),
        ((X, (2, 2), (1, 1)), "window must be a Window, got"),
    ],
)
def test_bad_input_is_named(arguments, error):
    with pytest.raises((ValueError, TypeError), match=f"int8_max_pool: {error}"):
        int8_max_pool(*arguments)
    with pytest.raises((ValueError, TypeError), match=f"int8_mean_pool: {error}"):
        int8_mean_pool(*arguments, 0, TO)


@pytest.mark.parametrize(
    ("zero_point", "to", "error"),
    [
        (200, TO, "zero_point must be a whole number in"),
        (0, (-1, *TO[1:]), "multiplier must be a whole number in"),
        (0, (1, 63, *TO[2:]), r"shift must be a whole number in \[1, 62\], got 63"),
        (0, (*TO[:4], 128), "highest of the result must be a whole number in"),
        (0, TO[:4], "to must be multiplier, shift, zero point, lowest, highest, got"),
    ],
)
def test_a_bad_factor_is_named(zero_point, to, error):
    with pytest.raises((ValueError, TypeError), match=f"int8_mean_pool: {error}"):
        int8_mean_pool(X, (2, 2), Window(), zero_point, to)
