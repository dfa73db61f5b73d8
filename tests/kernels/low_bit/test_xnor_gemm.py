"""Tiles of signs against the plain kernel and products of signs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import catalogue
from efficientdl.kernels.low_bit import (
    SignPanels,
    pack_sign_panels,
    sign_words,
    unpack_sign_panels,
    xnor_gemm,
)
from efficientdl.kernels.low_bit.xnor_gemm import xnor_gemm_cost
from efficientdl.kernels.popcount import pack_signs, popcount_matmul
from efficientdl.kernels.threads import threads
from efficientdl.report import Cost
from tests.promises import kernel


@pytest.mark.parametrize("promise", kernel.PROMISES, ids=lambda promise: promise.__name__)
def test_it_keeps_the_promises_of_a_kernel(promise):
    promise(catalogue["kernel-binary-gemm"])


def test_rows_that_are_alike_give_k_and_opposite_ones_minus_k():
    ones = np.ones((1, 130))
    alike, opposite = (pack_sign_panels(pack_signs(w), 130) for w in (ones, -ones))
    np.testing.assert_array_equal(xnor_gemm(pack_signs(ones), alike), 130)
    np.testing.assert_array_equal(xnor_gemm(pack_signs(ones), opposite), -130)


@settings(deadline=None, max_examples=25)
@given(m=st.integers(0, 70), k=st.integers(1, 200), n=st.integers(1, 70), seed=st.integers(0, 99))
def test_it_equals_the_plain_kernel_bit_for_bit(m, k, n, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((n, k))
    a, b = sign_words(x), pack_signs(w)
    fast = xnor_gemm(a, pack_sign_panels(b, k))
    assert fast.dtype == np.int32
    np.testing.assert_array_equal(fast, popcount_matmul(a, b, k))
    np.testing.assert_array_equal(fast, np.where(x >= 0, 1, -1) @ np.where(w >= 0, 1, -1).T)


def test_threads_do_not_matter():
    rng = np.random.default_rng(0)
    a, b = (pack_signs(rng.standard_normal((n, 70))) for n in (200, 100))
    for n in (1, 3):
        with threads(n):
            np.testing.assert_array_equal(
                xnor_gemm(a, pack_sign_panels(b, 70)), popcount_matmul(a, b, 70)
            )


@settings(deadline=None, max_examples=30)
@given(m=st.integers(0, 5), k=st.integers(1, 200), seed=st.integers(0, 99))
def test_words_are_those_of_pack_signs(m, k, seed):
    rng = np.random.default_rng(seed)
    x = rng.choice(np.float32([-np.inf, -1, -0.0, 0, 1e-40, 2, np.inf]), (m, k))
    np.testing.assert_array_equal(sign_words(x), pack_signs(x))
    np.testing.assert_array_equal(sign_words(x[:, ::2]), pack_signs(x[:, ::2]))


@settings(deadline=None, max_examples=20)
@given(n=st.integers(1, 70), k=st.integers(1, 200), seed=st.integers(0, 99))
def test_what_was_packed_comes_back(n, k, seed):
    b = pack_signs(np.random.default_rng(seed).standard_normal((n, k)))
    packed = pack_sign_panels(b, k)
    np.testing.assert_array_equal(unpack_sign_panels(packed), b)
    assert packed.panels[(n - 1) // 32, 0, (n - 1) % 32] == b[n - 1, 0]


def test_a_sign_costs_a_mac_and_travels_in_a_bit():
    weight = pack_sign_panels(pack_signs(np.ones((5, 150))), 150)
    cost = xnor_gemm_cost((2, 3), weight)
    assert cost == Cost(macs=2 * 5 * 150, traffic_bytes=8 * 3 * (2 + 5) + 4 * 2 * 5)


def test_bad_factors_are_named():
    good = pack_signs(np.ones((2, 70)))
    weight = pack_sign_panels(good, 70)
    with pytest.raises(TypeError, match=r"xnor_gemm: a must be an array of uint64, got int64"):
        xnor_gemm(good.view(np.int64), weight)
    with pytest.raises(ValueError, match=r"shape of a must be rows of 2, the words of 70 signs"):
        xnor_gemm(good[:, :1], weight)
    with pytest.raises(ValueError, match=r"xnor_gemm: a must have no bits behind sign 70, got \(0"):
        xnor_gemm(~good, weight)
    with pytest.raises(TypeError, match=r"xnor_gemm: weight must be a SignPanels, got array"):
        xnor_gemm(good, good)
    with pytest.raises(ValueError, match=r"pack_sign_panels: b must have no bits behind sign 69"):
        pack_sign_panels(good, 69)
    with pytest.raises(ValueError, match=r"pack_sign_panels: b must have rows, got \(0, 2\)"):
        pack_sign_panels(good[:0], 70)
    with pytest.raises(ValueError, match=r"pack_sign_panels: k must be a whole .* got 0"):
        pack_sign_panels(good, 0)
    with pytest.raises(ValueError, match=r"panels must be uint64 of shape \(1, 2, 32\), in one"):
        SignPanels(np.zeros((1, 1, 32), np.uint64), 70, 3)


@pytest.mark.parametrize("place", [0, 17, 35, 63, 64])
def test_what_has_no_sign_is_refused(place):
    x = np.ones((3, 65), np.float32)
    x[1, place] = np.nan
    with pytest.raises(ValueError, match=r"sign_words: x must have signs, got nan"):
        sign_words(x)
    with pytest.raises(TypeError, match=r"sign_words: x must be an array of float32, got float64"):
        sign_words(x.astype(float))
    with pytest.raises(ValueError, match=r"sign_words: shape of x must be m k with k at least 1"):
        sign_words(x[0])
