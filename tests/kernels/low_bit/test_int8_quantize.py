"""Rows of floats into bytes, against NumPy, torch and the definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit import quantize_rows
from efficientdl.kernels.low_bit.int8_quantize import quantize_rows_reference
from efficientdl.kernels.threads import threads
from tests.promises import kernel
from tests.promises.toys import toy


def inputs(rng, size):
    scale = rng.choice([1e-42, 1e-3, 1, 1e30], (size, 1))
    x = rng.standard_normal((size, 7 * size)) * scale + rng.integers(-2, 3, (size, 1)) * scale
    return (x.astype(np.float32) * (rng.random((size, 1)) < 0.9),)


def kept(rng, size):
    return tuple(x.astype(np.float32) for x in inputs(rng, size))


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(quantize_rows, Kernel(inputs=kept)))


def test_bytes_stay_as_they_are():
    x = np.arange(256, dtype=np.float32)[None].repeat(3, axis=0)
    codes, scales, zero_points = quantize_rows(x)
    np.testing.assert_array_equal(codes, x)
    np.testing.assert_array_equal(scales, 1)
    np.testing.assert_array_equal(zero_points, 0)


@settings(deadline=None, max_examples=30)
@given(k=st.integers(1, 90), seed=st.integers(0, 99))
def test_zero_has_a_code_and_all_else_is_half_a_step_away(k, seed):
    x = np.random.default_rng(seed).normal(1.5, 2, (3, k)).astype(np.float32)
    codes, scales, zero_points = quantize_rows(x)
    back = scales[:, None] * (codes.astype(np.float64) - zero_points[:, None])
    # Half a step for the code, half a one where the zero point was rounded and an end is cut off.
    assert (np.abs(back - x) <= scales[:, None] * (1 + 1e-4)).all()
    assert ((zero_points >= 0) & (zero_points <= 255)).all()


def test_it_equals_torch_for_the_same_scale():
    x = np.random.default_rng(0).normal(size=(4, 100)).astype(np.float32)
    codes, scales, zero_points = quantize_rows(x)
    for row, c, scale, zero in zip(x, codes, scales, zero_points, strict=True):
        theirs = torch.fake_quantize_per_tensor_affine(
            torch.from_numpy(row), float(scale), int(zero), 0, 255
        )
        ours = np.float32(scale) * (c.astype(np.float32) - zero)
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6)  # the same code, rounded once


def test_threads_do_not_matter():
    x = np.random.default_rng(1).normal(size=(9, 33)).astype(np.float32)
    with threads(3):
        for ours, theirs in zip(quantize_rows(x), quantize_rows_reference(x), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 5, 39])
def test_what_is_not_finite_is_refused(bad, place):
    x = np.ones((3, 40), np.float32)
    x[1, place] = bad
    with pytest.raises(ValueError, match=r"quantize_rows: x must be finite, and so must the range"):
        quantize_rows(x)


def test_bad_rows_are_named():
    with pytest.raises(TypeError, match=r"quantize_rows: x must be an array of float32, got float"):
        quantize_rows(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"shape of x must be m k with k at least 1, got \(3,\)"):
        quantize_rows(np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"quantize_rows: x must be finite, and so must the range"):
        quantize_rows(np.float32([[3e38, -3e38]]))
