"""Counting bits against products of signs in NumPy and torch, and the promises of a kernel."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.popcount import pack_signs, popcount_matmul, popcount_matmul_cost
from efficientdl.report import Cost
from efficientdl.tensors import binarize
from tests.promises import kernel
from tests.promises.toys import toy


def inputs(rng, size):
    k = 1 + 37 * (size - 1)  # one word, its edge, several words
    return pack_signs(rng.normal(size=(size, k))), pack_signs(rng.normal(size=(size + 2, k))), k


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(toy(popcount_matmul, Kernel(inputs=inputs)))


@settings(deadline=None, max_examples=30)
@given(k=st.integers(1, 200), seed=st.integers(0, 99))
def test_it_equals_the_product_of_signs(k, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.integers(-2, 3, (3, k)).astype(np.float64), rng.normal(size=(4, k))  # with zeros
    expected = binarize(torch.from_numpy(x)) @ binarize(torch.from_numpy(w)).T
    np.testing.assert_array_equal(popcount_matmul(pack_signs(x), pack_signs(w), k), expected)


def test_rows_that_are_alike_give_k_and_opposite_ones_minus_k():
    ones = np.ones((1, 130))
    np.testing.assert_array_equal(popcount_matmul(pack_signs(ones), pack_signs(ones), 130), 130)
    np.testing.assert_array_equal(popcount_matmul(pack_signs(ones), pack_signs(-ones), 130), -130)


@pytest.mark.parametrize("k", [1, 63, 64, 65, 128])
def test_each_sign_has_its_bit(k):
    """Read back by the definition: word `i // 64`, bit `i % 64`."""
    x = np.random.default_rng(k).normal(size=(2, k))
    words = pack_signs(x)
    for row, packed in zip(x, words, strict=True):
        bits = [int(packed[i // 64]) >> (i % 64) & 1 for i in range(64 * len(packed))]
        np.testing.assert_array_equal(bits[:k], row >= 0)
        assert not any(bits[k:])


@pytest.mark.parametrize("k", [3, 8, 65, 128])
def test_a_matrix_may_lie_by_columns(k):
    x = np.random.default_rng(0).standard_normal((k, 5)).T
    np.testing.assert_array_equal(pack_signs(x), pack_signs(x.copy()))


def test_a_sign_costs_a_mac_and_travels_in_a_bit():
    cost = popcount_matmul_cost((2, 3), (5, 3), 150)
    assert cost == Cost(macs=2 * 5 * 150, traffic_bytes=8 * 3 * (2 + 5) + 4 * 2 * 5)


def test_bad_factors_are_named():
    good = pack_signs(np.ones((2, 70)))
    with pytest.raises(TypeError, match=r"popcount_matmul: a must be an array of uint64, got int"):
        popcount_matmul(good.astype(np.int64), good, 70)
    with pytest.raises(ValueError, match=r"shapes of a and b must be m 3 and n 3, the words of 1"):
        popcount_matmul(good, good, 129)
    with pytest.raises(ValueError, match=r"popcount_matmul: k must be a whole .* got 0"):
        popcount_matmul(good, good, 0)
    with pytest.raises(ValueError, match=r"pack_signs: x must have signs, got nan"):
        pack_signs(np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match=r"pack_signs: shape of x must be m k, got \(3,\)"):
        pack_signs(np.ones(3))
