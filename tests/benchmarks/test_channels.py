"""The headlines of channels: their share, and every claim in a quick version."""

import pytest
import torch

from benchmarks.headlines import (
    Headline,
    beside_torch_pruning,
    halved,
    lines,
    rebuilding,
    trainings,
)
from benchmarks.peers import torch_pruning
from efficientdl import models
from efficientdl.compression import prune_channels


@pytest.fixture
def quick(monkeypatch):
    for name, value in {"seeds": 1, "passes": 0.02, "test": 0.05}.items():
        monkeypatch.setitem(trainings.SIZES, name, value)
    monkeypatch.setitem(halved.REPEATS, "small", 1)
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    monkeypatch.setattr(torch_pruning, "is_here", lambda: False)


def test_it_is_the_least_share_that_halves_the_macs():
    model, x = models.build("small_cnn", seed=0), torch.zeros(1, 1, 28, 28)
    share = halved.halving_share(model, x)

    def macs(sparsity):
        return prune_channels(model, x, sparsity=sparsity).report.total.macs

    whole = macs(0.0)
    assert 2 * macs(share) <= whole < 2 * macs(share - 2**-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    "claim",
    [
        halved.trained_network,
        rebuilding.lasso_rebuilds_layers,
        rebuilding.lasso_beats_norm,
        rebuilding.merging_without_data,
    ],
)
def test_every_claim_runs_and_prints(claim, quick):
    found = claim()
    assert isinstance(found, Headline)
    assert found.holds is not None
    assert {len(values) for values in found.figures.values()} == {1}
    assert f"### {found.claim}" in lines(found)


@pytest.mark.slow
def test_without_the_peer_the_zoo_is_cut_all_the_same(quick, monkeypatch):
    monkeypatch.setattr(models, "names", lambda: ["small_cnn", "shufflenet_v2_150"])
    found = beside_torch_pruning.zoo_beside_torch_pruning()
    assert found.holds
    assert found.ours.startswith("2 of 2 cut here")
    groups, left = found.figures["small_cnn"]
    assert groups == 4
    assert 25 < left < 26  # inner layers keep a quarter, the first and the last a half
    assert (
        beside_torch_pruning.accuracy_beside_torch_pruning().ours == beside_torch_pruning.LEFT_OUT
    )
