"""BinaryConnect: signs, floats that stay clipped, and draws that are right on average."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from efficientdl.compression.quantization.binaryconnect import (
    DrawnSignRule,
    SignRule,
    binary_connect,
    binary_connect_stochastic,
    clip_weights,
)
from efficientdl.fit import Recipe, evaluate
from efficientdl.fit.plan import Training
from efficientdl.fit.schedule import one_cycle
from efficientdl.models.layers.reweighted import Reweighted
from tests.compression.quantization.small_mnist import NAMES, TEST, TRAIN, X, network, training
from tests.promises.state import global_generators_untouched, untouched


def test_without_training_it_takes_the_signs_in_one_bit():
    model = network()
    model.fc.weight.data[0, :3] = torch.tensor([0.0, -0.0, 1e-30])  # zero's sign is +1
    small, report = binary_connect(model, X)
    for name in NAMES:
        weight = model.get_submodule(name).weight.detach().numpy()
        np.testing.assert_array_equal(
            small.get_submodule(name).weight, np.where(weight >= 0, 1, -1)
        )
    assert report.rows["conv2"].weight_bits == 3200 + 32


def test_a_draw_has_the_probability_of_the_hard_sigmoid():
    """Monte Carlo against the survey's equation 5, and an expectation that is the weight."""
    weight = torch.linspace(-1.5, 1.5, 13)
    rule = DrawnSignRule().train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = rule(weight.expand(40_000, 13))
    p = np.maximum(0, np.minimum(1, (weight.numpy() + 1) / 2))
    assert bool((draws.abs() == 1).all())
    error = np.abs((draws == 1).double().mean(dim=0).numpy() - p)
    assert (error <= 5 * np.sqrt(p * (1 - p) / 40_000) + 1e-12).all()  # 5 standard errors
    inside = np.abs(weight.numpy()) <= 1
    mean = draws.double().mean(dim=0).numpy()
    np.testing.assert_allclose(mean[inside], weight.numpy()[inside], atol=5 / 40_000**0.5)
    with global_generators_untouched():
        torch.testing.assert_close(rule.eval()(weight), weight.clamp(-1, 1), rtol=0, atol=0)


def test_the_floats_behind_signs_are_clipped_and_no_others():
    model = nn.Sequential(
        Reweighted(nn.Linear(2, 1, bias=False), SignRule()), nn.Linear(1, 2, bias=False)
    )
    model[0].layer.weight.data = torch.tensor([[-3.0, 0.5]])
    model[1].weight.data.fill_(3.0)
    clip_weights(model)
    assert model[0].layer.weight.tolist() == [[-1.0, 0.5]]
    assert model[1].weight.tolist() == [[3.0], [3.0]]


def test_a_step_moves_the_floats_by_the_gradient_of_the_signs_and_clips_them():
    """The paper's algorithm 1 by hand: one layer, one step of AdamW without decay, then the clip.

    The first step of Adam is the learning rate times the sign of the gradient.
    """
    x, y = torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([1])
    model = nn.Linear(3, 2, bias=False)
    start = torch.tensor([[0.9, -0.2, 0.1], [-0.95, 0.3, -1.0]])
    model.weight.data.copy_(start)
    signs = torch.where(start >= 0, 1.0, -1.0).requires_grad_()
    functional.cross_entropy(x @ signs.T, y).backward()
    states, recipe = [], Recipe(batch=1, weight_decay=0.0)
    one_step = Training(train=(x, y), epochs=1, lr=0.25, seed=0, recipe=recipe)
    lr, _ = one_cycle(0, 1, 0.25)

    def hook(model):
        clip_weights(model)
        states.append(model.layer.weight.detach().clone())

    one_step.run_with(Reweighted(model, SignRule()), hook)
    by_hand = (start - lr * signs.grad.sign()).clamp(-1, 1)
    # 1e-6: Adam divides by the gradient's size plus 1e-8
    torch.testing.assert_close(states[0], by_hand, rtol=0, atol=1e-6)
    small, _ = binary_connect(model, x, training=one_step)
    torch.testing.assert_close(small.weight, torch.where(by_hand >= 0, 1.0, -1.0))


@pytest.mark.slow
def test_a_trained_network_beats_chance_by_far():
    model = network()
    with untouched(model), global_generators_untouched():
        small, _ = binary_connect(model, X, training=training())
    assert evaluate(small, TEST) > 0.6  # chance is 0.1
    for name in NAMES:
        assert set(small.get_submodule(name).weight.unique().tolist()) == {-1.0, 1.0}


@pytest.mark.slow
def test_trained_with_draws_the_clipped_floats_beat_chance_by_far():
    model, long_way = network(), training(lr=0.3)  # near zero a draw is a coin
    with untouched(model), global_generators_untouched():
        drawn, report = binary_connect_stochastic(model, X, training=long_way)
    assert evaluate(drawn, TEST) > 0.5  # chance is 0.1
    for name in NAMES:
        floats = drawn.get_submodule(name).weight
        assert type(drawn.get_submodule(name)) is type(model.get_submodule(name))
        assert float(floats.detach().abs().max()) <= 1
        assert len(floats.unique()) > 100
    assert report.total.weight_bits == 32 * sum(p.numel() for p in model.parameters())


def test_norms_take_their_statistics_from_the_floats_and_it_replays():
    model = network().eval()
    drawn, _ = binary_connect_stochastic(model, X, training=training(1))
    with torch.no_grad():
        sums = drawn.conv1(TRAIN[0])
    # 24 batches of equal size: the mean of their means is the mean; float32 sums
    torch.testing.assert_close(drawn.norm1.running_mean, sums.mean(dim=(0, 2, 3)))
    assert not any(m.training for m in drawn.modules())
    assert all(m.momentum == 0.1 for m in drawn.modules() if isinstance(m, nn.BatchNorm2d))
    torch.rand(3)
    again, _ = binary_connect_stochastic(model, X, training=training(1))
    torch.testing.assert_close(again.state_dict(), drawn.state_dict(), rtol=0, atol=0)
