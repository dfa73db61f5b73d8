"""Convolutions of bytes against torch in floats of 64 bits, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit.int8_conv import int8_conv
from efficientdl.kernels.low_bit.int8_filters import pack_filters
from efficientdl.kernels.low_bit.int8_gemm import int8_gemm
from efficientdl.kernels.low_bit.int8_panels import pack_int8
from efficientdl.kernels.threads import threads
from efficientdl.kernels.window import Window
from tests.kernels.low_bit.convolutions import by_torch, drawn, filters_of, inputs
from tests.promises import kernel
from tests.promises.toys import toy


def test_a_tap_of_one_pixel_is_a_matrix_product():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (1, 37, 5, 3), dtype=np.uint8)
    weight = rng.integers(-128, 128, (70, 37, 1, 1), dtype=np.int8)
    rows = np.ascontiguousarray(x[0].reshape(37, -1).T)
    product = int8_gemm(rows, pack_int8(weight[:, :, 0, 0].T), np.full(15, 9, np.int32))
    y = int8_conv(x, pack_filters(weight), Window(), np.int32([9]))
    np.testing.assert_array_equal(y[0].reshape(70, -1).T, product)


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_conv, Kernel(inputs=inputs)))


@settings(deadline=None, max_examples=60)
@given(size=st.integers(1, 20), seed=st.integers(0, 9999))
def test_it_is_torch_s_convolution(size, seed):
    x, weight, zeros, groups, window, zero_points = drawn(np.random.default_rng(seed), size)
    filters = pack_filters(weight, zeros, groups=groups)
    y = int8_conv(x, filters, window, zero_points)
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, by_torch(x, weight, zeros, groups, window, zero_points))


@pytest.mark.parametrize(
    ("shape", "weight", "groups"),
    [
        ((2, 64, 21, 19), (96, 64, 3, 3), 1),
        ((1, 48, 40, 40), (48, 1, 3, 3), 48),
        ((3, 16, 17, 9), (32, 1, 5, 3), 16),
        ((1, 12, 30, 11), (66, 4, 1, 2), 3),
    ],
    ids=["dense", "depthwise", "two filters a channel, five rows", "groups"],
)
@pytest.mark.parametrize("padding", [(0, 0), (1, 2)])
def test_more_outputs_than_a_strip_on_several_threads(shape, weight, groups, padding):
    rng = np.random.default_rng(1)
    x, w = rng.integers(-128, 128, shape, np.int8), rng.integers(-128, 128, weight, np.int8)
    window, zeros = Window(padding=padding), rng.integers(-128, 128, len(x), np.int32)
    exact = by_torch(x, w, None, groups, window, zeros)
    lying = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for n, pictures in ((1, x), (3, lying)):
        with threads(n):
            y = int8_conv(pictures, pack_filters(w, groups=groups), window, zeros)
        np.testing.assert_array_equal(y, exact)


def test_the_border_is_the_code_of_zero():
    x = np.full((2, 8, 3, 3), 7, np.uint8)
    x[1] = 200
    filters = pack_filters(np.full((5, 8, 3, 3), -128, np.int8))
    y = int8_conv(x, filters, Window(padding=(4, 4)), np.int32([7, 200]))
    np.testing.assert_array_equal(y, 0)


def test_no_picture_gives_none():
    x = np.zeros((0, 3, 4, 4), np.uint8)
    assert int8_conv(x, filters_of(), Window(), np.zeros(0, np.int32)).shape == (0, 2, 3, 3)


def test_the_result_lies_as_the_next_convolution_reads_it():
    y = int8_conv(np.ones((1, 3, 4, 4), np.uint8), filters_of(), Window(), np.int32([0]))
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"x": np.zeros((1, 3, 4, 4))}, "x must be an array of uint8 or int8, got float64"),
        ({"x": [1]}, "x must be a ndarray, got"),
        ({"x": np.zeros((1, 4, 4, 4), np.int8)}, r"shape of x must be n 3 h w, got \(1, 4"),
        ({"x": np.zeros((3, 4, 4), np.int8)}, r"shape of x must be n 3 h w, got \(3, 4, 4\)"),
        ({"x": np.zeros((1, 3, 1, 4), np.int8)}, "picture with its border must be at least as"),
        ({"filters": np.zeros(3)}, "filters must be a Int8Filters, got"),
        ({"window": ((1, 1), (0, 0), (1, 1))}, "window must be a Window, got"),
        (
            {"window": Window(stride=(0, 1))},
            r"stride must be a whole number in \[1, 65536\], got 0",
        ),
        ({"window": Window(padding=(0, -1))}, "padding must be a whole number in .*, got -1"),
        ({"window": Window(dilation=(1, 1, 1))}, r"dilation must be a pair, got \(1, 1, 1\)"),
        ({"zero_points": np.zeros(1)}, "zero_points must be an array of int32, got float64"),
        ({"zero_points": np.zeros(2, np.int32)}, "zero_points must be one for each of 1 pictures"),
        ({"zero_points": np.int32([128])}, r"zero_points must be in \[-128, 127\], got \(128, 128"),
    ],
)
def test_bad_input_is_named(change, error):
    good = {
        "x": np.zeros((1, 3, 4, 4), np.int8),
        "filters": filters_of(),
        "window": Window(),
        "zero_points": np.int32([0]),
    }
    with pytest.raises((ValueError, TypeError), match=f"int8_conv: {error}"):
        int8_conv(**{**good, **change})
