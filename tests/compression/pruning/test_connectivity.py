"""Linear mode connectivity: barriers that can be computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.pruning.connectivity import (
    error_barrier,
    errors_between,
    instability,
    interpolate,
)
from tests.compression.pruning.small_task import (
    TEST,
    X,
    interrupted_in,
    network,
    same_weights,
    training,
)
from tests.promises.state import untouched

SIGNS = (torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1]))


def sign_network(order):
    """Two hidden units, one for each sign, in this order: both orders compute the same."""
    model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    unit, out = torch.tensor([[1.0], [-1.0]]), torch.eye(2)
    model[0].weight.data, model[2].weight.data = unit[order], out[:, order]
    return model


def test_no_barrier_lies_between_a_network_and_itself():
    trained = training().run(network())
    assert error_barrier(trained, trained, TEST) == 0


def test_a_barrier_of_one_half_worked_out_by_hand():
    """Half way between a network and its mirror image all weights cancel: it always says 0."""
    a, b = sign_network([0, 1]), sign_network([1, 0])
    torch.testing.assert_close(a(SIGNS[0]), b(SIGNS[0]))
    assert errors_between(a, b, SIGNS, n_points=3) == [0, 0.5, 0]
    assert error_barrier(a, b, SIGNS, n_points=3) == 0.5
    assert error_barrier(a, b, SIGNS, n_points=2) == 0  # which sees the ends alone


def test_a_barrier_is_measured_from_the_mean_of_the_ends():
    good, bad = sign_network([0, 1]), sign_network([0, 1])
    bad[2].weight.data = -bad[2].weight.data  # always wrong
    errors = errors_between(good, bad, SIGNS, n_points=5)
    assert (errors[0], errors[-1]) == (0, 1)
    assert error_barrier(good, bad, SIGNS, n_points=5) == 0.5


def test_points_of_the_line_are_weighted_means():
    a, b = network(0), network(1)
    with untouched(a), untouched(b):
        same_weights(interpolate(a, b, share=0), a)
        same_weights(interpolate(a, b, share=1), b)
        middle = interpolate(a, b, share=0.3)
    for name, p in middle.named_parameters():
        wanted = (
            0.7 * a.get_parameter(name).detach().numpy()
            + 0.3 * b.get_parameter(name).detach().numpy()
        )
        np.testing.assert_allclose(p.detach(), wanted, atol=1e-6)  # float32


def test_a_batch_norms_statistics_lie_on_the_line_too():
    a, b = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    b.running_mean += 4
    b.num_batches_tracked += 7
    middle = interpolate(a, b, share=0.5)
    assert middle.running_mean.tolist() == [2, 2]
    assert middle.num_batches_tracked == 0


def test_instability_is_the_barrier_between_two_orders_of_the_data():
    learn = training(epochs=1)
    early = training(epochs=1, seed=9)
    start = early.run(network())
    a, b = learn.run(start), replace(learn, seed=1).run(start)
    mine = instability(network(), TEST, training=learn, seeds=(0, 1), early=early)
    assert mine == error_barrier(a, b, TEST)
    assert instability(network(), TEST, training=learn, seeds=(4, 4)) == 0


def test_half_a_training_is_no_instability():
    learn = interrupted_in(training(epochs=1), step=12)  # in the second of two
    with pytest.raises(KeyboardInterrupt, match=r"instability: half a training says nothing"):
        instability(network(), TEST, training=learn, seeds=(0, 1))
    early = interrupted_in(training(epochs=1), step=3)
    with pytest.raises(KeyboardInterrupt):
        instability(network(), TEST, training=training(), seeds=(0, 1), early=early)


@pytest.mark.slow
def test_instability_falls_as_the_common_part_grows():
    learn = training(epochs=6, n=1295, batch=32)
    network_ = network(hidden=24)
    common = [None, replace(learn, epochs=6, seed=9)]
    falls = [
        np.mean([
            instability(network_, TEST, training=learn, seeds=seeds, early=early, n_points=5)
            for seeds in ((0, 1), (2, 3))
        ])
        for early in common
    ]
    assert falls[1] < falls[0]


def test_networks_that_are_not_alike_are_named():
    with pytest.raises(
        ValueError, match=r"interpolate: networks must be alike in 'fc.weight', got"
    ):
        interpolate(network(), network(hidden=8), share=0.5)
    with pytest.raises(ValueError, match=r"interpolate: networks must be alike in 'fc.mask', got"):
        error_barrier(network(), prune(network(), X, sparsity=0.5).model, TEST)
    masked = [prune(network(seed), X, sparsity=0.5).model for seed in (0, 1)]
    with pytest.raises(
        ValueError, match=r"networks must have the same masks, and 'fc.mask' differs"
    ):
        interpolate(*masked, share=0.5)
    with pytest.raises(ValueError, match=r"interpolate: share must be in \[0, 1\], got 1.5"):
        interpolate(network(), network(), share=1.5)
    with pytest.raises(ValueError, match=r"n_points must be a whole number, 2 or more, got 1"):
        error_barrier(network(), network(), TEST, n_points=1)
