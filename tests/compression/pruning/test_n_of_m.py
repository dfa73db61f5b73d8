"""N:M pruning: never more than N of M, at the sparsity that follows."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.criteria import taylor
from efficientdl.compression.pruning.n_of_m import prune_n_of_m
from tests.compression.pruning.small_nets import convnet, examples
from tests.models.layers.test_masked import drawn, gen
from tests.tensors.test_n_of_m import brute_force

X = torch.randn(2, 8, 6, 6, generator=gen(5))


def network():
    conv, head = drawn(nn.Conv2d(8, 12, 3)), drawn(nn.Linear(12, 10))
    return nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def test_four_of_four_is_the_dense_network():
    model = network()
    torch.testing.assert_close(prune_n_of_m(model, X, n=4).model(X), model(X), rtol=0, atol=0)


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (1, 2), (3, 4)])
def test_every_run_keeps_its_n_largest(n, m):
    model = network()
    pruned, report = prune_n_of_m(model, X, n=n, m=m)
    for i in (0, 4):
        weight = model[i].weight.detach().abs().numpy()
        np.testing.assert_array_equal(pruned[i].mask, brute_force(weight, n, m))
        assert float((pruned[i].weight == 0).double().mean()) == 1 - n / m
    whole, _ = prune(model, X, sparsity=1 - n / m)
    assert whole[0].weight.abs().sum() >= pruned[0].weight.abs().sum()  # the freer choice
    assert report.total.macs == prune_n_of_m(model, X, n=m, m=m).report.total.macs


def test_a_policy_and_a_criterion_with_statistics():
    model = convnet()
    data = examples(model)
    pruned, _ = prune_n_of_m(model, data[0], n={"7": 2}, criterion=taylor, data=data)
    assert type(pruned[0]) is nn.Conv2d
    assert (pruned[7].mask.sum(dim=1) == 2).all()


def test_what_was_pruned_before_stays_pruned():
    half, _ = prune(network(), X, sparsity=0.8)
    both, _ = prune_n_of_m(half, X, n=2)
    assert not (both[0].mask & ~half[0].mask).any()
    assert both[0].mask.unflatten(1, (2, 4)).sum(dim=2).max() <= 2


def test_bad_values_are_named():
    with pytest.raises(
        ValueError, match=r"prune_n_of_m: n must be a whole number in \[0, 4\], got"
    ):
        prune_n_of_m(network(), X, n=5)
    with pytest.raises(
        ValueError, match=r"prune_n_of_m: m must divide the input channels of layer '0' = 8, got 3"
    ):
        prune_n_of_m(network(), X, n=2, m=3)
    with pytest.raises(ValueError, match=r"prune_n_of_m: data must be given: the criterion asks"):
        prune_n_of_m(network(), X, n=2, criterion=taylor)
