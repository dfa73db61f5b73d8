"""Penalties against their formulas; proximal steps against a minimizer."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar
from torch import nn

from efficientdl.compression import quantize_weights
from efficientdl.compression.pruning import prune
from efficientdl.compression.pruning.masks import without_zeros
from efficientdl.compression.pruning.regularize import (
    group_lasso,
    proximal,
    shrink_groups,
    soft_threshold,
    weight_penalty,
)
from efficientdl.fit import evaluate
from efficientdl.tensors import PerBlock, PerGroup
from tests.compression.pruning.small_nets import convnet
from tests.compression.pruning.small_task import TEST, X, network, same_weights, training

MATRICES = arrays(np.float64, (4, 6), elements=st.floats(-3, 3))


def weights_of(model):
    return [layer.weight.detach().double().numpy() for layer in (model.fc, model.head)]


def test_no_strength_is_no_penalty():
    assert weight_penalty(network()).item() == 0
    assert group_lasso(network(), strength=0).item() == 0
    plain = training().run(network())
    penalized = training(penalty=partial(weight_penalty, l1=0.0)).run(network())
    same_weights(penalized, plain)


def test_penalties_are_their_formulas():
    model = network()
    fc, head = weights_of(model)
    norms = sum(np.abs(w).sum() for w in (fc, head))
    squares = sum(np.square(w).sum() for w in (fc, head))
    groups = 8 * np.linalg.norm(fc, axis=1).sum() + 4 * np.linalg.norm(head, axis=1).sum()
    # 1e-5: float32 sums of a thousand terms
    close = partial(np.testing.assert_allclose, rtol=1e-5)
    close(weight_penalty(model, l1=0.3, l2=0.2).item(), 0.3 * norms + 0.2 * squares)
    close(weight_penalty(model, l1={"fc": 0.3}).item(), 0.3 * np.abs(fc).sum())
    close(group_lasso(model, strength=0.5).item(), 0.5 * groups)
    tiles = head.reshape(5, 2, 4, 4).transpose(0, 2, 1, 3).reshape(20, 8)
    blocks = np.sqrt(8) * np.linalg.norm(tiles, axis=1).sum()
    blocked = group_lasso(model, strength={"head": 1.0}, granularity=PerBlock(2, 4))
    close(blocked.item(), blocks)
    close(
        group_lasso(model, strength=1.0, granularity=PerGroup(1)).item(),
        weight_penalty(model, l1=1.0).item(),
    )


def test_gradients_are_sign_twice_the_weight_and_the_unit_vector():
    model = network().double()
    model.fc.weight.data[2] = 0
    for penalty, expected in (
        (partial(weight_penalty, l1={"fc": 1.0}, l2={}), np.sign),
        (partial(weight_penalty, l1={}, l2={"fc": 1.0}), lambda w: 2 * w),
        (partial(group_lasso, strength={"fc": 1.0}), unit_rows),
    ):
        model.zero_grad()
        penalty(model).backward()
        np.testing.assert_allclose(model.fc.weight.grad, expected(weights_of(model)[0]), atol=1e-12)


def unit_rows(w):
    norm = np.linalg.norm(w, axis=1, keepdims=True)
    return 8 * np.divide(w, norm, out=np.zeros_like(w), where=norm > 0)  # at zero, zero


def test_a_shared_weight_counts_once():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    alone = weight_penalty(model[0], l1=1.0).item()
    model[1].weight = model[0].weight
    assert weight_penalty(model, l1=1.0).item() == alone


@settings(deadline=None, max_examples=30)
@given(w=st.floats(-3, 3), by=st.floats(0, 2))
def test_soft_threshold_minimizes_its_objective(w, by):
    best = minimize_scalar(
        lambda v: (v - w) ** 2 / 2 + by * abs(v),
        bounds=(-4, 4),
        method="bounded",
        options={"xatol": 1e-9},
    )
    step = soft_threshold(torch.tensor([w], dtype=torch.float64), by=by).item()
    # 1e-4: what the minimizer finds of a kink
    np.testing.assert_allclose(step, best.x, atol=1e-4)


@settings(deadline=None, max_examples=30)
@given(matrix=MATRICES, by=st.floats(0, 1))
def test_shrinking_groups_meets_the_condition_of_the_minimum(matrix, by):
    """`w - v` is `by sqrt(size)` times a unit vector along v, or any shorter one where v is 0."""
    v = shrink_groups(torch.from_numpy(matrix), by=by).numpy()
    reach = by * np.sqrt(6)
    for w_row, v_row in zip(matrix, v, strict=True):
        if v_row.any():
            pull = reach * v_row / np.linalg.norm(v_row)
            np.testing.assert_allclose(w_row - v_row, pull, atol=1e-9)
        else:
            assert np.linalg.norm(w_row) <= reach * (1 + 1e-9)


@given(matrix=MATRICES, by=st.floats(0, 1))
def test_groups_of_one_are_a_soft_threshold(matrix, by):
    weight = torch.from_numpy(matrix)
    # 1e-12: one divides by the norm, the other does not
    torch.testing.assert_close(
        shrink_groups(weight, by=by, granularity=PerGroup(1)),
        soft_threshold(weight, by=by),
        rtol=0,
        atol=1e-12,
    )


def test_whole_filters_reach_zero_in_training_and_can_be_masked():
    hook = proximal(partial(shrink_groups, by=6e-3))
    trained = training(epochs=4, after_step=hook).run(network(hidden=32))
    dead = (trained.fc.weight == 0).sum(dim=1)
    assert set(dead.tolist()) == {0, 64}  # all of a row or none
    masked, _ = without_zeros(trained, X)
    np.testing.assert_array_equal(masked.fc.mask.any(dim=1), dead == 0)
    torch.testing.assert_close(masked(X), trained(X), rtol=0, atol=0)


def test_whole_filters_of_a_convolution_reach_zero():
    """The convolution next to the data is one linear layer of patches: some rows of it go."""
    model = convnet()
    shrink = proximal(partial(shrink_groups, by=0.2))
    norms = torch.linalg.vector_norm(model[0].weight.detach().flatten(1), dim=1)
    for _ in range(10):  # 2 sqrt(18) in all: some filters are shorter, others longer
        shrink(model)
    gone = norms < 2 * np.sqrt(18)
    np.testing.assert_array_equal((model[0].weight == 0).flatten(1).all(dim=1), gone)
    np.testing.assert_array_equal((model[0].weight == 0).flatten(1).any(dim=1), gone)
    left = torch.linalg.vector_norm(model[0].weight.detach().flatten(1), dim=1)
    np.testing.assert_allclose(left, (norms - 2 * np.sqrt(18)).clamp(min=0), atol=1e-9)


def test_each_layer_can_be_shrunk_in_its_own_way():
    model, before = network(), network()
    proximal({"fc": partial(soft_threshold, by=0.05)})(model)
    expected = soft_threshold(before.fc.weight.detach(), by=0.05)
    torch.testing.assert_close(model.fc.weight.detach(), expected, rtol=0, atol=0)
    torch.testing.assert_close(model.head.weight, before.head.weight, rtol=0, atol=0)


def test_single_weights_reach_zero_in_training():
    hook = proximal(partial(soft_threshold, by=3e-3))
    trained = training(after_step=hook).run(network())
    plain = training().run(network())
    assert (trained.fc.weight == 0).float().mean() > 0.1
    assert not (plain.fc.weight == 0).any()


@pytest.mark.slow
def test_of_a_network_trained_with_l1_more_can_be_pruned_at_equal_accuracy():
    """The most that one-shot pruning takes without falling below 90 % right; three seeds."""
    l1 = partial(weight_penalty, l1=2e-3)
    for seed in range(3):
        plain, penalized = (
            training(epochs=20, seed=seed, n=1295, penalty=penalty).run(network(seed, hidden=32))
            for penalty in (None, l1)
        )
        assert evaluate(plain, TEST) > 0.9
        assert most_zeros(penalized) >= most_zeros(plain) + 0.1


def most_zeros(model):
    shares = np.arange(0, 1, 0.05)
    return max(s for s in shares if evaluate(prune(model, X, sparsity=s).model, TEST) >= 0.9)


def test_a_penalty_leaves_more_small_weights():
    plain = training().run(network())
    penalized = training(penalty=partial(weight_penalty, l1=1e-3)).run(network())
    small = [float((m.fc.weight.abs() < 0.02).float().mean()) for m in (plain, penalized)]
    assert small[1] > 2 * small[0]


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"weight_penalty: l1 must be at least 0, got -1"):
        weight_penalty(network(), l1=-1)
    with pytest.raises(ValueError, match=r"group_lasso: strength must be finite, got inf"):
        group_lasso(network(), strength=float("inf"))
    with pytest.raises(
        ValueError, match=r"group_lasso: layer named in strength must be one of fc, h"
    ):
        group_lasso(network(), strength={"body": 1.0})
    with pytest.raises(
        ValueError, match=r"weight_penalty: model must have a Linear or Conv2d layer"
    ):
        weight_penalty(nn.ReLU(), l1=1.0)
    with pytest.raises(ValueError, match=r"proximal: layer named in shrink must be one of fc, h"):
        proximal({"body": partial(soft_threshold, by=0.1)})(network())
    quantized, _ = quantize_weights(network(), X, bits=4)
    with pytest.raises(ValueError, match=r"weight_penalty: model must not be quantized yet"):
        weight_penalty(quantized, l1=1.0)
    with pytest.raises(ValueError, match=r"soft_threshold: by must be at least 0, got -1"):
        soft_threshold(torch.ones(2), by=-1)
    with pytest.raises(ValueError, match=r"shrink_groups: by must be at least 0, got -1"):
        shrink_groups(torch.ones(2, 2), by=-1)
