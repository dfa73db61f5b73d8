"""The diagonal of the Hessian against autograd's full Hessian."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from efficientdl.compression.layers import weight_layers
from efficientdl.compression.pruning import curvature
from efficientdl.compression.pruning.curvature import hessian_diagonal, sensitivity_variance
from tests.compression.pruning.small_nets import convnet, examples, half_square, loss_of, mlp


def full_diagonal(model, data, loss, name):
    weight = model.get_submodule(name).weight.detach()
    value = loss_of(model, data, loss, name)
    hessian = torch.autograd.functional.hessian(value, weight)
    return hessian.reshape(weight.numel(), -1).diagonal().reshape(weight.shape)


@pytest.mark.parametrize("loss", [cross_entropy, half_square])
@pytest.mark.parametrize("network", [mlp, convnet])
def test_equals_the_true_hessians_diagonal_where_units_are_piecewise_linear(network, loss):
    model = network()
    data = examples(model)
    layers = weight_layers("test", model)
    halves = list(zip(data[0].split(4), data[1].split(4), strict=True))  # of 4 and 3
    ours = hessian_diagonal("prune", model, layers, halves, loss=loss)
    for name in layers:
        torch.testing.assert_close(ours[name], full_diagonal(model, data, loss, name))


def test_a_layer_that_is_used_twice_counts_both_uses():
    """Of a linear network, whose curvature comes from the loss alone when weights add."""
    layer = nn.Linear(3, 3, bias=False).double()

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x) + self.layer(2 * x)

    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ours = hessian_diagonal(
        "prune",
        Twice(),
        {"layer": layer},
        [(x, x)],
        loss=lambda o, t: (o - t).square().sum(1).mean() / 2,
    )
    np.testing.assert_allclose(ours["layer"], np.tile(9 * x.square().mean(0), (3, 1)))


def test_sensitivities_equal_those_of_single_examples():
    model = convnet()
    x, y = examples(model)
    layers = weight_layers("test", model)
    ours = sensitivity_variance(
        "prune", model, layers, list(zip(x.split(3), y.split(3), strict=True))
    )
    for name, layer in layers.items():
        single = [
            [torch.autograd.grad(model(one[None])[0, c], layer.weight)[0].numpy() for c in range(3)]
            for one in x
        ]
        np.testing.assert_allclose(ours[name], np.var(single, axis=0).mean(axis=0), atol=1e-15)


def test_examples_taken_one_at_a_time_give_the_same(monkeypatch):
    model = convnet()
    data, layers = [examples(model)], weight_layers("test", model)
    ways = [
        lambda: hessian_diagonal("test", model, layers, data, loss=cross_entropy),
        lambda: sensitivity_variance("test", model, layers, data),
    ]
    together = [way() for way in ways]
    monkeypatch.setattr(curvature, "AT_ONCE", 1)
    torch.testing.assert_close([way() for way in ways], together)


def test_outputs_of_another_form_are_refused():
    model = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
    with pytest.raises(ValueError, match=r"prune: model must give outputs `n c`.*got \(7,\)"):
        sensitivity_variance("prune", model, {"0": model[0]}, [(torch.zeros(7, 5), torch.zeros(7))])
