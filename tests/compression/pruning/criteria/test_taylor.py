"""First-order Taylor against what removing a weight really does."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn.functional import cross_entropy

from efficientdl.compression.pruning.criteria import magnitude, taylor
from efficientdl.compression.pruning.statistics import collect
from efficientdl.datasets import load
from efficientdl.models import trained
from tests.compression.pruning.small_nets import convnet, examples, loss_of
from tests.models.layers.test_masked import gen

# A layer of the trained network, on how many pictures, and of how many weights.
CASES = [
    pytest.param("classifier", "classifier", 64, 200, id="classifier"),
    pytest.param("conv4", "conv4.conv", 32, 100, marks=pytest.mark.slow, id="conv4"),
    pytest.param("conv2", "conv2.conv", 32, 100, marks=pytest.mark.slow, id="conv2"),
]


def leave_out(value, weight, share=1.0):
    """The change of the loss when each weight by itself is moved this share of its way to zero."""
    changes = torch.empty_like(weight)
    for at in np.ndindex(*weight.shape):
        moved = weight.clone()
        moved[at] *= 1 - share
        changes[at] = value(moved) - value(weight)
    return changes


def scored(name):
    model = convnet()
    data = examples(model, n=16)
    weight = model.get_submodule(name).weight.detach()
    known = collect("prune", model, [name], statistics=["grad"], data=data, loss=cross_entropy)[
        name
    ]
    with torch.no_grad():
        return taylor(weight, **known), loss_of(model, data, cross_entropy, name), weight


@pytest.mark.parametrize("name", ["0", "3", "7"])
def test_equals_the_change_to_first_order(name):
    scores, value, weight = scored(name)
    with torch.no_grad():
        share = 1e-6
        changes = leave_out(value, weight, share) / share
    # a finite difference: of second order in the step, and rounded at 1e-16 / 1e-6
    torch.testing.assert_close(scores, changes.abs(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["0", "3", "7"])
def test_ranks_weights_much_as_leaving_each_out_does(name):
    scores, value, weight = scored(name)
    with torch.no_grad():
        truth = leave_out(value, weight).abs()
    assert spearmanr(scores.flatten(), truth.flatten()).statistic > 0.6


def from_layer(name, n):
    """The trained network of lab 01 from a layer on, what reaches it, and labels."""
    network = trained("small_cnn_fashion").double().eval()
    test = load("fashion_mnist").test
    parts = dict(network.named_children())
    x = test.x[:n].double()
    with torch.no_grad():
        while next(iter(parts)) != name:
            x = parts.pop(next(iter(parts)))(x)
    return nn.Sequential(OrderedDict(parts)), (x, test.y[:n])


@pytest.mark.parametrize(("name", "layer", "n_examples", "n_weights"), CASES)
def test_of_a_trained_network_it_ranks_weights_as_leaving_each_out_does(
    name, layer, n_examples, n_weights
):
    rest, data = from_layer(name, n_examples)
    weight = rest.get_submodule(layer).weight.detach()
    known = collect("t", rest, [layer], statistics=["grad"], data=data, loss=cross_entropy)
    chosen = torch.randperm(weight.numel(), generator=gen(0))[:n_weights]
    value, truth = loss_of(rest, data, cross_entropy, layer), []
    with torch.no_grad():
        for at in chosen.tolist():
            without = weight.clone()
            without.view(-1)[at] = 0
            truth.append(float(value(without) - value(weight)))
    ranks = {
        criterion: spearmanr(scores.flatten()[chosen], np.abs(truth)).statistic
        for criterion, scores in {
            "taylor": taylor(weight, **known[layer]),
            "magnitude": magnitude(weight),
        }.items()
    }
    assert ranks["taylor"] > 0.9
    assert ranks["magnitude"] < ranks["taylor"] - 0.2


def test_a_missing_statistic_is_named():
    with pytest.raises(TypeError, match="grad"):
        taylor(torch.ones(2))
