"""The top-k engine: a sort, in the rounds that it says, as many as Knuth's analysis expects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.attention.top_k_engine import (
    select,
    top_k_engine,
    zero_eliminator,
)
from tests.systems.hardware.attention.drawn import quick

rows = st.lists(st.integers(-9, 9), min_size=1, max_size=60)


@quick
@given(x=rows, lanes=st.integers(1, 20), seed=st.integers(0, 99), data=st.data())
def test_it_is_a_stable_sort(x, lanes, seed, data):
    k = data.draw(st.integers(1, len(x)))
    run = top_k_engine(np.array(x), k, lanes=lanes, seed=seed)
    expected = np.sort(np.argsort(-np.array(x), kind="stable")[:k])
    np.testing.assert_array_equal(run.y, expected)


@quick
@given(x=rows, lanes=st.integers(1, 20), seed=st.integers(0, 99), data=st.data())
def test_cycles_are_those_of_its_rounds(x, lanes, seed, data):
    k = data.draw(st.integers(1, len(x)))
    row = np.array(x, float)
    found = select(row, k, lanes=lanes, generator=np.random.default_rng(seed))
    passes = -(-len(x) // lanes)
    assert found.cycles == 2 * passes + sum(-(-n // lanes) + 3 for n in found.rounds)
    assert top_k_engine(row, k, lanes=lanes, seed=seed).cycles == found.cycles
    assert found.rounds == quick_select_rounds(x, k, np.random.default_rng(seed).random(len(x)))


def quick_select_rounds(x, k, draws):
    """Lengths of the lists of a textbook quick-select, with the same pivots."""
    if k == len(x):
        return ()
    left, rounds = list(map(float, x)), []
    for draw in draws:
        rounds.append(len(left))
        pivot = left[int(draw * len(left))]
        greater = [v for v in left if v > pivot]
        equal = left.count(pivot)
        if k <= len(greater):
            left = greater
        elif k <= len(greater) + equal:
            return tuple(rounds)
        else:
            k -= len(greater) + equal
            left = [v for v in left if v < pivot]
    raise AssertionError("no end")


@pytest.mark.parametrize("k", [1, 8, 16, 31])
def test_it_streams_as_many_words_as_knuth_expects(k):
    # Knuth, "Mathematical analysis of algorithms", 1971: comparisons of Hoare's FIND for the k-th
    # of n, which are one fewer than the words of each round.
    n, seeds = 32, 1500

    def harmonic(m):
        return sum(1 / i for i in range(1, m + 1))

    expected = 2 * (
        n + 3 + (n + 1) * harmonic(n) - (k + 2) * harmonic(k) - (n + 3 - k) * harmonic(n + 1 - k)
    )
    x = np.random.default_rng(0).permutation(n).astype(float)
    generators = [np.random.default_rng(seed) for seed in range(seeds)]
    found = [select(x, k, lanes=16, generator=generator) for generator in generators]
    counts = [sum(words - 1 for words in each.rounds) for each in found]
    error = np.std(counts) / np.sqrt(seeds)
    assert abs(np.mean(counts) - expected) < 4 * error


@quick
@given(row=st.lists(st.tuples(st.integers(0, 99), st.booleans()), min_size=1, max_size=40))
def test_shifts_by_powers_of_two_close_every_gap(row):
    words, keep = (np.array(column) for column in zip(*row, strict=True))
    np.testing.assert_array_equal(zero_eliminator(words, keep), words[keep])


def test_more_lanes_take_fewer_cycles_and_all_wanted_takes_no_round():
    x = np.random.default_rng(0).normal(size=1000)
    cycles = [top_k_engine(x, 100, lanes=lanes, seed=0).cycles for lanes in (1, 4, 16, 64)]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] > 10 * cycles[-1]
    assert top_k_engine(x, 1000, lanes=16, seed=0).cycles == 2 * 63


def test_the_input_is_not_changed_and_the_seed_replays():
    x = np.random.default_rng(0).normal(size=50)
    given_ = x.copy()
    assert top_k_engine(x, 7, seed=1) == top_k_engine(x, 7, seed=1)
    np.testing.assert_array_equal(x, given_)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"top_k_engine: k must be a whole number in \[1, 3\]"):
        top_k_engine(np.arange(3), 4, seed=0)
    with pytest.raises(ValueError, match=r"top_k_engine: x\[1\] must be finite, got nan"):
        top_k_engine(np.array([1, np.nan]), 1, seed=0)
    with pytest.raises(ValueError, match="top_k_engine: x must be a row of at least one number"):
        top_k_engine(np.zeros((2, 2)), 1, seed=0)
    with pytest.raises(ValueError, match="top_k_engine: lanes must be a whole number, 1 or more"):
        top_k_engine(np.arange(3), 1, lanes=0, seed=0)
    with pytest.raises(ValueError, match=r"zero_eliminator: keep must have the shape of row, \(2,"):
        zero_eliminator(np.arange(2), np.ones(3, bool))
