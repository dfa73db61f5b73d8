"""Layers whose weights are all one number keep it exactly, whatever quantizes them."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization import (
    half_precision,
    integer_only,
    quantization_aware_training,
    quantize_analytically,
    quantize_data_free,
    quantize_static,
    quantize_weights,
    ternarize_weights,
    train_ternary,
    xnor_network,
)
from efficientdl.tensors import (
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
    affine,
    min_max,
    symmetric,
)

X = torch.randn(4, 2, 5, 5, generator=torch.Generator().manual_seed(0))
NAMES = ("0", "4")
OPTION = {
    quantize_weights: "bits",
    quantize_static: "weight_bits",
    quantize_analytically: "weight_bits",
    quantize_data_free: "bits",
    quantization_aware_training: "weight_bits",
}


def network(value):
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(36, 6)
    ).eval()
    with torch.no_grad():
        for name in NAMES:
            model.get_submodule(name).weight.fill_(value)
            bias = model.get_submodule(name).bias
            bias.copy_(torch.linspace(-0.5, 0.5, len(bias)))
    return model


def demand_kept(small, model):
    for name in NAMES:
        layer = small.get_submodule(name)
        weight = getattr(layer, "layer", layer).weight  # behind a rounded input
        np.testing.assert_array_equal(weight.detach(), model.get_submodule(name).weight.detach())


@pytest.mark.parametrize("bits", range(2, 17))
@pytest.mark.parametrize("value", [0.0, 0.3, -1 / 3])
@pytest.mark.parametrize("way", OPTION, ids=lambda way: way.__name__)
def test_after_training(way, value, bits):
    model = network(value)
    if way in (quantize_data_free, quantization_aware_training):
        model[1] = nn.Identity()  # what these fold would be another weight
    demand_kept(way(model, X, **{OPTION[way]: bits}).model, model)


@pytest.mark.parametrize(
    "granularity", [PerTensor(), PerChannel(), PerGroup(3), PerBlock(2, 9)], ids=repr
)
@pytest.mark.parametrize("rule", [symmetric, affine, min_max])
def test_whatever_shares_a_scale(rule, granularity):
    for bits in (2 if rule is symmetric else 1, 3, 8, 16):
        for value in (0.0, 0.3, -1 / 3):
            model, how = network(value), {"granularity": granularity, "rule": rule}
            demand_kept(quantize_weights(model, X, bits=bits, **how).model, model)


@pytest.mark.parametrize("way", [ternarize_weights, train_ternary, xnor_network])
@pytest.mark.parametrize("value", [0.0, 0.375, -2.0])
def test_levels_that_have_a_size_take_it(way, value):
    demand_kept(way(network(value), X).model, network(value))


def test_numbers_that_a_float_format_holds():
    for bits in (8, 16, 19):
        demand_kept(half_precision(network(0.375), X, bits=bits).model, network(0.375))
        demand_kept(half_precision(network(0.0), X, bits=bits).model, network(0.0))


@pytest.mark.parametrize("bits", range(2, 9))
def test_on_integers_a_network_of_zeros_gives_its_bias(bits):
    model = nn.Sequential(nn.Flatten(), nn.Linear(50, 3))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.fill_(0.5)
    network, _ = integer_only(model, X, weight_bits=bits, activation_bits=bits)
    np.testing.assert_array_equal(network(X), np.full((4, 3), 0.5))
