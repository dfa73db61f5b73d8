"""Load-balanced masks: as many weights for every processing element, the best of each."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from efficientdl.tensors import PerGroup, keep_largest
from efficientdl.tensors.balanced import keep_balanced, kept_per_pe, load_balance

GEN = torch.Generator().manual_seed(0)
SCORE = torch.rand(12, 10, generator=GEN)


def by_hand(score, sparsity, n_pes):
    """One element after another, weights sorted by hand, for rows that divide evenly."""
    score = score.numpy()
    n_kept = min(
        range(score.size // n_pes + 1), key=lambda k: abs(k * n_pes - (1 - sparsity) * score.size)
    )
    mask = np.zeros(score.shape, dtype=bool)
    for pe in range(n_pes):
        places = [(i, j) for i in range(pe, len(score), n_pes) for j in range(score.shape[1])]
        for i, j in sorted(places, key=lambda p: -score[p])[:n_kept]:
            mask[i, j] = True
    return mask


@settings(deadline=None, max_examples=40)
@given(sparsity=st.floats(0, 1), n_pes=st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_equals_a_selection_by_hand(sparsity, n_pes):
    mask = keep_balanced(SCORE, sparsity=sparsity, n_pes=n_pes)
    np.testing.assert_array_equal(mask, by_hand(SCORE, sparsity, n_pes))
    assert len(set(kept_per_pe(mask, n_pes=n_pes))) == 1
    assert load_balance(mask, n_pes=n_pes) == 1


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.95, 1.0])
def test_one_element_is_plain_pruning(sparsity):
    mask = keep_balanced(SCORE, sparsity=sparsity, n_pes=1)
    np.testing.assert_array_equal(
        mask, keep_largest(SCORE, sparsity=sparsity, granularity=PerGroup(1))
    )


@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 13), n_pes=st.integers(1, 13), sparsity=st.floats(0, 1))
def test_rows_that_do_not_divide_evenly(rows, n_pes, sparsity):
    assume(n_pes <= rows)
    mask = keep_balanced(SCORE[:1].expand(rows, 10), sparsity=sparsity, n_pes=n_pes)
    loads = kept_per_pe(mask, n_pes=n_pes)
    smallest = 10 * (rows // n_pes)
    whole = [n for n in loads if n >= smallest]  # those that may keep all that they have
    assert len(set(loads)) == 1 or len(whole) == n_pes
    if sparsity == 0:
        assert mask.all()
    # the nearest count: n_pes weights more or less would be as far or farther
    assert abs(sum(loads) - (1 - sparsity) * rows * 10) <= n_pes / 2 + 1e-6


def test_balance_is_mean_over_largest_load():
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0], mask[1, :2] = True, True
    assert kept_per_pe(mask, n_pes=4) == [4, 2, 0, 0]
    assert load_balance(mask, n_pes=4) == 6 / 4 / 4
    assert load_balance(mask, n_pes=1) == 1
    assert load_balance(torch.zeros(4, 4, dtype=torch.bool), n_pes=2) == 1


def test_what_an_earlier_mask_dropped_stays_dropped():
    half = keep_balanced(SCORE, sparsity=0.5, n_pes=4)
    twice = keep_balanced(-SCORE, sparsity=0.75, n_pes=4, among=half)
    assert not (twice & ~half).any()
    assert len(set(kept_per_pe(twice, n_pes=4))) == 1
    torch.testing.assert_close(keep_balanced(SCORE, sparsity=0.2, n_pes=4, among=half), half)
    once = keep_balanced(SCORE, sparsity=0.8, n_pes=4)
    torch.testing.assert_close(keep_balanced(SCORE, sparsity=0.8, n_pes=4, among=half), once)


def test_filters_are_rows():
    filters = torch.rand(8, 3, 3, 3, generator=GEN)
    mask = keep_balanced(filters, sparsity=0.5, n_pes=8)
    assert mask.flatten(1).sum(dim=1).unique().numel() == 1
    assert mask.shape == filters.shape


def test_of_equal_scores_the_earlier_stays():
    mask = keep_balanced(torch.ones(2, 4), sparsity=0.5, n_pes=2)
    np.testing.assert_array_equal(mask, [[1, 1, 0, 0], [1, 1, 0, 0]])


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"keep_balanced: sparsity must be in \[0, 1\], got 1.5"):
        keep_balanced(SCORE, sparsity=1.5, n_pes=2)
    with pytest.raises(ValueError, match=r"n_pes must be a whole number in \[1, 12\], got 13"):
        keep_balanced(SCORE, sparsity=0.5, n_pes=13)
    with pytest.raises(ValueError, match=r"keep_balanced: score must be numbers, got nan"):
        keep_balanced(SCORE * float("nan"), sparsity=0.5, n_pes=2)
    with pytest.raises(ValueError, match=r"kept_per_pe: n_pes must be a whole number"):
        load_balance(SCORE > 0, n_pes=0)
