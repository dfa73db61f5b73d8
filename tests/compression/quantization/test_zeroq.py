"""Batches made up from batch norm statistics."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.integer_only import integer_only
from efficientdl.compression.quantization.zeroq import distill_data, norm_mismatch
from efficientdl.fit import evaluate
from efficientdl.models.trained import trained
from tests.compression.quantization.unequal import TEST, X


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def made_up(steps, n_examples=16, seed=0, **options):
    model = trained("small_cnn_mnist")
    return distill_data(
        model, X[:1], n_examples=n_examples, generator=gen(seed), steps=steps, **options
    )


def test_without_a_step_it_is_the_noise():
    noise = torch.randn(16, 1, 28, 28, generator=gen())
    np.testing.assert_array_equal(made_up(0), noise)


def test_the_mismatch_is_numpy_s():
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))
    for norm in (model[0], model[3]):
        norm.running_mean.normal_(generator=gen(1))
        norm.running_var.uniform_(0.5, 2.0, generator=gen(2))
    x = torch.randn(4, 2, 5, 5, generator=gen())
    total, values = 0.0, {0: x, 3: model.eval()[:3](x).detach()}
    for place, value in values.items():
        norm, v = model[place], value.double().numpy()
        mean, variance = v.mean(axis=(0, 2, 3)), v.var(axis=(0, 2, 3))
        kept = np.sqrt(norm.running_var.double().numpy() + 1e-5)
        gaps = (mean - norm.running_mean.numpy()) ** 2 + (np.sqrt(variance + 1e-5) - kept) ** 2
        total += gaps.mean()
    np.testing.assert_allclose(norm_mismatch(model, x).item(), total, rtol=1e-5)


def test_a_batch_that_one_norm_has_seen_has_no_mismatch():
    norm = nn.BatchNorm1d(3, momentum=1.0)
    x = torch.randn(2000, 3, generator=gen()) * 2 + 1
    norm(x)  # torch keeps the unbiased variance: one part in 2000 more
    assert norm_mismatch(norm, x).item() < 1e-6
    assert norm_mismatch(norm, x + 1).item() == pytest.approx(1, abs=1e-3)


def test_the_batch_comes_to_match_the_statistics():
    model = trained("small_cnn_mnist")
    noise, some, more = (norm_mismatch(model, made_up(n)).item() for n in (0, 10, 40))
    assert more < some < noise
    assert more < 0.02 * noise


def test_a_single_norm_is_matched_channel_by_channel():
    model = nn.Sequential(nn.BatchNorm1d(3))
    model[0].running_mean.copy_(torch.tensor([3.0, -1.0, 0.0]))
    model[0].running_var.copy_(torch.tensor([0.25, 1.0, 9.0]))
    batch = distill_data(model, torch.zeros(1, 3), n_examples=100, generator=gen(), steps=400)
    np.testing.assert_allclose(batch.mean(dim=0), [3, -1, 0], atol=0.01)
    np.testing.assert_allclose(batch.std(dim=0, correction=0), [0.5, 1, 3], atol=0.01)


def test_ranges_from_it_are_nearly_as_good_as_from_real_data():
    model = trained("small_cnn_mnist")

    def accuracy(batch):
        return evaluate(integer_only(model, batch, activation_bits=4)[0], TEST)

    real, noise, ours = accuracy(X[:16]), accuracy(made_up(0)), accuracy(made_up(40))
    assert ours > real - 0.03
    assert ours > noise + 0.1


def test_pixels_stay_within_their_limits():
    batch = made_up(5, limits=(0.0, 1.0))
    assert (batch.min().item(), batch.max().item()) == (0.0, 1.0)


def test_the_network_and_the_generators_are_left_alone():
    model = trained("small_cnn_mnist").train()
    state, before = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    distill_data(model, X[:1], n_examples=2, generator=gen(), steps=2)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert all(not m._forward_pre_hooks for m in model.modules())
    with torch.no_grad():
        np.testing.assert_array_equal(made_up(2, 4), made_up(2, 4))
    assert not torch.equal(made_up(2, 4), made_up(2, 4, seed=1))


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"distill_data: n_examples must .* 2 or more, got 1"):
        made_up(1, 1)
    with pytest.raises(ValueError, match=r"distill_data: steps must be .* 0 or more, got -1"):
        made_up(-1)
    for lr in (0.0, float("inf")):
        with pytest.raises(ValueError, match=rf"distill_data: lr must be above 0 .* got {lr}"):
            made_up(1, lr=lr)
    with pytest.raises(ValueError, match=r"distill_data: limits must be two numbers, the lower"):
        made_up(1, limits=(1.0, 0.0))
    for model in (nn.Linear(2, 2), nn.BatchNorm1d(2, track_running_stats=False)):
        with pytest.raises(ValueError, match=r"distill_data: model must have batch norms, each"):
            distill_data(model, torch.zeros(1, 2), n_examples=2, generator=gen())
        with pytest.raises(ValueError, match=r"norm_mismatch: model must have batch norms, each"):
            norm_mismatch(model, torch.zeros(2, 2))
