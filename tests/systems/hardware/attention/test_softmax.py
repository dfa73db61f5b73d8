"""The softmax by powers of two, beside SciPy's and torch's."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from torch.nn.functional import scaled_dot_product_attention

from efficientdl.systems.hardware.attention.softmax import attend, powers, shifted, weigh
from tests.systems.hardware.attention.drawn import quick, tokens

# log2(e) is rounded to 53 bits, so an exponent of s nats is off by up to s 2^-53, and so is, in
# relative terms, its exponential; sums of a few terms add as many roundings.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def test_every_power_is_a_mantissa_below_two_and_a_shift():
    score = np.random.default_rng(0).normal(scale=30, size=500)
    mantissa, shift = powers(score)
    assert mantissa.min() >= 1
    assert mantissa.max() < 2
    np.testing.assert_allclose(np.ldexp(mantissa, shift), np.exp(score), rtol=1e-13)


@quick
@given(drawn=tokens(), seed=st.integers(0, 99))
def test_attention_is_scipys_softmax_of_what_is_kept(drawn, seed):
    score = drawn.scores()
    keep = np.random.default_rng(seed).random(score.shape) < 0.5
    keep[..., 0] = True
    expected = softmax(np.where(keep, score, -np.inf), axis=2) @ drawn.value
    np.testing.assert_allclose(attend(drawn, keep), expected, rtol=1e-12, atol=1e-10)
    weighed = weigh(score[0], drawn.value[0].astype(float), keep[0])
    assert (weighed.probability[~keep[0]] == 0).all()
    np.testing.assert_allclose(weighed.probability.sum(axis=1), 1, **CLOSE)


@quick
@given(drawn=tokens())
def test_attention_is_torchs(drawn):
    q, k, v = (torch.from_numpy(a.astype(float)) for a in (drawn.query, drawn.key, drawn.value))
    expected = scaled_dot_product_attention(q, k, v, scale=drawn.scale).numpy()
    np.testing.assert_allclose(attend(drawn), expected, rtol=1e-11, atol=1e-10)


def test_scores_that_overflow_an_exponential_do_no_harm():
    y = weigh(np.array([[5000.0, 4990.0], [-5000.0, -4990.0]]), np.eye(2)).y
    np.testing.assert_allclose(y, softmax([[10.0, 0.0], [0.0, 10.0]], axis=1), rtol=1e-12)


def test_shifting_is_exact_until_nothing_is_left():
    value = np.array([1.7, 1.7])
    np.testing.assert_array_equal(shifted(value, np.array([-3, -99999])), [1.7 / 8, 0.0])
