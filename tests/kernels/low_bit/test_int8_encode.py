"""Floats into codes, bit for bit as torch makes them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit.int8_encode import Levels, int8_encode
from tests.promises import kernel
from tests.promises.toys import toy

# nothing is multiplied: that MACs grow with the size cannot hold
PROMISES = [p for p in kernel.PROMISES if p is not kernel.knows_its_cost_from_shapes]


def inputs(rng, size):
    x = rng.normal(0, 3, (2, size, size % 5 + 1, size)).astype(np.float32)
    return x, Levels(float(rng.uniform(0.01, 0.1)), int(rng.integers(-128, 128)), -100, 120)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_encode, Kernel(inputs=inputs)))


@settings(deadline=None, max_examples=25)
@given(size=st.integers(1, 40), seed=st.integers(0, 999))
def test_codes_are_torch_s(size, seed):
    x, levels = inputs(np.random.default_rng(seed), size)
    given_ = torch.from_numpy(x)
    places = (given_ / levels.scale + levels.zero_point).round()
    wanted = places.clamp(levels.lowest, levels.highest).to(torch.int8)
    lying = given_.contiguous(memory_format=torch.channels_last)
    for floats in (given_, lying):
        np.testing.assert_array_equal(int8_encode(floats.numpy(), levels), wanted)


@pytest.mark.parametrize(
    ("x", "levels", "error"),
    [
        (np.zeros((1, 1, 1, 1)), Levels(1.0, 0), "x must be an array of float32, got float64"),
        (np.zeros(3, np.float32), Levels(1.0, 0), r"shape of x must be n c h w, got \(3,\)"),
        (np.zeros((1, 1, 1, 1), np.float32), Levels(0.0, 0), "scale must be above 0, got 0.0"),
        (np.zeros((1, 1, 1, 1), np.float32), Levels(1.0, 128), "zero_point must be a whole number"),
        (np.zeros((1, 1, 1, 1), np.float32), (1.0, 0), "levels must be a Levels, got"),
    ],
)
def test_bad_input_is_named(x, levels, error):
    with pytest.raises((ValueError, TypeError), match=f"int8_encode: {error}"):
        int8_encode(x, levels)
