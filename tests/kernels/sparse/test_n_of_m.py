"""N of M: every pattern equals the dense product, and a denser group is refused."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.sparse import (
    NOfM,
    n_of_m_matmul,
    n_of_m_matmul_cost,
    n_of_m_matmul_reference,
    pack_n_of_m,
)
from efficientdl.kernels.threads import threads
from tests.kernels.sparse.matrices import LAYOUTS, TOLERANCE


def drawn(rows, groups, n, m, seed):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((rows, groups, m)).astype(np.float32)
    weight[rng.random(weight.shape).argsort(axis=2).argsort(axis=2) >= n] = 0
    return weight.reshape(rows, groups * m)


@settings(deadline=None, max_examples=40, database=None)
@given(
    rows=st.integers(1, 70),
    groups=st.integers(1, 60),
    n=st.integers(1, 90),
    pattern=st.sampled_from([(2, 4), (1, 2), (1, 4), (4, 4), (3, 8), (5, 16), (2, 3)]),
    layout=st.sampled_from(LAYOUTS),
    n_threads=st.sampled_from([1, 2]),
)
def test_it_equals_the_dense_product(rows, groups, n, pattern, layout, n_threads):
    weight = drawn(rows, groups, *pattern, seed=rows)
    x = np.random.default_rng(n).standard_normal((weight.shape[1], n)).astype(np.float32)
    packed = pack_n_of_m(layout(weight), *pattern)
    with threads(n_threads):
        y = n_of_m_matmul(packed, layout(x))
    np.testing.assert_allclose(y, weight @ x, atol=TOLERANCE)
    np.testing.assert_allclose(n_of_m_matmul_reference(packed, x), weight @ x, atol=TOLERANCE)


def test_all_of_four_is_the_dense_matrix():
    weight = np.random.default_rng(0).standard_normal((9, 520)).astype(np.float32)
    y = n_of_m_matmul(pack_n_of_m(weight, 4, 4), np.eye(520, dtype=np.float32))
    np.testing.assert_array_equal(y, weight)


def test_places_take_two_bits_each():
    packed = pack_n_of_m(drawn(64, 64, 2, 4, seed=0), 2, 4)
    assert packed.values.size == 64 * 64 * 2
    assert packed.codes.nbytes == 64 * 64 * 2 * 2 // 8


def test_the_cost_counts_by_hand():
    packed = pack_n_of_m(drawn(4, 3, 2, 4, seed=0), 2, 4)
    cost = n_of_m_matmul_cost(packed, (12, 5))
    assert cost.macs == 4 * 3 * 2 * 5
    assert cost.traffic_bytes == 4 * 24 + 24 * 2 // 8 + 4 * (12 + 4) * 5


def test_what_does_not_fit_is_refused():
    full = np.ones((3, 8), np.float32)
    with pytest.raises(ValueError, match=r"weight must keep at most 2 of every 4, got 4"):
        pack_n_of_m(full, 2, 4)
    with pytest.raises(ValueError, match=r"m must divide the number of columns = 8, got 3"):
        pack_n_of_m(full, 2, 3)
    with pytest.raises(ValueError, match=r"m must be a whole number in \[2, 16\], got 32"):
        pack_n_of_m(full, 2, 32)
    with pytest.raises(ValueError, match=r"n must be a whole number in \[1, 4\], got 5"):
        pack_n_of_m(full, 5, 4)
    with pytest.raises(TypeError, match=r"pack_n_of_m: weight must be float32, got float64"):
        pack_n_of_m(full.astype(np.float64), 4, 4)
    with pytest.raises(ValueError, match=r"n_of_m_matmul: shape of x must have 2 axes"):
        n_of_m_matmul(pack_n_of_m(full, 4, 4), np.ones((4, 1), np.float32))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("codes", lambda a: a | 0xFF, "places must be below 3, got 3"),
        ("codes", lambda a: a[1:], "values and codes must be"),
        ("values", lambda a: a[1:], "values and codes must be"),
        ("rows", lambda a: a + 16, "values and codes must be"),
        ("block", lambda a: a + 1, "TOGETHER groups of m must divide block"),
    ],
)
def test_a_weight_made_by_hand_is_checked_too(name, change, message):
    weight = pack_n_of_m(drawn(4, 3, 2, 3, seed=0), 2, 3)
    made_of = {name: getattr(weight, name) for name in [f.name for f in fields(weight)]}
    with pytest.raises(ValueError, match=f"NOfM: {message}"):
        NOfM(**{**made_of, name: change(made_of[name])})
