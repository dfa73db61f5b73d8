"""What attention machines are given, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given

from efficientdl.systems.hardware.attention.tokens import Tokens, peaked_tokens
from tests.systems.hardware.attention.drawn import quick, tokens


@quick
@given(drawn=tokens())
def test_scores_are_the_product_that_numpy_computes(drawn):
    query, key = drawn.query.astype(np.int64), drawn.key.astype(np.int64)
    np.testing.assert_array_equal(drawn.scores(), drawn.scale * (query @ key.swapaxes(1, 2)))
    shapes = (drawn.n_heads * drawn.n_queries * drawn.n_keys, drawn.features, drawn.value_features)
    assert drawn.macs == shapes[0] * (shapes[1] + shapes[2])


def test_tokens_are_drawn_peaked_and_by_their_seed():
    drawn, again = peaked_tokens(64, 32, 32, peak=9, seed=3), peaked_tokens(64, 32, 32, seed=3)
    np.testing.assert_array_equal(drawn.key, again.key)
    score = drawn.scores()[0]
    probability = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    flat = np.arange(64) % 4 == 3
    assert probability[flat].max() < 0.1
    assert np.median(probability[~flat].max(axis=1)) > 0.5
    popular = np.bincount(probability[~flat].argmax(axis=1), minlength=32)
    assert popular.max() > 4 * popular.mean()  # a few are asked for by many


def test_what_is_refused():
    one = np.ones((1, 2, 3), int)
    bad = one.astype(float)
    bad[0, 1, 2] = np.nan
    with pytest.raises(ValueError, match=r"Tokens: key\[0, 1, 2\] must be finite, got nan"):
        Tokens(one, bad, one)
    with pytest.raises(ValueError, match=r"Tokens: word_bits must be a whole number in .*, got 0"):
        Tokens(one, one, one, word_bits=0)
    with pytest.raises(ValueError, match=r"Tokens: value must fit 4 bits, \[-8, 7\], got 9"):
        Tokens(one, one, 9 * one, word_bits=4)
    with pytest.raises(ValueError, match=r"Tokens: query must fit 4 bits, \[-8, 7\], got -9"):
        Tokens(-9 * one, one, one, word_bits=4)
    with pytest.raises(ValueError, match=r"Tokens: value must have the shape \(1, 2, 3\), as key"):
        Tokens(one, one, one[:, :1])
    with pytest.raises(ValueError, match="Tokens: query must have heads, tokens and features"):
        Tokens(one[0], one, one)
    with pytest.raises(ValueError, match="Tokens: key must have heads, tokens and features"):
        Tokens(one, one[:, :0], one)
    with pytest.raises(ValueError, match="Tokens: scale must be positive and finite, got inf"):
        Tokens(one, one, one, scale=np.inf)
    with pytest.raises(ValueError, match="Tokens: scale must be positive and finite, got 0"):
        Tokens(one, one, one, scale=0)
    with pytest.raises(TypeError, match="Tokens: query must hold numbers, got bool"):
        Tokens(one > 0, one, one)
    with pytest.raises(ValueError, match="peaked_tokens: n_keys must be a whole number, 1 or more"):
        peaked_tokens(1, 0, 1, seed=0)
    with pytest.raises(ValueError, match="peaked_tokens: peak must be at least 0, got -1"):
        peaked_tokens(1, 1, 1, peak=-1, seed=0)
