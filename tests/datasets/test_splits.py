"""Cutting a set into parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.datasets.splits import as_split, carve, in_order, thirds


@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.floats(0, 1))
@settings(deadline=None)
def test_carving_loses_nothing_and_is_even_over_the_classes(labels, share):
    y = np.array(labels)
    keep, out = carve(y, share)
    np.testing.assert_array_equal(np.sort(np.concatenate([keep, out])), np.arange(len(y)))
    for label in set(labels):
        count = labels.count(label)
        assert np.count_nonzero(y[out] == label) == round(share * count)


def test_carving_is_the_same_every_time_and_draws():
    y = np.zeros(100, int)
    first, again = carve(y, 0.3), carve(y, 0.3)
    np.testing.assert_array_equal(first[1], again[1])
    assert (np.diff(first[1]) > 1).any(), "a stretch of neighbours is no draw"


@given(st.text(max_size=200))
@settings(deadline=None)
def test_a_text_in_order_is_whole(text):
    parts = in_order("a", text)
    assert parts.train + parts.val + parts.test == text


@given(st.integers(0, 200))
@settings(deadline=None)
def test_thirds_share_nothing_and_lose_nothing(n):
    parts = thirds(list(range(n)), 0.1)
    assert sorted(i for part in parts for i in part) == list(range(n))
    assert len(parts[1]) == len(parts[2]) == round(0.1 * n)


def test_bytes_become_floats_between_nothing_and_one():
    split = as_split(np.array([[0, 51, 255]], np.uint8), np.array([7], np.uint8))
    np.testing.assert_allclose(split.x, [[0, 0.2, 1]], rtol=1e-6)
    assert split.y.tolist() == [7]


def test_more_than_all_cannot_be_carved():
    with pytest.raises(ValueError, match=r"carve: share must be in \[0, 1\], got 1.5"):
        carve(np.zeros(3, int), 1.5)
