"""LASSO channel selection: it rebuilds what can be rebuilt, and beats choice by norm."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.pruning.channel import prune_channels
from efficientdl.compression.pruning.lasso import lasso_choice
from efficientdl.compression.pruning.lasso_channels import _Fit, rebuilt, select_channels
from efficientdl.compression.pruning.structure import channel_groups
from tests.compression.pruning.structure.networks import NETWORKS, X, conv, gen, randomised

IMAGES = torch.randn(24, 3, 6, 6, generator=gen(2))


def chain(width=8):
    return randomised(
        nn.Sequential(conv(3, width, 3), nn.ReLU(), conv(width, 5, 3), nn.ReLU(), conv(5, 2))
    )


def error(model, smaller):
    with torch.no_grad():
        return float((smaller(IMAGES) - model(IMAGES)).square().mean())


def test_sparsity_0_is_the_model_itself():
    model = chain()
    same = select_channels(model, IMAGES, sparsity=0.0).model
    torch.testing.assert_close(same(IMAGES), model(IMAGES), rtol=0, atol=0)


@pytest.mark.parametrize("twin", [0, 2, 7])
def test_a_channel_that_another_makes_up_for_goes_and_nothing_is_lost(twin):
    model = chain()
    with torch.no_grad():  # channel 5 does what its twin does, and is read alike
        model[0].weight[5], model[0].bias[5] = model[0].weight[twin], model[0].bias[twin]
        model[2].weight[:, 5] = model[2].weight[:, twin]
    smaller = select_channels(model, IMAGES, sparsity={"0": 1 / 8}).model
    assert smaller[0].out_channels == 7
    # 1e-4: least squares on products of float32 features
    torch.testing.assert_close(smaller(IMAGES), model(IMAGES), rtol=0, atol=1e-4)


def test_a_channel_that_is_always_zero_goes_first():
    model = chain()
    with torch.no_grad():
        model[0].weight[3], model[0].bias[3] = 0, -1
    smaller = select_channels(model, IMAGES, sparsity={"0": 1 / 8}).model
    torch.testing.assert_close(
        smaller[0].weight, torch.cat([model[0].weight[:3], model[0].weight[4:]])
    )
    torch.testing.assert_close(smaller(IMAGES), model(IMAGES), rtol=0, atol=1e-4)


def test_weights_are_rebuilt_as_numpys_least_squares_does():
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(50, 6)), rng.normal(size=(3, 6))
    stays = np.array([True, False, True, True, False, True])
    gram, target = torch.from_numpy(x.T @ x), torch.from_numpy(weight @ x.T @ x)
    ours = rebuilt(torch.from_numpy(weight), gram, target, torch.from_numpy(stays)).numpy()
    theirs = np.linalg.lstsq(x[:, stays], x @ weight.T, rcond=None)[0].T
    np.testing.assert_allclose(ours[:, stays], theirs, rtol=1e-8)
    np.testing.assert_array_equal(ours[:, ~stays], 0)


@pytest.mark.parametrize("padding", [0, 1, "same"])
@pytest.mark.parametrize("options", [{}, {"padding_mode": "reflect"}, {"dilation": 2}])
def test_any_convolution_can_be_rebuilt(padding, options):
    second = nn.Conv2d(8, 4, 3, padding=padding, **options)
    model = randomised(nn.Sequential(conv(3, 8), second))  # linear: 3 channels carry all there is
    with torch.no_grad():
        model[0].bias.zero_()
    smaller = select_channels(model, IMAGES, sparsity=5 / 8).model
    assert smaller[0].out_channels == 3
    torch.testing.assert_close(smaller(IMAGES), model(IMAGES), rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_error_is_smaller_than_with_a_choice_by_norm(seed):
    model = randomised(nn.Sequential(conv(3, 16, 3), nn.ReLU(), conv(16, 6)), seed)
    ours = select_channels(model, IMAGES, sparsity=0.5).model
    by_norm = prune_channels(model, IMAGES, sparsity=0.5).model
    assert error(model, ours) < error(model, by_norm)


@pytest.mark.parametrize("seed", range(5))
def test_it_beats_a_choice_by_norm_that_is_rebuilt_likewise(seed):
    """Four loud channels say the same, four quiet ones do not: norms keep the loud."""
    rng = np.random.default_rng(seed)
    loud, quiet = rng.normal(size=(200, 1)), rng.normal(size=(200, 4))
    x = torch.from_numpy(np.hstack([loud.repeat(4, axis=1) * 3, quiet]))
    weight = torch.from_numpy(rng.normal(size=(3, 8)))
    weight[:, :4] = weight[:, :1] * 2
    gram, target = x.T @ x, weight @ x.T @ x

    def lost(chosen):
        stays = torch.zeros(8, dtype=torch.bool)
        stays[chosen] = True
        return float((x @ (rebuilt(weight, gram, target, stays) - weight).T).square().sum())

    shares = gram * (weight.T @ weight)
    by_lasso = lasso_choice(shares, shares.sum(dim=0), n_stay=4)
    by_norm = weight.norm(dim=0).argsort(descending=True)[:4]
    assert lost(by_lasso) < lost(by_norm)


@pytest.mark.parametrize("name", ["concatenation", "residual", "flatten", "excited"])
def test_groups_of_every_kind_are_cut_and_less_is_lost_than_by_norm(name):
    model = randomised(NETWORKS[name][0])
    ours, report = select_channels(model, IMAGES, sparsity=0.4)
    by_norm = prune_channels(model, IMAGES, sparsity=0.4)
    assert report.total.macs == by_norm.report.total.macs
    assert error(model, ours) < error(model, by_norm.model)


def test_bad_requests_are_refused():
    with pytest.raises(
        ValueError, match=r"select_channels: sparsity must be in \[0, 1\), got 1\.0"
    ):
        select_channels(chain(), IMAGES, sparsity=1.0)
    grouped = nn.Sequential(conv(3, 4), conv(4, 2, groups=2))
    with pytest.raises(ValueError, match="that a linear layer or a plain convolution reads"):
        select_channels(grouped, X, sparsity=0.5)
    broken = chain()
    broken[0].bias.data[0] = float("nan")
    with pytest.raises(ValueError, match="select_channels: model must have finite weights"):
        select_channels(broken, IMAGES, sparsity=0.5)


def test_shares_are_those_of_what_the_group_alone_must_give():
    """Behind a concatenation, what the other branch gives is taken off the output first."""
    model = randomised(NETWORKS["concatenation"][0])
    (s,) = [s for s in channel_groups(model, IMAGES)[0].slices if s.reads]
    gram, target = _Fit(model, model, s, IMAGES).shares()
    with torch.no_grad():
        features = model.left(IMAGES).double().movedim(1, -1).reshape(-1, 4).numpy()
    weight = model.head.weight.detach().double().numpy()[:, :4, 0, 0]
    columns = np.stack([np.outer(features[:, i], weight[:, i]).ravel() for i in range(4)], axis=1)
    np.testing.assert_allclose(gram, columns.T @ columns, rtol=1e-6)
    np.testing.assert_allclose(target, columns.T @ columns.sum(axis=1), rtol=1e-6)
