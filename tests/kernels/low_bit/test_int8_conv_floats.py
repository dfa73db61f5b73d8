"""Sums of a convolution become floats, against torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit.int8_conv_floats import int8_conv_floats, pack_scales
from efficientdl.kernels.low_bit.int8_filters import pack_filters
from efficientdl.kernels.window import Window
from tests.kernels.low_bit.convolutions import by_torch, drawn, filters_of, inputs_for_floats
from tests.promises import kernel
from tests.promises.toys import toy


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    reason = "a product and a sum of floats, which some processors round once and some twice"
    promise(toy(int8_conv_floats, Kernel(inputs=inputs_for_floats, tolerance=1e-6, reason=reason)))


@settings(deadline=None, max_examples=25)
@given(size=st.integers(1, 20), seed=st.integers(0, 9999))
def test_it_is_torch_s_convolution_of_what_the_codes_stand_for(size, seed):
    rng = np.random.default_rng(seed)
    x, weight, zeros, groups, window, zero_points = drawn(rng, size)
    filters = pack_filters(weight, zeros, groups=groups)
    scales, biases = rng.random((2, len(weight)), dtype=np.float32)
    scales_x = rng.random(len(x), dtype=np.float32)
    y = int8_conv_floats(x, pack_scales(filters, scales, biases), window, zero_points, scales_x)
    sums = by_torch(x, weight, zeros, groups, window, zero_points)
    step = scales_x[:, None, None, None].astype(np.float64) * scales[:, None, None]
    # four roundings in float32: of the sum, of the step, of their product, of the output
    error = 4 * 2.0**-24 * (np.abs(sums * step) + 1)
    assert (np.abs(y - (sums * step + biases[:, None, None])) <= error).all()


@pytest.mark.parametrize(
    ("scales", "biases", "error"),
    [
        (np.ones(2), None, "scales must be an array of float32, got float64"),
        (np.ones(3, np.float32), None, r"scales must be one for each of 2 filters, got \(3,\)"),
        (np.float32([1, np.inf]), None, "scales must be finite, got"),
        (np.ones(2, np.float32), np.float32([np.nan, 0]), "biases must be finite, got"),
    ],
)
def test_bad_scales_are_named(scales, biases, error):
    with pytest.raises((ValueError, TypeError), match=f"pack_scales: {error}"):
        pack_scales(filters_of(), scales, biases)


def test_bad_scales_of_pictures_are_named():
    to, x, zeros = pack_scales(filters_of(), np.ones(2, np.float32)), np.zeros((1, 3, 4, 4)), [0]
    x, zeros = x.astype(np.int8), np.int32(zeros)
    for scales, error in (
        (np.ones(1), "scales must be an array of float32, got float64"),
        (np.ones(2, np.float32), "scales must be one for each of 1 pictures"),
        (np.float32([np.nan]), "scales must be finite, got"),
    ):
        with pytest.raises((ValueError, TypeError), match=f"int8_conv_floats: {error}"):
            int8_conv_floats(x, to, Window(), zeros, scales)
    with pytest.raises(TypeError, match="int8_conv_floats: to must be a FilterScales, got"):
        int8_conv_floats(x, filters_of(), Window(), zeros, np.ones(1, np.float32))
