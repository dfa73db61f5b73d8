"""Sums of a convolution become codes as the integers of `tensors.fixed_point` do it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit.int8_conv import int8_conv
from efficientdl.kernels.low_bit.int8_conv_codes import int8_conv_codes, pack_requantize
from efficientdl.kernels.low_bit.int8_filters import pack_filters
from efficientdl.kernels.low_bit.int8_requantize import Requantize
from efficientdl.kernels.window import Window
from efficientdl.tensors.fixed_point import FixedPoint, rescale, saturate
from tests.kernels.low_bit.convolutions import filters_of, inputs, inputs_for_codes, requantize
from tests.promises import kernel
from tests.promises.toys import toy

ONE = pack_filters(np.ones((1, 1, 1, 1), np.int8))


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_conv_codes, Kernel(inputs=inputs_for_codes)))


@settings(deadline=None, max_examples=40)
@given(size=st.integers(1, 20), seed=st.integers(0, 9999))
def test_it_rounds_as_fixed_point_does(size, seed):
    rng = np.random.default_rng(seed)
    x, filters, window, zeros = inputs(rng, size)
    to = requantize(rng, filters.shape[0])
    bias, multiplier, shift = (torch.from_numpy(a)[:, None, None] for a in to[:3])
    sums = torch.from_numpy(int8_conv(x, filters, window, zeros)).long() + bias
    steps = rescale(sums, FixedPoint(multiplier, shift))
    wanted = saturate(steps, to.zero_point, lowest=to.lowest, highest=to.highest).numpy()
    codes = int8_conv_codes(x, pack_requantize(filters, to), window, zeros)
    np.testing.assert_array_equal(codes, wanted)


def test_a_half_is_rounded_upwards():
    quarter = Requantize(np.int32([0]), np.int32([2**30]), np.int32([32]))
    x = np.int8([10, -10, 2, -2]).reshape(1, 1, 2, 2)
    codes = int8_conv_codes(x, pack_requantize(ONE, quarter), Window(), np.int32([0]))
    np.testing.assert_array_equal(codes.ravel(), [3, -2, 1, 0])  # of 2.5, -2.5, 0.5, -0.5


@pytest.mark.parametrize(("shift", "code"), [(1, 127), (30, 127), (62, 1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_farthest_sum_times_the_largest_multiplier(shift, code, sign):
    bias = np.int32([sign * (2**31 - 1 - 255)])
    to = Requantize(bias, np.int32([2**31 - 1]), np.int32([shift]))
    x = np.zeros((1, 1, 1, 1), np.uint8)
    codes = int8_conv_codes(x, pack_requantize(ONE, to), Window(), np.int32([0]))
    np.testing.assert_array_equal(codes, code if sign > 0 else -128 if code == 127 else -1)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"bias": np.zeros(2, np.int64)}, "bias must be an array of int32, got int64"),
        ({"bias": np.full(2, 2**31 - 1, np.int32)}, "bias must be so small that no sum, its bias"),
        ({"multiplier": np.int32([1, -1])}, r"multiplier must be in \[0, 2147483647\], got \(-1"),
        ({"shift": np.int32([0, 5])}, r"shift must be in \[1, 62\], got \(0, 5\)"),
        ({"lowest": 5, "highest": 4}, "lowest must be at most highest = 4, got 5"),
    ],
)
def test_a_bad_requantization_is_named(change, error):
    good = Requantize(*(np.ones(2, np.int32) for _ in range(3)))
    with pytest.raises((ValueError, TypeError), match=f"pack_requantize: {error}"):
        pack_requantize(filters_of(), good._replace(**change))


def test_what_was_not_packed_is_refused():
    x, zeros = np.zeros((1, 3, 4, 4), np.int8), np.int32([0])
    with pytest.raises(TypeError, match="int8_conv_codes: to must be a FilterCodes, got"):
        int8_conv_codes(x, filters_of(), Window(), zeros)
    to = pack_requantize(filters_of(), Requantize(*(np.ones(2, np.int32) for _ in range(3))))
    with pytest.raises(ValueError, match=r"int8_conv_codes: shape of x must be n 3 h w, got"):
        int8_conv_codes(x[:, :2], to, Window(), zeros)
