"""Data-free quantization on a trained network whose channels were made unequal."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.data_free import quantize_data_free
from efficientdl.compression.quantization.equalize import equalize
from efficientdl.compression.quantization.integer_only import integer_only
from efficientdl.compression.quantization.weights import quantize_weights
from efficientdl.costs.count import count
from efficientdl.fit import evaluate
from efficientdl.models.trained import trained
from efficientdl.tensors import PerTensor
from tests.compression.quantization.test_bias_correction import gaussian_network
from tests.compression.quantization.unequal import TEST, X, unequal


def test_at_sixteen_bits_it_is_the_network_that_it_was():
    model = trained("small_cnn_mnist")
    same = quantize_data_free(model, X[:1], bits=16).model
    spread = float(model(X).detach().abs().max())
    assert float((same(X) - model(X)).detach().abs().max()) < 1e-3 * spread


def test_unequal_channels_are_lost_without_it_and_kept_with_it():
    model, x = unequal(), X[:1]
    exact = evaluate(model, TEST)
    assert exact == evaluate(trained("small_cnn_mnist"), TEST)
    naive, _ = quantize_weights(model, x, bits=8, granularity=PerTensor())
    ours, report = quantize_data_free(model, x, bits=8)
    assert evaluate(naive, TEST) < 0.5
    assert evaluate(ours, TEST) > exact - 0.01
    assert report == count(ours, x)
    assert evaluate(quantize_data_free(model, x, bits=8, sweeps=0).model, TEST) < 0.5


def test_equalized_the_whole_network_runs_on_integers_with_a_scale_for_each_layer():
    model = unequal()
    naive, _ = integer_only(model, X, granularity=PerTensor())
    ours, _ = integer_only(equalize(model, X[:1]).model, X, granularity=PerTensor())
    assert evaluate(naive, TEST) < 0.5
    assert evaluate(ours, TEST) > evaluate(model, TEST) - 0.01


def test_the_mean_error_of_few_bits_is_corrected():
    model, x = gaussian_network()
    exact = model(x).detach().mean(dim=0)
    equal = equalize(model, x[:1]).model
    rounded, _ = quantize_weights(equal, x[:1], bits=3, granularity=PerTensor())
    ours, _ = quantize_data_free(model, x[:1], bits=3)
    errors = [(m(x).detach().mean(dim=0) - exact).norm() for m in (ours, rounded)]
    assert float(errors[0]) < 0.5 * float(errors[1])


def test_a_high_bias_moves_into_the_next_layer():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)).eval()
    with torch.no_grad():
        model[1].bias.copy_(torch.tensor([10.0, 2.0, -1.0]))
    x = torch.rand(5, 4, generator=torch.Generator().manual_seed(0))
    ours, _ = quantize_data_free(model, x, bits=16, sweeps=0)
    folded = equalize(model, x, sweeps=0).model
    moved = (folded[0].bias - ours[0].bias).detach()  # beta - 3 gamma, where that is above 0
    torch.testing.assert_close(moved, torch.tensor([7.0, 0.0, 0.0]))
    torch.testing.assert_close(ours(x), model(x), rtol=1e-3, atol=1e-3)


def test_the_values_of_x_do_not_matter():
    model = unequal()
    a = quantize_data_free(model, X[:1], bits=4).model.state_dict()
    b = quantize_data_free(model, torch.full_like(X[:3], 7.0), bits=4).model.state_dict()
    torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_network_without_norms_is_rounded_and_not_corrected():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 5))
    ours, _ = quantize_data_free(model, X[:1], bits=4)
    rounded, _ = quantize_weights(model, X[:1], bits=4, granularity=PerTensor())
    np.testing.assert_array_equal(ours(X).detach(), rounded(X).detach())


def test_bad_values_are_named():
    model = trained("small_cnn_mnist")
    for bits in (0, 33):
        with pytest.raises(ValueError, match=rf"quantize_data_free: bits must .* got {bits}"):
            quantize_data_free(model, X, bits=bits)
    with pytest.raises(ValueError, match=r"quantize_data_free: sweeps must .* got -1"):
        quantize_data_free(model, X, bits=8, sweeps=-1)
    with pytest.raises(ValueError, match=r"quantize_data_free: x must hold examples, got \(0, 1,"):
        quantize_data_free(model, X[:0], bits=8)
    with torch.no_grad():
        model.conv1[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(
        ValueError, match=r"data_free: model must hold finite weights in .*, got nan"
    ):
        quantize_data_free(model, X, bits=8)
