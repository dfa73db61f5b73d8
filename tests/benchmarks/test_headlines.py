"""The headlines of weights: their data, their shares, and every claim in a quick version."""

from statistics import mean

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.headlines import Headline, penalties, smaller, tickets, trainings, weights
from efficientdl.compression.pruning import prune
from efficientdl.datasets import load
from efficientdl.models import build

NETWORK = "dense_w8_d1_early"


@pytest.fixture
def quick(monkeypatch):
    sizes = {"seeds": 1, "passes": 0.05, "test": 0.05}
    for name, value in sizes.items():
        monkeypatch.setitem(trainings.SIZES, name, value)


@pytest.mark.parametrize("passes", [0.5, 3, 25])
def test_a_pass_is_as_many_examples_as_the_training_part(passes):
    plan = trainings.training("lenet_300_100", 0, passes)
    assert plan.val is None
    assert abs(plan.epochs * len(plan.train[0]) - passes * 5400) < plan.epochs
    assert len(plan.train[0]) <= 5 * 5400


def test_every_example_is_a_training_picture_moved_by_at_most_a_pixel():
    x, y = load("mnist").train
    rows, labels = trainings.training("lenet_300_100", 3, 0.002).train
    for image, label in zip(rows, labels, strict=True):
        moved = [
            torch.roll(image, (down, right), (1, 2))
            for down, right in [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]
        ]
        # a pixel at the border is lost, and white there in few digits
        off = min(((x - m).abs().flatten(1).sum(dim=1) + 9 * (y != label)).min() for m in moved)
        assert off < 1.0


def test_seeds_draw_other_examples_and_the_same_seed_the_same():
    first, again, other = (trainings.training(NETWORK, s, 0.1).train[0] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not torch.equal(first, other)


def test_times_fewer_counts_weights_and_no_biases():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    with torch.no_grad():
        model[0].weight.fill_(1.0)[0, :3] = 0
        model[0].bias.zero_()
    assert trainings.times_fewer(model) == 12 / 9


@pytest.mark.parametrize(("network", "paper"), [("lenet_300_100", 12), ("lenet_5", 12)])
def test_shares_of_han_leave_a_twelfth(network, paper):
    model, shares = build(network, seed=0), smaller.HAN[network]
    sizes = {name: model.get_submodule(name).weight.numel() for name in shares}
    kept = sum(n * (1 - shares[name]) for name, n in sizes.items())
    assert paper <= sum(sizes.values()) / kept < 1.03 * paper
    pruned = prune(model, trainings.example(network), sparsity=shares).model
    np.testing.assert_allclose(trainings.times_fewer(pruned), sum(sizes.values()) / kept, rtol=1e-3)


def test_zeros_are_counted_in_percent():
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight.fill_(1.0)[0, :] = 0
    assert penalties._zeros(layer) == 50


def test_as_many_steps_in_more_epochs():
    plan = trainings.training(NETWORK, 0, 3)
    more = tickets._in_epochs(plan, 5)
    assert more.epochs == 5
    assert plan.steps - 5 <= more.steps <= plan.steps


@pytest.mark.slow
def test_twelve_times_is_judged_by_the_mean_of_the_paired_differences(quick):
    found = smaller.lenet_300_100()
    dense, pruned = found.figures["dense, %"], found.figures["pruned, %"]
    np.testing.assert_allclose(found.figures["points lost"], np.subtract(dense, pruned))
    assert found.holds == (mean(found.figures["points lost"]) <= 0.5)
    assert found.seeds == 1


@pytest.mark.slow
@pytest.mark.parametrize("claim", weights.CLAIMS, ids=lambda claim: claim.__name__)
def test_every_claim_comes_out(quick, claim):
    found = claim()
    assert isinstance(found, Headline)
    assert found.seeds == 1
    assert found.holds in {True, False, None}
    for values in found.figures.values():
        assert len(values) == 1
        assert np.isfinite(values).all()


def test_headlines_are_the_claims_in_order(monkeypatch):
    made = [Headline(str(i), "", "", None, 1, {}) for i in range(3)]
    monkeypatch.setattr(weights, "CLAIMS", [lambda h=h: h for h in made])
    assert weights.headlines() == made
