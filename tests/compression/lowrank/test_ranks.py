"""Rules for ranks, against ladders climbed one step at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.lowrank import Energy, MacBudget, Share, Vbmf, factorize_svd
from efficientdl.compression.lowrank.ranks import Ladder, Spectrum, chosen_ranks
from efficientdl.tensors.vbmf import vbmf_rank
from tests.compression.lowrank.test_layers import METHODS, SLOW_CP, X, n_weights, network

SHARES = st.floats(0.15, 1)


def ladder(costs, *, macs=None, dense=100, kept=None):
    n = len(costs)
    return Ladder(
        ranks=tuple((i,) for i in range(1, n + 1)),
        weights=tuple(costs),
        macs=tuple(macs or costs),
        dense_weights=dense,
        dense_macs=dense,
        energy=(kept or [i / n for i in range(1, n + 1)]).__getitem__,
    )


@settings(deadline=None, max_examples=40)
@given(share=st.floats(0.01, 1), costs=st.lists(st.integers(1, 200), min_size=1, max_size=9))
def test_a_share_is_the_last_step_that_costs_no_more(share, costs):
    costs = sorted(costs)
    fitting = [i for i, cost in enumerate(costs, start=1) if cost <= share * 100]
    if fitting:
        assert Share(share)("f", {"a": ladder(costs)}) == {"a": (fitting[-1],)}
    else:
        with pytest.raises(ValueError, match=r"f: rank must leave layer 'a' a share of"):
            Share(share)("f", {"a": ladder(costs)})


@settings(deadline=None, max_examples=25)
@given(share=SHARES)
def test_a_share_of_a_linear_layer_is_met_within_one_rank_step(share):
    linear = nn.Linear(40, 30)
    thin, _ = factorize_svd(linear, torch.zeros(1, 40), rank=Share(share))
    assert share * 1200 - 70 < n_weights(thin) <= share * 1200  # a step is 40 + 30 weights


@pytest.mark.parametrize("method", SLOW_CP)
def test_every_technique_meets_a_share(method):
    conv = network()[2]
    x = torch.ones(1, 8, 6, 6) * torch.arange(6)
    steps = []
    for share in np.linspace(0.2, 1, 9):
        thin, _ = method(conv, x, rank=Share(float(share)))
        assert n_weights(thin) <= share * conv.weight.numel()
        steps.append(n_weights(thin))
    assert steps == sorted(steps)
    assert len(set(steps)) > 3


@settings(deadline=None, max_examples=30)
@given(kept=st.floats(0.01, 1), size=st.integers(1, 8), seed=st.integers(0, 99))
def test_an_energy_is_that_of_numpys_singular_values(kept, size, seed):
    linear = nn.Linear(9, size).double()
    weight = np.random.default_rng(seed).standard_normal((size, 9))
    linear.weight.data = torch.from_numpy(weight)
    thin, _ = factorize_svd(linear, torch.zeros(1, 9).double(), rank=Energy(kept))
    squares = np.linalg.svd(weight, compute_uv=False) ** 2
    wanted = size
    if kept < 1 - 1e-12:
        wanted = 1 + int((np.cumsum(squares) / squares.sum() < kept).sum())
    assert thin[0].out_features == min(wanted, size)


@settings(deadline=None, max_examples=40)
@given(budget=st.integers(20, 900), data=st.data())
def test_a_budget_is_the_largest_common_share_that_fits(budget, data):
    dense = data.draw(st.lists(st.integers(50, 300), min_size=1, max_size=3))
    steps = [
        sorted(data.draw(st.lists(st.integers(1, 400), min_size=1, max_size=5))) for _ in dense
    ]
    ladders = {
        str(i): ladder(s, dense=d) for i, (s, d) in enumerate(zip(steps, dense, strict=True))
    }
    if sum(s[0] for s in steps) > budget:
        with pytest.raises(ValueError, match=r"f: rank must allow \d+ MACs"):
            MacBudget(budget)("f", ladders)
        return
    ranks = MacBudget(budget)("f", ladders)

    def spent(share):
        return sum(
            max([cost for cost in s if cost / d <= share], default=s[0])
            for s, d in zip(steps, dense, strict=True)
        )

    shares = {cost / d for s, d in zip(steps, dense, strict=True) for cost in s}
    best = max((spent(share) for share in shares if spent(share) <= budget), default=0)
    chosen = sum(s[rank[0] - 1] for s, rank in zip(steps, ranks.values(), strict=True))
    assert chosen <= budget
    assert chosen >= best


def test_a_plain_budget_is_shared_and_one_by_layer_is_not():
    ladders = {"a": ladder([10, 20, 30]), "b": ladder([10, 20, 30])}
    assert chosen_ranks("f", ladders, MacBudget(40)) == {"a": (2,), "b": (2,)}
    own = {"a": MacBudget(40), "b": MacBudget(10)}
    assert chosen_ranks("f", ladders, own) == {"a": (3,), "b": (1,)}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
@pytest.mark.parametrize("budget", [9_000, 20_000, 40_000])
def test_the_budget_is_kept_in_the_report(method, budget):
    _, report = method(network(), X, rank=MacBudget(budget))
    # what it does not concern, a head of 80 MACs for some, is not in it
    concerned = report.total.macs - (0 if method is factorize_svd else 80)
    assert 0.5 * budget < concerned <= budget


def test_a_rule_of_ones_own_will_do():
    def halves(caller, ladders):
        return {name: x.ranks[len(x.ranks) // 2 - 1] for name, x in ladders.items()}

    thin, _ = factorize_svd(nn.Linear(8, 6), torch.zeros(1, 8), rank=halves)
    assert thin[0].out_features == 3


def test_vbmf_asks_every_spectrum_and_keeps_one_at_least():
    singular = torch.tensor([50.0, 40.0, 0.1, 0.1, 0.1])
    noise = torch.linalg.svdvals(
        torch.from_numpy(np.random.default_rng(0).standard_normal((20, 40)))
    )
    assert vbmf_rank(noise, shape=(20, 40)) == 0
    two = (Spectrum(singular, (5, 5)), Spectrum(noise, (40, 20)))
    pairs = Ladder(
        ranks=((1, 1),), weights=(1,), macs=(1,), dense_weights=1, dense_macs=1,
        energy=[1.0].__getitem__, spectra=two,
    )  # fmt: skip
    assert Vbmf()("f", {"a": pairs}) == {"a": (2, 1)}


def test_bad_values_are_named():
    for value in (0, -1, 1.5):
        with pytest.raises(ValueError, match=rf"Share: weights must be above 0 .*, got {value}"):
            Share(value)
        with pytest.raises(ValueError, match=rf"Energy: kept must be above 0 .*, got {value}"):
            Energy(value)
    with pytest.raises(
        ValueError, match=r"MacBudget: macs must be a whole number, 1 or more, got 0"
    ):
        MacBudget(0)
    with pytest.raises(TypeError, match=r"MacBudget: macs must be a whole|'macs'"):
        MacBudget(2.5)
    with pytest.raises(TypeError, match=r"Share: weights must be a number|'weights'"):
        Share("half")
