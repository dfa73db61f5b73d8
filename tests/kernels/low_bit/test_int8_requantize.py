"""Sums become codes as the integers of `tensors.fixed_point` do it, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit import Requantize, int8_gemm, int8_gemm_codes, pack_int8
from efficientdl.kernels.low_bit.int8_gemm import _inputs
from efficientdl.kernels.threads import threads
from efficientdl.tensors.fixed_point import FixedPoint, fixed_point, rescale, saturate
from tests.promises import kernel
from tests.promises.toys import toy


def requantize(rng, n):
    factor = fixed_point(torch.from_numpy(rng.uniform(1e-4, 2e-2, n)))
    bias = rng.integers(-5000, 5000, n).astype(np.int32)
    ends = (int(rng.integers(-128, 0)), int(rng.integers(0, 128)))
    zero = int(rng.integers(-128, 128))
    return Requantize(bias, factor.multiplier.numpy(), factor.shift.numpy(), zero, *ends)


def inputs(rng, size):
    x, weight, zeros = _inputs(rng, size)
    return x, weight, zeros, requantize(rng, weight.n)


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_gemm_codes, Kernel(inputs=inputs)))


@settings(deadline=None, max_examples=25)
@given(size=st.integers(1, 30), seed=st.integers(0, 999))
def test_it_rounds_as_fixed_point_does(size, seed):
    x, weight, zeros, to = inputs(np.random.default_rng(seed), size)
    sums = torch.from_numpy(int8_gemm(x, weight, zeros)).long() + torch.from_numpy(to.bias)
    factor = FixedPoint(torch.from_numpy(to.multiplier), torch.from_numpy(to.shift))
    steps = rescale(sums, factor)
    wanted = saturate(steps, to.zero_point, lowest=to.lowest, highest=to.highest).numpy()
    np.testing.assert_array_equal(int8_gemm_codes(x, weight, zeros, to), wanted)


def test_a_half_is_rounded_upwards():
    quarter = Requantize(np.int32([0]), np.int32([2**30]), np.int32([32]))
    x, one = np.int8([[10], [-10], [2], [-2]]), pack_int8(np.int8([[1]]))
    codes = int8_gemm_codes(x, one, np.zeros(4, np.int32), quarter)
    np.testing.assert_array_equal(codes[:, 0], [3, -2, 1, 0])  # of 2.5, -2.5, 0.5, -0.5


def test_the_largest_sum_times_the_largest_multiplier_fits():
    largest = Requantize(np.int32([2**31 - 1]), np.int32([2**31 - 1]), np.int32([62]))
    one = pack_int8(np.int8([[0]]))
    codes = int8_gemm_codes(np.uint8([[0]]), one, np.int32([0]), largest)
    np.testing.assert_array_equal(codes, 1)  # (2**31 - 1)**2 / 2**62 is nearly 1


def test_more_rows_than_a_block_on_several_threads():
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (200, 5), np.uint8), rng.integers(-128, 128, (5, 70), np.int8)
    to, zeros = requantize(rng, 70), np.full(200, 128, np.int32)
    with threads(1):
        one = int8_gemm_codes(x, pack_int8(w), zeros, to)
    with threads(3):
        np.testing.assert_array_equal(int8_gemm_codes(x, pack_int8(w), zeros, to), one)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"bias": np.zeros(2, np.int64)}, "bias must be an array of int32, got int64"),
        ({"bias": np.zeros(3, np.int32)}, "bias must be one for each of 2 columns, got"),
        ({"multiplier": np.int32([1, -1])}, r"multiplier must be in \[0, 2147483647\], got \(-1"),
        ({"shift": np.int32([0, 5])}, r"shift must be in \[1, 62\], got \(0, 5\)"),
        ({"shift": np.int32([1, 63])}, r"shift must be in \[1, 62\], got \(1, 63\)"),
        ({"lowest": -129}, r"lowest must be a whole number in \[-128, 127\], got -129"),
        ({"lowest": 5, "highest": 4}, "lowest must be at most highest = 4, got 5"),
    ],
)
def test_a_bad_requantization_is_named(change, error):
    good = Requantize(*(np.ones(2, np.int32) for _ in range(3)))
    x, weight = np.zeros((1, 1), np.uint8), pack_int8(np.zeros((1, 2), np.int8))
    with pytest.raises((ValueError, TypeError), match=f"int8_gemm_codes: {error}"):
        int8_gemm_codes(x, weight, np.int32([0]), good._replace(**change))
