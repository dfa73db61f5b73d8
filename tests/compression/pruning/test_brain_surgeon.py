"""Surgery against the constrained optimum, found by a linear solve."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.brain_surgeon import optimal_brain_surgeon, remove_by_surgery
from tests.compression.pruning.criteria.test_hessian import quadratic, rise
from tests.models.layers.test_masked import CONVS, drawn, gen


def constrained(w, h, stays):
    """The minimum of the quadratic among weights that are zero elsewhere."""
    v = np.zeros_like(w)
    v[stays] = np.linalg.solve(h[np.ix_(stays, stays)], h[stays] @ w)
    return v


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 999), n=st.integers(0, 6))
def test_what_is_left_is_the_constrained_optimum(seed, n):
    w, h = quadratic(seed)
    done = remove_by_surgery(
        torch.from_numpy(w)[None],
        torch.from_numpy(np.linalg.inv(h)),
        counts=torch.tensor([n]),
    )
    stays = np.setdiff1d(np.arange(6), done.order[0].numpy())
    assert len(stays) == 6 - n
    v = constrained(w, h, stays)
    np.testing.assert_allclose(done.weight[0], v, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(done.rises.sum(), rise(v, w, h), rtol=1e-4, atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999))
def test_each_step_is_the_cheapest_there_is(seed):
    w, h = quadratic(seed)
    order = remove_by_surgery(
        torch.from_numpy(w)[None], torch.from_numpy(np.linalg.inv(h)), counts=torch.tensor([6])
    ).order[0]
    gone = []
    for q in order.tolist():
        costs = {}
        for other in set(range(6)) - set(gone):
            stays = np.setdiff1d(np.arange(6), [*gone, other])
            costs[other] = rise(constrained(w, h, stays), w, h)
        np.testing.assert_allclose(costs[q], min(costs.values()), rtol=1e-5)
        gone.append(q)


def test_rows_lose_as_many_as_they_are_told_and_do_not_mix():
    w, h = quadratic(3)
    rows = torch.from_numpy(np.stack([w, 2 * w, w[::-1].copy()]))
    inverse = torch.from_numpy(np.linalg.inv(h))
    counts = torch.tensor([0, 2, 5])
    done = remove_by_surgery(rows, inverse, counts=counts)
    for row, n, got in zip(rows, counts, done.weight, strict=True):
        alone = remove_by_surgery(row[None], inverse, counts=n[None]).weight[0]
        torch.testing.assert_close(got, alone)
        assert int((got == 0).sum()) == n


def error(layer, pruned, x):
    """Squared error of the layer's output, of each example."""
    with torch.no_grad():
        return float((layer(x) - pruned(x)).square().sum()) / len(x)


def test_a_linear_layers_rows_are_optimal_for_the_weights_they_keep():
    layer = drawn(nn.Linear(12, 5)).double()
    mix = torch.randn(12, 12, generator=gen(1), dtype=torch.float64)
    x = torch.randn(200, 12, generator=gen(2), dtype=torch.float64) @ mix
    pruned, _ = optimal_brain_surgeon(layer, x, sparsity=0.5, dampening=0)
    assert int((pruned.weight == 0).sum()) == 30
    for row, now, mask in zip(layer.weight, pruned.weight, pruned.mask, strict=True):
        kept = x[:, mask].numpy()
        best = np.linalg.lstsq(kept, (x @ row).detach().numpy(), rcond=None)[0]
        np.testing.assert_allclose(now[mask].detach(), best, rtol=1e-6)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_beats_dropping_the_same_number_by_magnitude(options):
    conv = drawn(nn.Conv2d(4, 6, **options)).double()
    x = torch.randn(40, 4, 9, 9, generator=gen(2), dtype=torch.float64).cumsum(dim=1)
    ours, report = optimal_brain_surgeon(conv, x, sparsity=0.6)
    theirs, other = prune(conv, x, sparsity=0.6)
    assert int(ours.mask.sum()) == int(theirs.mask.sum())
    assert error(conv, ours, x) < 0.8 * error(conv, theirs, x)
    assert report.total.macs == other.total.macs


