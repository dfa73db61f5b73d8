"""Saliencies of second order against the true change of a quadratic loss."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.catalogue import Criterion
from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.criteria import obd, obs
from efficientdl.compression.pruning.statistics import collect
from tests.models.layers.test_masked import drawn, gen
from tests.promises.test_criterion import broken_promises
from tests.promises.toys import toy


def quadratic(seed, k=6, diagonal=False):
    """A loss `(v - w)^T H (v - w) / 2` at its minimum `w`."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((k, k))
    h = np.diag(rng.random(k) + 0.1) if diagonal else a @ a.T + 0.1 * np.eye(k)
    return rng.standard_normal(k), h


def rise(v, w, h):
    return (v - w) @ h @ (v - w) / 2


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999))
def test_obd_equals_the_true_change_on_a_diagonal_quadratic(seed):
    w, h = quadratic(seed, diagonal=True)
    scores = obd(torch.from_numpy(w), hessian_diagonal=torch.from_numpy(np.diag(h).copy()))
    without = [np.where(np.arange(6) == q, 0, w) for q in range(6)]
    np.testing.assert_allclose(scores, [rise(v, w, h) for v in without])
    # and the changes of several add up, which is what ranking takes for granted
    several = np.where(np.arange(6) < 3, 0, w)
    np.testing.assert_allclose(scores[:3].sum(), rise(several, w, h))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999))
def test_obd_of_one_weight_equals_the_true_change_whatever_the_quadratic(seed):
    w, h = quadratic(seed)
    scores = obd(torch.from_numpy(w), hessian_diagonal=torch.from_numpy(np.diag(h).copy()))
    without = [np.where(np.arange(6) == q, 0, w) for q in range(6)]
    np.testing.assert_allclose(scores, [rise(v, w, h) for v in without])


def test_prune_by_obd_takes_the_weights_whose_going_costs_least():
    """A layer of linear regression, at its minimum: the loss is a quadratic, not a diagonal one."""
    layer = drawn(nn.Linear(5, 3)).double()
    mix = torch.randn(5, 5, generator=gen(1), dtype=torch.float64)
    x = torch.randn(90, 5, generator=gen(2), dtype=torch.float64) @ mix
    y = layer(x).detach()

    def loss(output, wanted):
        return (output - wanted).square().sum(dim=1).mean()

    asked = ["hessian_diagonal"]
    known = collect("t", layer, [""], statistics=asked, data=(x, y), loss=loss)[""]
    changes = []
    for q in range(15):
        weight = layer.weight.detach().clone()
        weight.view(-1)[q] = 0.0
        changes.append(float(loss(nn.functional.linear(x, weight, layer.bias.detach()), y)))
    scores = obd(layer.weight.detach(), **known)
    np.testing.assert_allclose(scores.flatten(), changes)  # the loss is zero at its minimum
    pruned, _ = prune(layer, x, sparsity=1 / 3, criterion=obd, data=(x, y), loss=loss)
    gone = (~pruned.mask).flatten().nonzero().flatten()
    np.testing.assert_array_equal(gone, np.sort(np.argsort(changes)[:5]))
    by_size = prune(layer, x, sparsity=1 / 3).model.mask
    assert (pruned.mask != by_size).any()  # magnitude would have chosen others


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999))
def test_obs_equals_the_constrained_minimum_and_is_never_above_obd(seed):
    w, h = quadratic(seed)
    inverse = torch.from_numpy(np.diag(np.linalg.inv(h)).copy())
    scores = obs(torch.from_numpy(w), inverse_hessian_diagonal=inverse)
    for q in range(6):
        free = np.delete(np.arange(6), q)
        v = np.zeros(6)  # the minimum over the others, by a linear solve
        v[free] = np.linalg.solve(h[np.ix_(free, free)], h[free] @ w)
        np.testing.assert_allclose(scores[q], rise(v, w, h), rtol=1e-6)
    diagonal = torch.from_numpy(np.diag(h).copy())
    assert (scores <= obd(torch.from_numpy(w), hessian_diagonal=diagonal) * (1 + 1e-9)).all()


def test_obs_keeps_the_promises_of_a_criterion():
    assert not broken_promises(toy(obs, Criterion()))


def test_a_missing_statistic_is_named():
    with pytest.raises(TypeError, match="hessian_diagonal"):
        obd(torch.ones(2))
