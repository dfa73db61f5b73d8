"""Channel factorization: the tail of the responses' covariance, and never worse than an SVD."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.lowrank import Energy, factorize_channel, factorize_svd
from efficientdl.datasets import load
from efficientdl.models import trained
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(4, 3, 8, 8, generator=gen(5)).double()


def conv():
    return drawn(nn.Conv2d(3, 8, 3, padding=1)).double()


def rows_of(y):
    return y.detach().movedim(1, -1).flatten(0, -2).numpy()


def tail(y, rank):
    """Sum of squares outside the leading principal directions, by NumPy."""
    rows = rows_of(y)
    s = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    return (s[rank:] ** 2).sum()


def squared_error(thin, model, x):
    return float((thin(x) - model(x)).detach().square().sum())


@settings(deadline=None, max_examples=12)
@given(rank=st.integers(1, 8), bias=st.booleans())
def test_the_error_of_the_responses_is_their_principal_tail(rank, bias):
    model = conv()
    if not bias:
        model.bias = None
    thin, report = factorize_channel(model, X, rank=rank)
    # 1e-8 of squares that sum to 10^4
    np.testing.assert_allclose(
        squared_error(thin, model, X), tail(model(X), rank), rtol=1e-9, atol=1e-8
    )
    assert report.total.macs == 4 * 64 * rank * (27 + 8)
    assert thin[1].bias is not None  # the mean of the responses is in it


def test_full_rank_is_exact_on_other_images_too():
    other = torch.randn(2, 3, 8, 8, generator=gen(6)).double()
    few = X[:1, :, :2, :2]  # four positions for eight channels
    for x in (X, few):
        thin, _ = factorize_channel(conv(), x, rank=8)
        torch.testing.assert_close(thin(other), conv()(other), rtol=0, atol=1e-10)


@pytest.mark.parametrize("rank", [1, 2, 4, 6])
def test_it_is_never_worse_on_the_responses_than_cutting_the_weights(rank):
    skewed = X * torch.tensor([3.0, 1.0, 0.1])[:, None, None]
    by_responses, _ = factorize_channel(conv(), skewed, rank=rank)
    by_weights, _ = factorize_svd(conv(), skewed, rank=rank)
    errors = [squared_error(m, conv(), skewed) for m in (by_responses, by_weights)]
    assert errors[0] < errors[1]


def test_responses_are_those_of_the_layer_where_it_stands():
    model = nn.Sequential(conv(), nn.ReLU(), drawn(nn.Conv2d(8, 6, 1)).double()).train()
    thin, _ = factorize_channel(model, X[:1], rank={"2": 3}, inputs=X)
    np.testing.assert_allclose(
        squared_error(thin, model, X), tail(model(X), 3), rtol=1e-9, atol=1e-8
    )
    assert thin.training


def test_energy_is_the_share_of_the_responses_variance():
    rows = rows_of(conv()(X))
    squares = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False) ** 2
    for kept in (0.3, 0.6, 0.9, 0.99):
        thin, _ = factorize_channel(conv(), X, rank=Energy(kept))
        assert thin[0].out_channels == 1 + int((np.cumsum(squares) / squares.sum() < kept).sum())


@pytest.mark.parametrize("rank", [4, 8, 16, 32])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_on_images_not_seen_it_rebuilds_the_responses_better_at_equal_cost(name, rank):
    model, data = trained(f"small_cnn_{name.removesuffix('_mnist')}"), load(name)
    with torch.no_grad():
        x, test = (model.conv2(model.conv1(part.x[:200])) for part in (data.train, data.test))
    layer = model.conv3.conv
    by_responses, report = factorize_channel(layer, x[:1], rank=rank, inputs=x)
    by_weights, other = factorize_svd(layer, x[:1], rank=rank)
    assert report.total.macs == other.total.macs
    assert squared_error(by_responses, layer, test) < squared_error(by_weights, layer, test)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"factorize_channel: responses of layer '' must differ"):
        factorize_channel(conv(), torch.zeros(1, 3, 8, 8).double().add(1)[:, :, :1, :1], rank=2)
    with pytest.raises(
        ValueError, match=r"factorize_channel: responses of layer '' must be finite"
    ):
        factorize_channel(conv(), X / 0, rank=2)

    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.never = conv(), conv()

        def forward(self, x):
            return self.conv(x)

    assert isinstance(factorize_channel(Idle(), X, rank={"conv": 2}).model.conv, nn.Sequential)
    with pytest.raises(
        ValueError, match=r"responses of layer 'never' must be there, and it is nev"
    ):
        factorize_channel(Idle(), X, rank=2)
    with pytest.raises(
        ValueError, match=r"factorize_channel: layer named in rank must be one of 0"
    ):
        factorize_channel(nn.Sequential(conv(), nn.Linear(8, 2).double()), X, rank={"1": 2})
