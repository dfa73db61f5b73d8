"""L0 gates: closed forms against counting, and gates that close in training."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.pruning.hard_concrete import (
    add_gates,
    expected_l0,
    hard_concrete,
    open_probability,
    settle_gates,
)
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.tensors import PerChannel, PerGroup
from tests.compression.pruning.small_nets import convnet, examples
from tests.compression.pruning.small_task import X, network, training
from tests.models.layers.test_masked import drawn
from tests.promises.state import global_generators_untouched, untouched

EVEN = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000  # every hundred-thousandth


@settings(deadline=None, max_examples=30)
@given(log_alpha=st.floats(-6, 6))
def test_the_probability_to_be_open_is_what_counting_finds(log_alpha):
    gates = hard_concrete(torch.full_like(EVEN, log_alpha), EVEN)
    counted = float((gates > 0).double().mean())
    closed_form = open_probability(torch.tensor(log_alpha, dtype=torch.float64)).item()
    np.testing.assert_allclose(counted, closed_form, atol=1e-5)  # one of the even steps
    assert 0 <= gates.min() <= gates.max() <= 1


def test_both_ends_are_reached_exactly_and_as_often_at_even_odds():
    gates = hard_concrete(torch.zeros_like(EVEN), EVEN)
    closed, opened = (float((gates == end).double().mean()) for end in (0, 1))
    # at log_alpha 0 the coin is symmetric; sigmoid(2/3 log 0.1/1.1) lies beyond each end
    wanted = 1 / (1 + 11 ** (2 / 3))
    np.testing.assert_allclose([closed, opened], wanted, atol=1e-5)


@given(log_alpha=st.floats(-3, 3), value=st.floats(0.01, 0.99))
@settings(deadline=None, max_examples=20)
def test_between_the_ends_gates_have_the_papers_distribution(log_alpha, value):
    """P(gate <= z) = sigmoid(beta logit((z + 0.1) / 1.2) - log_alpha)."""
    gates = hard_concrete(torch.full_like(EVEN, log_alpha), EVEN)
    s = (value + 0.1) / 1.2
    wanted = 1 / (1 + np.exp(-(2 / 3 * np.log(s / (1 - s)) - log_alpha)))
    np.testing.assert_allclose(float((gates <= value).double().mean()), wanted, atol=1e-5)


def test_the_expected_number_is_the_sum_over_gates_of_what_is_behind_them():
    gated = add_gates(network(), share_open={"fc": 0.25, "head": 0.5})
    # 1e-5: float32, and the logarithm taken and undone
    np.testing.assert_allclose(expected_l0(gated).item(), 0.25 * 1024 + 0.5 * 160, rtol=1e-5)
    np.testing.assert_allclose(expected_l0(gated, strength=0.1).item(), 33.6, rtol=1e-5)
    alone = add_gates(network(), share_open={"head": 0.75}, granularity=PerGroup(1))
    np.testing.assert_allclose(expected_l0(alone).item(), 120, rtol=1e-5)


@pytest.mark.parametrize("granularity", [PerGroup(1), PerChannel()])
def test_the_expected_number_is_the_mean_of_what_training_draws(granularity):
    """Monte Carlo, on the layer as training uses it."""
    gated = add_gates(network(), share_open={"head": 0.3}, granularity=granularity)
    with torch.no_grad():
        gated.head.rule.log_alpha.normal_(generator=torch.Generator().manual_seed(0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            drawn = [float(gated.head.weight.count_nonzero()) for _ in range(2000)]
    # four standard errors: one in 16,000 seeds would be further off
    error = 4 * np.std(drawn) / np.sqrt(len(drawn))
    np.testing.assert_allclose(np.mean(drawn), expected_l0(gated).item(), atol=error)


def test_gates_that_are_surely_open_change_nothing():
    gated = add_gates(network().eval(), share_open=0.999)
    torch.testing.assert_close(gated(X), network()(X), rtol=0, atol=0)
    settled, _ = settle_gates(gated, X)
    torch.testing.assert_close(settled(X), network()(X), rtol=0, atol=0)


def test_adding_gates_draws_nothing_and_leaves_the_network_alone():
    model = network().train()
    with untouched(model), global_generators_untouched():
        gated = add_gates(model)
    assert all(module.training for module in gated.modules())


def test_training_draws_for_whole_rows_and_inference_does_not_draw():
    gated = add_gates(network(), share_open=0.5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ratios = [gated.fc.weight / network().fc.weight for _ in range(2)]
    for ratio in ratios:
        np.testing.assert_allclose(ratio.std(dim=1).detach(), 0, atol=1e-6)
    assert (ratios[0][:, 0] != ratios[1][:, 0]).any()
    gated.eval()
    with global_generators_untouched():
        torch.testing.assert_close(gated.fc.weight, gated.fc.weight, rtol=0, atol=0)


def gated_training(strength):
    penalty = partial(expected_l0, strength=strength)
    fast = replace(training(epochs=6, penalty=penalty), lr=0.05)  # gates have some way to go
    return fast.run(add_gates(network(hidden=32), share_open={"fc": 0.5}))


def test_gates_close_in_training_and_the_more_the_dearer():
    free, dear, prohibitive = (
        settle_gates(gated_training(strength), X) for strength in (0.0, 5e-4, 0.1)
    )
    kept = [int(r.model.fc.mask.any(dim=1).sum()) for r in (free, dear, prohibitive)]
    assert 32 >= kept[0] > kept[1] > kept[2] == 0
    rows = dear.model.fc.mask
    np.testing.assert_array_equal(rows.all(dim=1), rows.any(dim=1))
    assert dear.report.total.weight_bits < free.report.total.weight_bits


def test_settled_it_is_the_gated_network_in_inference():
    gated = gated_training(5e-4).eval()
    with untouched(gated):
        settled, report = settle_gates(gated, X)
    torch.testing.assert_close(settled(X), gated(X), rtol=0, atol=0)
    assert not any(isinstance(m, Reweighted) for m in settled.modules())
    assert report.rows["fc"].params == 32 * 65


def test_convolutions_have_gates_too():
    net = convnet()
    x, _ = examples(net)
    gated = add_gates(net, share_open=0.4)
    gates = gated[3].rule.log_alpha
    gates.data.copy_(torch.tensor([-5.0, 5.0, 0.3, -5.0]).reshape(gates.shape))
    settled, _ = settle_gates(gated, x)
    torch.testing.assert_close(settled(x), gated(x), rtol=0, atol=0)
    filters = settled[3].mask.flatten(1)
    assert filters.all(dim=1).tolist() == filters.any(dim=1).tolist() == [False, True, True, False]


class Tied(nn.Module):
    """Two layers with one weight, which is also used by itself, as an embedding's may be."""

    def __init__(self):
        super().__init__()
        self.one, self.two = drawn(nn.Linear(6, 6)), drawn(nn.Linear(6, 6))
        self.words = nn.ParameterList([self.one.weight])
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.two(self.one(x @ self.words[0]))


