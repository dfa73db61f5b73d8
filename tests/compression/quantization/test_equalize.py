"""Equalization: the same function, and for each channel weights of one size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.compression.quantization.equalize import (
    Link,
    best_scales,
    equalize,
    give_back,
    links_of,
    scale_links,
    taken_by,
)
from efficientdl.compression.quantization.norm_statistics import fold_with_statistics
from efficientdl.models import seeded
from tests.compression.quantization.residual_net import X, residual_net


def chain(seed=0, groups=1):
    """Convolutions, a depthwise or grouped one among them, pools, a flattening, linear layers."""
    model = seeded(
        lambda: nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1, bias=False),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            nn.Conv2d(6, 6, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, 1),
            nn.AdaptiveAvgPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16, 5),
            nn.ReLU(),
            nn.Linear(5, 3),
        ),
        seed=seed,
    ).eval()
    with torch.no_grad():
        for layer in (0, 3, 6):
            n = len(model[layer].weight)
            model[layer].weight.mul_(10.0 ** torch.linspace(-1, 1, n)[:, None, None, None])
        for layer in (1, 3, 6, 10, 12):
            model[layer].bias.normal_(generator=torch.Generator().manual_seed(layer))
    return model


def test_no_sweep_changes_nothing_but_folds():
    model = chain()
    folded = equalize(model, X, sweeps=0).model
    torch.testing.assert_close(folded(X), model(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(folded[3].weight.detach(), model[3].weight.detach())


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_the_function_stays_and_the_ranges_meet(groups):
    model = chain(groups=groups).double()
    x = X.double()
    same = equalize(model, x, sweeps=100).model
    # 1e-11: factors and their inverses in float64, over six layers
    torch.testing.assert_close(same(x), model(x), rtol=1e-11, atol=1e-11)
    for first, second in ((0, 3), (3, 6), (6, 10), (10, 12)):
        rows = same[first].weight.detach().flatten(1).abs().amax(dim=1)
        columns = taken_by(same[second], len(rows)).detach().abs().amax(dim=1)
        torch.testing.assert_close(rows, columns, rtol=1e-6, atol=0)
        assert (
            float((model[first].weight.detach() - same[first].weight.detach()).abs().max()) > 0.01
        )


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3)), min_size=1, max_size=5))
def test_no_other_scale_makes_the_larger_range_of_a_pair_smaller(pairs):
    r1, r2 = (torch.tensor(side, dtype=torch.float64)[:, None] for side in zip(*pairs, strict=True))
    s = best_scales(r1, r2)
    best = torch.maximum(r1[:, 0] / s, r2[:, 0] * s)
    for other in (0.5, 0.9, 1.1, 2.0):
        assert bool((torch.maximum(r1[:, 0] / (other * s), r2[:, 0] * other * s) >= best).all())
    torch.testing.assert_close(r1[:, 0] / s, r2[:, 0] * s)


def test_a_channel_of_zeros_stays_as_it_is():
    rows, columns = torch.tensor([[0.0], [2.0], [0.0]]), torch.tensor([[3.0], [0.0], [0.0]])
    np.testing.assert_array_equal(best_scales(rows, columns), np.ones(3))


def test_the_weights_that_take_a_channel_by_brute_force():
    for groups in (1, 2, 4):
        conv = nn.Conv2d(4, 8, (2, 3), groups=groups)
        taken = taken_by(conv, 4)
        for channel in range(4):
            probe = torch.zeros(1, 4, 2, 3)
            probe[0, channel] = 1.0
            summed = (conv(probe) - conv(torch.zeros_like(probe))).detach().abs().sum()
            by_taps = taken[channel].reshape(-1, 6).sum(dim=1).detach().abs().sum()
            torch.testing.assert_close(by_taps, summed, rtol=1e-5, atol=1e-6)
        before = conv.weight.detach().clone()
        with torch.no_grad():
            give_back(conv, 2 * taken)
        np.testing.assert_array_equal(conv.weight.detach(), 2 * before)


def test_links_are_pairs_that_let_a_factor_through():
    unfolded = links_of(dataflow("test", chain(), X))
    assert Link("0", "3", True) not in unfolded  # batch norm stands between
    folded = equalize(chain(), X, sweeps=0).model
    pairs = [("0", "3"), ("3", "6"), ("6", "10"), ("10", "12")]
    assert links_of(dataflow("test", folded, X)) == [Link(a, b, True) for a, b in pairs]


def test_neither_relu6_nor_a_shared_value_lets_a_factor_through():
    links = links_of(dataflow("test", equalize(residual_net(), X, sweeps=0).model, X))
    assert links == [Link("depthwise", "pointwise", True)]


def test_what_is_taken_twice_is_not_scaled():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Conv2d(2, 2, 1) for _ in range(3))

        def forward(self, x):
            y = torch.relu(self.a(x))
            return self.c(self.b(y)) + y

    model = seeded(Shared, seed=0)
    assert links_of(dataflow("test", model, X)) == [Link("b", "c", False)]
    torch.testing.assert_close(equalize(model, X).model(X), model(X))


def test_statistics_are_divided_as_the_outputs_are():
    folded, statistics = fold_with_statistics("test", chain(), X)
    before = folded[:1](X).detach()
    ours = scale_links(folded, [Link("0", "3", True)], statistics, sweeps=3)
    factor = (before / folded[:1](X)).detach()[0, :, 4, 4]
    assert float(factor.max() / factor.min()) > 2
    torch.testing.assert_close(ours["0"].mean, statistics["0"].mean / factor)
    torch.testing.assert_close(ours["0"].std, statistics["0"].std / factor)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"equalize: sweeps must be .* 0 or more, got -1"):
        equalize(chain(), X, sweeps=-1)
    alone = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU6(), nn.Conv2d(3, 3, 1))
    with pytest.raises(ValueError, match=r"equalize: model must have two layers in a row with"):
        equalize(alone, X)
    normed = nn.Sequential(nn.Conv2d(2, 3, 1), nn.LayerNorm(8), nn.Conv2d(3, 3, 1))
    with pytest.raises(ValueError, match=r"equalize: model must not hold weights that .* got '1'"):
        equalize(normed, X)