@settings(deadline=None, max_examples=15)
@given(sparsity=st.floats(0, 1, exclude_max=True), block=st.sampled_from([1, 5, 12, 128]))
def test_the_sparsity_is_exact_whatever_the_block(sparsity, block):
    layer = drawn(nn.Linear(12, 5))
    x = torch.randn(30, 12, generator=gen(2))
    pruned, _ = optimal_brain_surgeon(layer, x, sparsity=sparsity, block=block)
    assert int((~pruned.mask).sum()) == round(sparsity * 60)
    assert (pruned.weight[~pruned.mask] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_rows_of_a_layer_lose_what_is_cheapest_next_in_any_of_them(seed):
    layer = drawn(nn.Linear(8, 6, bias=False)).double()
    x = torch.randn(40, 8, generator=gen(seed), dtype=torch.float64)
    x = x[:, :2].repeat(1, 4) + 0.1 * x  # inputs much alike, so that later steps may be cheaper
    h = 2 * x.T @ x / len(x)
    alone = remove_by_surgery(layer.weight.detach(), h.inverse(), counts=torch.full((6,), 8))
    assert (alone.rises.diff(dim=1) < -1e-9).any()  # the case that needs care
    lost = np.zeros(6, dtype=int)
    for _ in range(24):
        nexts = [float(alone.rises[i, n]) if n < 8 else np.inf for i, n in enumerate(lost)]
        lost[int(np.argmin(nexts))] += 1
    pruned, _ = optimal_brain_surgeon(layer, x, sparsity=0.5, dampening=0)
    np.testing.assert_array_equal((~pruned.mask).sum(dim=1), lost)


def test_larger_blocks_help_more_and_a_block_of_one_moves_nothing():
    layer = drawn(nn.Linear(16, 8)).double()
    x = torch.randn(100, 16, generator=gen(2), dtype=torch.float64).cumsum(dim=1)
    one, four, all_of_them = (
        optimal_brain_surgeon(layer, x, sparsity=0.5, block=block).model for block in (1, 4, 16)
    )
    torch.testing.assert_close(one.weight, layer.weight * one.mask)
    errors = [error(layer, model, x) for model in (one, four, all_of_them)]
    assert errors == sorted(errors, reverse=True)


def test_what_was_pruned_before_stays_pruned_and_counts():
    layer = drawn(nn.Linear(12, 5))
    x = torch.randn(30, 12, generator=gen(2))
    half, _ = prune(layer, x, sparsity=0.5)
    more, _ = optimal_brain_surgeon(half, x, sparsity=0.7)
    assert not (more.mask & ~half.mask).any()
    assert int((~more.mask).sum()) == 42
    same, _ = optimal_brain_surgeon(half, x, sparsity=0.3)
    torch.testing.assert_close(same.weight, half.weight, rtol=0, atol=1e-6)  # cast to double, back


def test_bad_values_are_named():
    layer, x = nn.Linear(4, 2), torch.zeros(3, 4)
    with pytest.raises(
        ValueError, match=r"optimal_brain_surgeon: sparsity must be in \[0, 1\), go"
    ):
        optimal_brain_surgeon(layer, x, sparsity=1.5)
    with pytest.raises(ValueError, match=r"optimal_brain_surgeon: block must be a whole number, 1"):
        optimal_brain_surgeon(layer, x, sparsity=0.5, block=0)
    with pytest.raises(
        ValueError, match=r"optimal_brain_surgeon: dampening must be at least 0, go"
    ):
        optimal_brain_surgeon(layer, x, sparsity=0.5, dampening=-1)
    with pytest.raises(
        ValueError, match=r"number of inputs must be a whole number, 1 or more, got"
    ):
        optimal_brain_surgeon(layer, x, sparsity=0.5, inputs=x[:0])
    with pytest.raises(ValueError, match=r"layer named in sparsity must be one of , got 'head'"):
        optimal_brain_surgeon(layer, x, sparsity={"head": 0.5})
