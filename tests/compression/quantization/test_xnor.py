"""XNOR-Net: the closed form of the factor, its gradient, and a training."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.quantization.xnor import _ScaledSigns, xnor_network
from efficientdl.fit import evaluate
from efficientdl.models.layers.few_bit_input import Xnor
from tests.compression.quantization.small_mnist import NAMES, TEST, X, network, training
from tests.promises.state import global_generators_untouched, untouched


def test_a_filter_is_its_signs_times_its_mean_magnitude():
    model = network()
    small, report = xnor_network(model, X)
    for name in NAMES:
        weight = model.get_submodule(name).weight.detach().numpy()
        axes = tuple(range(1, weight.ndim))
        alpha = np.abs(weight).mean(axis=axes, keepdims=True)
        layer = small.get_submodule(name)
        stored = layer.layer if isinstance(layer, Xnor) else layer
        np.testing.assert_allclose(stored.weight, np.where(weight >= 0, alpha, -alpha), rtol=1e-6)
    assert report.rows["conv2"].weight_bits == 3200 + 16 * 32
    assert isinstance(small.fc, Xnor)
    assert not isinstance(small.conv1, Xnor)  # the picture comes in as it is


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 999))
def test_no_signs_and_no_factor_are_nearer_by_brute_force(seed):
    """All 2**6 choices of signs, and for each the factor that fits it best by least squares."""
    weight = torch.randn(1, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ours = float((_ScaledSigns()(weight) - weight).square().sum())
    signs = 2.0 * ((torch.arange(64)[:, None] >> torch.arange(6)) & 1).double() - 1
    factors = (signs @ weight[0]).clamp(min=0) / 6
    every = (factors[:, None] * signs - weight).square().sum(dim=1)
    np.testing.assert_allclose(ours, float(every.min()), rtol=1e-12)


def test_the_gradient_is_that_of_the_product():
    """`dL/dW_i = sign(W_i) sum_j(g_j sign(W_j)) / n + alpha g_i`, the last where `|W_i| <= 1`."""
    rng = torch.Generator().manual_seed(0)
    weight, g = (torch.randn(3, 8, generator=rng, dtype=torch.float64) for _ in range(2))
    weight.requires_grad_()
    (_ScaledSigns()(weight) * g).sum().backward()
    w, g = weight.detach().numpy(), g.numpy()
    sign, alpha = np.sign(w), np.abs(w).mean(axis=1, keepdims=True)
    through_factor = sign * (g * sign).sum(axis=1, keepdims=True) / 8
    np.testing.assert_allclose(weight.grad, through_factor + alpha * g * (np.abs(w) <= 1))


@pytest.mark.slow
def test_a_trained_network_beats_chance_by_far():
    model = network()
    with untouched(model), global_generators_untouched():
        small, _ = xnor_network(model, X, training=training())
    assert evaluate(small, TEST) > 0.5  # chance is 0.1
    assert evaluate(small, TEST) > evaluate(xnor_network(model, X).model, TEST) + 0.2


def test_a_layer_that_gets_no_negative_number_is_refused():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2))
    with pytest.raises(
        ValueError, match=r"xnor_network: model must hand layer '2' numbers of both"
    ):
        xnor_network(model, torch.zeros(2, 4))
