"""Masks keep the largest, exactly as many as asked for."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from efficientdl.tensors import (
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
    keep_largest,
    keep_largest_together,
)

ONE = PerGroup(1)
# Few distinct values, so that ties are common.
SCORES = arrays(np.float64, st.integers(1, 60), elements=st.integers(-3, 3).map(float))


@settings(deadline=None, max_examples=60)
@given(score=SCORES, sparsity=st.floats(0, 1))
def test_equals_a_sort_in_numpy(score, sparsity):
    mask = keep_largest(torch.from_numpy(score), sparsity=sparsity, granularity=ONE).numpy()
    n_drop = min(range(len(score) + 1), key=lambda n: abs(n - sparsity * len(score)))
    # The largest first, of equal ones the earlier: NumPy's stable sort of the negated scores.
    kept = np.argsort(-score, kind="stable")[: len(score) - n_drop]
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(kept))


@settings(deadline=None, max_examples=30)
@given(score=SCORES, low=st.floats(0, 1), high=st.floats(0, 1))
def test_more_sparsity_never_brings_a_weight_back(score, low, high):
    low, high = sorted((low, high))
    x = torch.from_numpy(score)
    mild = keep_largest(x, sparsity=low, granularity=ONE)
    strong = keep_largest(x, sparsity=high, granularity=ONE)
    assert not (strong & ~mild).any()


def test_nothing_goes_at_zero_and_all_goes_at_one():
    score = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert keep_largest(score, sparsity=0.0, granularity=ONE).all()
    assert not keep_largest(score, sparsity=1, granularity=ONE).any()
    assert (
        not keep_largest(score, sparsity=0.5, granularity=PerTensor())
        .logical_xor(keep_largest(score, sparsity=0.0, granularity=PerTensor()))
        .any()
    )  # half of one group is as near to none as to all; the fewer go


@pytest.mark.parametrize("granularity", [PerChannel(), PerBlock(2, 4), PerGroup(4)], ids=str)
def test_whole_groups_go_by_their_mean(granularity):
    score = torch.rand(8, 8, generator=torch.Generator().manual_seed(1))
    mask = keep_largest(score, sparsity=0.5, granularity=granularity)
    means = granularity.group(score).numpy().mean(axis=1)
    kept = granularity.group(mask).numpy()
    np.testing.assert_array_equal(kept.all(axis=1), kept.any(axis=1))
    np.testing.assert_array_equal(kept.all(axis=1), means > np.median(means))


def test_together_is_one_ranking():
    rng = torch.Generator().manual_seed(2)
    scores = [torch.rand(6, 5, generator=rng), 2 * torch.rand(3, 4, 2, generator=rng)]
    masks = keep_largest_together(scores, sparsity=0.5, granularity=ONE)
    every = torch.cat([s.flatten() for s in scores]).numpy()
    threshold = np.sort(every)[len(every) // 2]
    for mask, score in zip(masks, scores, strict=True):
        np.testing.assert_array_equal(mask, score.numpy() >= threshold)


def test_together_counts_weights_where_groups_differ_in_size():
    small, large = torch.tensor([[1.0], [4.0]]), torch.tensor([[2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    masks = keep_largest_together([small, large], sparsity=0.5, granularity=PerChannel())
    np.testing.assert_array_equal(masks[0][:, 0], [False, True])
    np.testing.assert_array_equal(masks[1][:, 0], [False, True])  # 1 + 3 of 8 weights


@settings(deadline=None, max_examples=40)
@given(score=SCORES, first=st.floats(0, 1), second=st.floats(0, 1), seed=st.integers(0, 9))
def test_pruning_on_adds_to_what_is_gone(score, first, second, seed):
    x = torch.from_numpy(score)
    other = torch.rand(len(score), generator=torch.Generator().manual_seed(seed))
    before = keep_largest(other, sparsity=first, granularity=ONE)
    after = keep_largest(x, sparsity=second, granularity=ONE, among=before)
    assert not (after & ~before).any()
    wanted = min(range(len(score) + 1), key=lambda n: abs(n - second * len(score)))
    assert int((~after).sum()) == max(wanted, int((~before).sum()))


def test_a_dropped_weight_never_saves_its_group():
    score = torch.tensor([[9.0, 1.0], [4.0, 4.0], [3.0, 3.0], [9.0, 9.0]])
    among = torch.tensor([[False, True], [True, True], [True, True], [False, False]])
    mask = keep_largest(score, sparsity=0.5, granularity=PerChannel(), among=among)
    np.testing.assert_array_equal(mask.any(dim=1), [False, True, True, False])


def test_bad_values_are_named():
    score = torch.ones(4)
    with pytest.raises(ValueError, match=r"keep_largest: sparsity must be in \[0, 1\], got 1.5"):
        keep_largest(score, sparsity=1.5, granularity=ONE)
    with pytest.raises(ValueError, match=r"keep_largest: score must be numbers, got nan"):
        keep_largest(score / 0 - score / 0, sparsity=0.5, granularity=ONE)
    with pytest.raises(ValueError, match=r"keep_largest: sparsity must be in \[0, 1\], got -0.1"):
        keep_largest_together([score], sparsity=-0.1, granularity=ONE)
