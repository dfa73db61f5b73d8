"""Fine-grained pruning: exact sparsity, masks that survive training, and an honest report."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import prune as peer

from efficientdl.compression import prune, quantize_weights
from efficientdl.compression.pruning import globally, magnitude
from efficientdl.costs.count import count
from efficientdl.tensors import PerBlock, PerChannel
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(2, 3, 8, 8, generator=gen(5))


def network():
    conv, head = drawn(nn.Conv2d(3, 8, 3)), drawn(nn.Linear(8, 10))
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def zeros(layer):
    return int((layer.weight == 0).sum())


@settings(deadline=None, max_examples=25)
@given(sparsity=st.floats(0, 1, exclude_max=True))
def test_every_layer_has_exactly_the_zeros_asked_for(sparsity):
    pruned, _ = prune(network(), X, sparsity=sparsity)
    for name, n in (("0", 216), ("4", 80)):
        wanted = min(range(n + 1), key=lambda k: abs(k - sparsity * n))
        assert zeros(pruned.get_submodule(name)) == wanted


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.93])
def test_equals_torchs_own_pruning(sparsity):
    theirs = network()
    for layer in (theirs[0], theirs[4]):
        peer.l1_unstructured(layer, "weight", round(sparsity * layer.weight.numel()))
    pruned, _ = prune(network(), X, sparsity=sparsity)
    torch.testing.assert_close(pruned(X), theirs(X), rtol=0, atol=0)


def test_globally_equals_torchs_own_global_pruning():
    theirs = network()
    places = [(theirs[0], "weight"), (theirs[4], "weight")]
    peer.global_unstructured(places, peer.L1Unstructured, amount=148)
    pruned, _ = prune(network(), X, sparsity=0.5, scope=globally)
    torch.testing.assert_close(pruned(X), theirs(X), rtol=0, atol=0)


def test_masks_survive_training():
    pruned, _ = prune(network().train(), X, sparsity=0.75)
    steps = torch.optim.SGD(pruned.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    before = [pruned[i].weight.detach().clone() for i in (0, 4)]
    for _ in range(5):
        steps.zero_grad()
        nn.functional.cross_entropy(pruned(X), torch.tensor([1, 7])).backward()
        steps.step()
    for i, old in zip((0, 4), before, strict=True):
        now = pruned[i].weight.detach()
        np.testing.assert_array_equal(now[old == 0], 0)
        assert (now != old).any()


def test_whole_groups_go_where_the_granularity_says_so():
    pruned, _ = prune(network(), X, sparsity=0.5, granularity=PerChannel())
    dead = (pruned[0].weight == 0).flatten(1)
    np.testing.assert_array_equal(dead.all(dim=1), dead.any(dim=1))
    assert int(dead.all(dim=1).sum()) == 4
    pruned, _ = prune(network(), X, sparsity={"4": 0.5}, granularity=PerBlock(2, 4))
    tiles = (pruned[4].weight == 0).reshape(5, 2, 2, 4).sum(dim=(1, 3))
    assert set(tiles.flatten().tolist()) == {0, 8}


def test_a_policy_prunes_the_layers_that_it_names():
    pruned, report = prune(network(), X, sparsity={"4": 0.9})
    assert type(pruned[0]) is nn.Conv2d
    assert zeros(pruned[4]) == 72
    assert report.rows["0"] == count(network(), X).rows["0"]


def test_pruning_twice_goes_on_from_where_it_stopped():
    once, report = prune(network(), X, sparsity=0.8)
    half, _ = prune(network(), X, sparsity=0.5)
    twice, again = prune(half, X, sparsity=0.8)
    torch.testing.assert_close(twice(X), once(X), rtol=0, atol=0)
    assert again == report
    back, _ = prune(once, X, sparsity=0.5)  # what is gone does not come back
    assert zeros(back[4]) == 64


def test_a_criterion_decides_and_none_of_its_scores_revives_a_weight():
    def smallest(weight, **_):
        return -weight.abs()

    half, _ = prune(network(), X, sparsity=0.5)
    pruned, _ = prune(half, X, sparsity=0.75, criterion=smallest)
    gone_before = half[4].weight == 0
    assert (pruned[4].weight[gone_before] == 0).all()
    assert zeros(pruned[4]) == 60
    stays = pruned[4].weight[pruned[4].mask].abs().max()
    assert stays <= half[4].weight[~gone_before].abs().median()


def test_the_report_counts_index_bits_and_dense_macs():
    model = network()
    before = count(model, X)
    pruned, report = prune(model, X, sparsity=0.9)
    kept = 216 - zeros(pruned[0])
    least = 32 * kept + 8 * 32  # the values and the bias, not one index bit yet
    assert report.rows["0"].weight_bits > least
    # one bit a weight says where they stand; the form taken is not dearer
    assert report.rows["0"].weight_bits <= least + 216
    assert report.total.macs == before.total.macs
    assert report.total.params == before.total.params
    assert report.ratio(before)["weight_bits"] < 10  # never the 10 times of counting zeros as free


def test_a_layer_by_itself_is_a_model_too():
    linear = drawn(nn.Linear(6, 4))
    pruned, _ = prune(linear, torch.zeros(1, 6), sparsity=0.5)
    assert zeros(pruned) == 12
    assert zeros(linear) == 0


def test_shared_weights_stay_shared():
    model = network()
    model[4] = nn.Sequential(model[4], nn.Linear(10, 8), nn.Identity())
    tied = nn.Linear(8, 10, bias=False)
    tied.weight = model[4][0].weight
    model[4][2] = tied
    pruned, _ = prune(model, X, sparsity=0.5)
    assert pruned[4][2].weight is pruned[4][0].weight
    assert pruned[4][0].weight is not model[4][0].weight
    assert zeros(pruned[4][2]) == 40


def test_the_model_given_keeps_even_its_gradients_and_flags():
    model = network().eval()
    model[0].weight.requires_grad_(False)
    state = copy.deepcopy(model.state_dict())
    pruned, _ = prune(model, X, sparsity=0.5)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert not pruned[0].weight.requires_grad
    assert pruned[4].weight.requires_grad
    assert not pruned.training


def test_bad_values_are_named():
    model = network()
    with pytest.raises(ValueError, match=r"prune: sparsity must be in \[0, 1\), got 1.5"):
        prune(model, X, sparsity=1.5)
    with pytest.raises(ValueError, match=r"prune: sparsity must be in \[0, 1\), got 1.0"):
        prune(model, X, sparsity=1.0)
    with pytest.raises(ValueError, match=r"prune: sparsity must be in \[0, 1\), got -1"):
        prune(model, X, sparsity={"0": -1})
    with pytest.raises(
        ValueError, match=r"prune: layer named in sparsity must be one of 0, 4, got 'head'"
    ):
        prune(model, X, sparsity={"head": 0.5})
    with pytest.raises(ValueError, match=r"globally: sparsity must be one number for all"):
        prune(model, X, sparsity={"0": 0.1, "4": 0.2}, scope=globally)
    with pytest.raises(ValueError, match=r"prune: criterion must give layer '0' scores of its wei"):
        prune(model, X, sparsity=0.5, criterion=lambda weight, **_: magnitude(weight)[0])
    quantized, _ = quantize_weights(model, X, bits={"4": 4})
    with pytest.raises(
        ValueError, match=r"prune: model must not be quantized yet: layer '4' holds"
    ):
        prune(quantized, X, sparsity=0.5)
    with pytest.raises(ValueError, match=r"prune: model must have a Linear or Conv2d layer"):
        prune(nn.ReLU(), X, sparsity=0.5)
    with pytest.raises(TypeError, match=r"prune: sparsity must be a number, got 'half'|'sparsity'"):
        prune(model, X, sparsity="half")


def test_what_is_no_number_is_named():
    model = network()
    with torch.no_grad():
        model[4].weight[2, 3] = float("nan")
    with pytest.raises(
        ValueError, match=r"prune: model must hold finite weights in layer '4', got nan"
    ):
        prune(model, X, sparsity=0.5)
    prune(model, X, sparsity={"0": 0.5})  # a layer that is left alone may hold what it likes
    with pytest.raises(
        ValueError, match=r"prune: criterion must give layer '0' scores that are numbers, got nan"
    ):
        prune(network(), X, sparsity=0.5, criterion=lambda weight, **_: weight * float("nan"))
