"""Ranges that batch norm tells, against NumPy, and against the data that it has seen."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.data_free import quantize_data_free
from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.compression.quantization.norm_ranges import NormRanges, expected_ranges
from efficientdl.compression.quantization.norm_statistics import (
    NormStatistics,
    fold_with_statistics,
)
from efficientdl.compression.quantization.static import quantize_static
from efficientdl.fit import evaluate
from efficientdl.models import seeded
from efficientdl.models.trained import trained
from efficientdl.tensors import PerTensor
from tests.compression.quantization.test_bias_correction import Sums, gaussian_network
from tests.compression.quantization.unequal import TEST, X, unequal


def ranges_of(model, x, inputs=(-1.0, 2.0), reach=6.0):
    folded, statistics = fold_with_statistics("test", model, x)
    return expected_ranges(dataflow("test", folded, x), statistics, NormRanges(inputs, reach=reach))


def ends(norm, reach=6.0):
    beta, gamma = norm.bias.detach().numpy(), np.abs(norm.weight.detach().numpy())
    return (beta - reach * gamma).min(), (beta + reach * gamma).max()


@pytest.mark.parametrize("reach", [2.0, 6.0])
def test_a_layer_behind_a_norm_and_a_relu_takes_the_cut_range(reach):
    model, x = gaussian_network()
    with torch.no_grad():
        model[1].weight[2] = -3.0  # a spread has no sign
    found = ranges_of(model, x, reach=reach)
    high = ends(model[1], reach)[1]
    assert found["0"] == (-1.0, 2.0)  # what the network itself takes
    np.testing.assert_allclose(found["3"], (0.0, high), rtol=1e-6)
    np.testing.assert_allclose(found["6"], (0.0, min(6.0, ends(model[4], reach)[1])), rtol=1e-6)


def test_six_spreads_hold_all_of_the_data_and_one_does_not():
    model, x = gaussian_network()
    folded, _ = fold_with_statistics("test", model, x)
    hidden = folded[:2](x).detach()  # before the ReLU
    low, high = ends(model[1])
    assert low < float(hidden.min())
    assert float(hidden.max()) < high
    _, near = ranges_of(model, x, reach=1.0)["3"]
    assert near < float(hidden.max())


class Branches(Sums):
    """As it is, with two branches side by side, a border of zeros and a layer without a norm."""

    def __init__(self):
        super().__init__()
        self.wide, self.padded = nn.Conv2d(6, 2, 1), nn.Conv2d(3, 2, 1)
        self.plain = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        a = torch.relu(self.norm(self.conv(x)))
        b = self.shortcut_norm(self.shortcut(x))
        both = self.plain(self.wide(torch.cat([a, b], dim=1)))
        bordered = self.padded(nn.functional.avg_pool2d(a + 1.0 * b, 2, padding=1))
        largest = self.after_max(nn.functional.max_pool2d(a, 8).flatten(1))
        return (
            self.after_sum(a + b).mean((2, 3)) + both.mean((2, 3)) + largest + bordered.mean((2, 3))
        )


def test_ranges_follow_sums_pools_and_channels_side_by_side():
    model = seeded(Branches, seed=0).eval()
    with torch.no_grad():
        model.norm.bias.copy_(torch.tensor([10.0, 20.0, -10.0]))
        model.shortcut_norm.bias.copy_(torch.tensor([0.5, 0.0, 30.0]))
    found = ranges_of(model, torch.zeros(2, 2, 8, 8))
    (low, high), (least, largest) = ends(model.norm), ends(model.shortcut_norm)
    assert low < 0
    np.testing.assert_allclose(found["after_sum"], (0 + least, high + largest))
    np.testing.assert_allclose(found["after_max"], (0, high))
    np.testing.assert_allclose(found["wide"], (min(0, least), max(high, largest)))
    assert "plain" not in found  # a layer without a norm gives it
    assert "padded" not in found  # a product with a number has no rule


def test_a_border_of_zeros_belongs_to_the_range():
    body = [nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.AvgPool2d(2, padding=1), nn.Conv2d(1, 1, 1)]
    model = nn.Sequential(*body).eval()
    with torch.no_grad():
        model[1].bias.fill_(50.0)
    assert ranges_of(model, torch.zeros(1, 1, 4, 4))["3"] == (0.0, 56.0)
    model[2] = nn.AvgPool2d(2)
    assert ranges_of(model, torch.zeros(1, 1, 4, 4))["3"] == (44.0, 56.0)


def test_the_levels_are_those_of_the_range():
    levels = NormRanges((0.0, 1.0), bits=4).levels((-3.0, 12.0))
    values = (np.arange(16) - float(levels.zero_point)) * float(levels.scale)
    np.testing.assert_allclose(values, np.linspace(-3.0, 12.0, 16))
    known = NormStatistics(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 0.0]))
    assert NormRanges((0.0, 1.0), reach=3.0).of(known) == (-5.0, 7.0)


def test_at_sixteen_bits_the_network_is_the_one_with_weights_rounded_alone():
    model, ranges = trained("small_cnn_mnist"), NormRanges((0.0, 1.0), bits=16)
    same = quantize_data_free(model, X[:1], bits=16, activations=ranges).model
    spread = float(model(X).detach().abs().max())
    # six spreads are wider than the data: a step of 2**-16 of them is some 1e-4 of the output
    assert float((same(X) - model(X)).detach().abs().max()) < 2e-3 * spread


def test_no_example_is_needed_and_none_is_looked_at():
    model, ranges = unequal(), NormRanges((0.0, 1.0))
    exact = evaluate(model, TEST)
    a = quantize_data_free(model, X[:1], bits=8, activations=ranges).model
    b = quantize_data_free(model, torch.full_like(X[:1], -7.0), bits=8, activations=ranges).model
    torch.testing.assert_close(a.state_dict(), b.state_dict(), rtol=0, atol=0)
    assert evaluate(a, TEST) > exact - 0.01
    naive, _ = quantize_static(model, X, granularity=PerTensor())
    assert evaluate(naive, TEST) < 0.5  # calibrated on data, but its channels are unequal


def test_a_layer_whose_input_no_norm_tells_is_named():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 5), nn.ReLU(), nn.Linear(5, 2))
    rule = r"quantize_data_free: model must have a batch norm that tells .* layer '3', got 'none'"
    with pytest.raises(ValueError, match=rule):
        quantize_data_free(model, X[:1], bits=8, activations=NormRanges((0.0, 1.0)))
    alone = quantize_data_free(
        nn.Linear(4, 2), torch.ones(1, 4), bits=8, activations=NormRanges((0.0, 1.0), bits=2)
    ).model
    np.testing.assert_allclose(float(alone.scale), 1 / 3)


def test_bad_values_are_named():
    for bits in (0, 33):
        with pytest.raises(ValueError, match=rf"NormRanges: bits must be .*16\], got {bits}"):
            NormRanges((0.0, 1.0), bits=bits)
    for reach in (0, -1.0, float("inf")):
        with pytest.raises(ValueError, match=r"NormRanges: reach must be above 0 and finite, got"):
            NormRanges((0.0, 1.0), reach=reach)
    for inputs in ((1.0, 0.0), (0.0, 0.0), (0.0, float("inf"))):
        with pytest.raises(ValueError, match=r"NormRanges: inputs must be two finite numbers, the"):
            NormRanges(inputs)
    with pytest.raises(TypeError, match=r"activations must be a NormRanges, got 8|'activations'"):
        quantize_data_free(unequal(), X[:1], bits=8, activations=8)
