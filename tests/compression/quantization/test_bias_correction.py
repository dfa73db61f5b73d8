"""Mean errors of rounded weights, predicted from batch norm and taken out of the biases."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import nn

from efficientdl.compression.quantization.bias_correction import (
    absorb_high_biases,
    clipped_normal_mean,
    correct_biases,
    expected_inputs,
    mean_output,
)
from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.compression.quantization.equalize import Link
from efficientdl.compression.quantization.norm_statistics import (
    NormStatistics,
    fold_with_statistics,
)
from efficientdl.compression.quantization.weights import quantize_weights
from efficientdl.models import seeded
from efficientdl.tensors import PerTensor


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (0.0, 6.0), (-1.0, 1.0), (-np.inf, 2.0)])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (-2.0, 0.7), (3.5, 2.0), (8.0, 0.1)])
def test_the_clipped_normal_mean_is_the_integral(mean, std, low, high):
    density = stats.norm(mean, std).pdf
    ends = mean - 12 * std, mean + 12 * std
    kinks = [p for p in (low, high) if ends[0] < p < ends[1]]
    expected = integrate.quad(lambda v: np.clip(v, low, high) * density(v), *ends, points=kinks)[0]
    ours = clipped_normal_mean(
        torch.tensor(mean, dtype=torch.float64),
        torch.tensor(std, dtype=torch.float64),
        low=low,
        high=high,
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-7)


def test_the_mean_of_a_constant_is_the_constant_clipped():
    constant = torch.tensor([-1.0, 0.5, 9.0])
    ours = clipped_normal_mean(constant, torch.zeros(3), high=6.0)
    np.testing.assert_array_equal(ours, [0.0, 0.5, 6.0])


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_mean_output_is_that_of_a_constant_picture(groups):
    conv = seeded(lambda: nn.Conv2d(4, 8, 3, groups=groups, bias=False), seed=0)
    mean = torch.tensor([1.0, -2.0, 0.5, 3.0])
    picture = mean[None, :, None, None].expand(1, 4, 3, 3)
    ours = mean_output(conv.weight, groups, mean)
    torch.testing.assert_close(ours, conv(picture)[0, :, 0, 0])


def gaussian_network(seed=0):
    """Layers whose norms have seen the normal data that go in; and those data."""
    generator = torch.Generator().manual_seed(seed + 100)  # not the seed of the weights
    model = seeded(
        lambda: nn.Sequential(
            nn.Linear(32, 24),
            nn.BatchNorm1d(24, momentum=1.0),
            nn.ReLU(),
            nn.Linear(24, 12),
            nn.BatchNorm1d(12, momentum=1.0),
            nn.ReLU6(),
            nn.Linear(12, 8),
        ),
        seed=seed,
    )
    x = torch.randn(4000, 32, generator=generator)
    with torch.no_grad():
        for norm in (model[1], model[4]):
            norm.bias.normal_(0.5, 1.0, generator=generator)
        model(x)  # in training mode, with momentum 1: the norms keep this batch's statistics
    return model.eval(), x


def test_expected_inputs_are_the_means_of_the_data():
    model, x = gaussian_network()
    folded, statistics = fold_with_statistics("test", model, x)
    means = expected_inputs(dataflow("test", folded, x), statistics)
    assert means.keys() == {"3", "6"}
    with torch.no_grad():
        hidden = [folded[:3](x), folded[:6](x)]
    # 0.03: 4000 draws, and layers of 32 and 24 inputs are only nearly normal
    torch.testing.assert_close(means["3"].detach(), hidden[0].mean(dim=0), rtol=0, atol=0.03)
    torch.testing.assert_close(means["6"].detach(), hidden[1].mean(dim=0), rtol=0, atol=0.03)


class Sums(nn.Module):
    """A residual sum, a mean over the picture, channels side by side, and a maximum."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)
        self.shortcut, self.shortcut_norm = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)
        self.after_sum, self.after_max = nn.Conv2d(3, 2, 1), nn.Linear(3, 2)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        a = torch.relu(self.norm(self.conv(x)))
        y = a + self.shortcut_norm(self.shortcut(x))
        flat = nn.functional.avg_pool2d(a, 4).flatten(1)
        largest = nn.functional.max_pool2d(a, 8).flatten(1)
        return self.after_sum(y).mean((2, 3)) + self.head(flat) + self.after_max(largest)


def test_means_follow_sums_and_pools_and_stop_at_a_maximum():
    model = seeded(Sums, seed=0).eval()
    with torch.no_grad():
        model.norm.bias.copy_(torch.tensor([1.0, 2.0, -1.0]))
        model.shortcut_norm.bias.copy_(torch.tensor([0.5, 0.0, 3.0]))
    x = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    folded, statistics = fold_with_statistics("test", model, x)
    means = expected_inputs(dataflow("test", folded, x), statistics)
    first = clipped_normal_mean(torch.tensor([1.0, 2.0, -1.0]), torch.ones(3))
    assert means.keys() == {"after_sum", "head"}
    torch.testing.assert_close(means["after_sum"], first + torch.tensor([0.5, 0.0, 3.0]))
    torch.testing.assert_close(means["head"], first)


def test_correction_takes_the_mean_error_out():
    model, x = gaussian_network()
    folded, statistics = fold_with_statistics("test", model, x)
    exact = folded[3](folded[:3](x))

    def mean_error(layers):
        return float((layers[3](folded[:3](x)) - exact).detach().mean(dim=0).norm())

    rounded, _ = quantize_weights(folded, x, bits=3, granularity=PerTensor())
    before = mean_error(rounded)
    correct_biases(rounded, folded, expected_inputs(dataflow("test", folded, x), statistics))
    assert mean_error(rounded) < 0.1 * before


def test_correction_gives_a_bias_to_a_layer_without_one():
    model = nn.Sequential(nn.Linear(2, 2, bias=False))
    rounded, _ = quantize_weights(model, torch.ones(1, 2), bits=2, granularity=PerTensor())
    correct_biases(rounded, model, {"0": torch.tensor([1.0, 2.0])})
    x = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(rounded(x), model(x))


def test_absorbing_changes_nothing_where_the_relu_never_cuts():
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), seed=0)
    x = torch.rand(50, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model[0].bias += 10
        before = model(x)
        hidden = model[0](x)
    statistics = {"0": NormStatistics(hidden.mean(dim=0), hidden.std(dim=0))}
    moved = absorb_high_biases(model, [Link("0", "2", True)], statistics)
    c = (statistics["0"].mean - 3 * statistics["0"].std).clamp(min=0)
    assert float(c.min()) > 5
    torch.testing.assert_close(model[0](x).detach(), hidden - c)
    torch.testing.assert_close(moved["0"].mean, statistics["0"].mean - c)
    # uniform inputs have no tail below three deviations, so that no ReLU cuts
    torch.testing.assert_close(model(x).detach(), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("second", "relu"), [(nn.Conv2d(2, 2, 3, padding=1), True), (nn.Conv2d(2, 2, 3), False)]
)
def test_nothing_is_absorbed_where_it_would_be_heard(second, relu):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), second)
    bias = model[0].bias.detach().clone()
    statistics = {"0": NormStatistics(torch.full((2,), 9.0), torch.ones(2))}
    assert absorb_high_biases(model, [Link("0", "2", relu)], statistics) == statistics
    np.testing.assert_array_equal(model[0].bias.detach(), bias)