def test_layers_that_share_a_weight_share_its_gates():
    model, x = Tied(), torch.eye(6)
    gated = add_gates(model, share_open=0.5).eval()
    assert gated.one.rule is gated.two.rule
    np.testing.assert_allclose(expected_l0(gated).item(), 0.5 * 36, rtol=1e-5)
    settled, _ = settle_gates(gated, x)
    torch.testing.assert_close(settled(x), gated(x), rtol=0, atol=0)
    assert settled.one.weight is settled.two.weight
    torch.testing.assert_close(settled.words[0], model.words[0], rtol=0, atol=0)


def test_it_replays_from_the_trainings_seed():
    with global_generators_untouched():
        one = gated_training(1e-3)
    torch.rand(5)
    torch.testing.assert_close(one.state_dict(), gated_training(1e-3).state_dict(), rtol=0, atol=0)


def test_a_masked_layer_keeps_its_mask():
    pruned, _ = prune(network(), X, sparsity={"fc": 0.5})
    settled, _ = settle_gates(add_gates(pruned, share_open=0.95), X)
    np.testing.assert_array_equal(settled.fc.mask, pruned.fc.mask)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"add_gates: share_open must be in \(0, 1\), got 1.0"):
        add_gates(network(), share_open=1.0)
    with pytest.raises(
        ValueError, match=r"add_gates: layer named in share_open must be one of fc, h"
    ):
        add_gates(network(), share_open={"body": 0.5})
    with pytest.raises(
        ValueError, match=r"expected_l0: model must have gates: see add_gates, got 'Se"
    ):
        expected_l0(network())
    with pytest.raises(ValueError, match=r"expected_l0: strength must be at least 0, got -1"):
        expected_l0(add_gates(network()), strength=-1)
    broken = network()
    broken.fc.weight.data[0, 0] = float("nan")
    with pytest.raises(
        ValueError, match=r"add_gates: model must hold finite weights in layer 'fc', got nan"
    ):
        add_gates(broken)
    with pytest.raises(ValueError, match=r"settle_gates: model must have gates"):
        settle_gates(nn.Linear(2, 2), X)
