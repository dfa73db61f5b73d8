"""Quantization-aware training: without training it is PTQ, what is trained is what is stored."""

import copy

import pytest
import torch
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.quantization.fold import fold_batch_norm
from efficientdl.compression.quantization.qat import (
    quantization_aware_training,
    settle_quantization,
    with_fake_quantization,
)
from efficientdl.compression.quantization.static import quantize_static
from efficientdl.costs.count import count
from efficientdl.datasets import load
from efficientdl.fit import evaluate
from efficientdl.fit.plan import Training
from efficientdl.models.trained import trained
from tests.compression.pruning.conftest import one_silent_thread  # noqa: F401 (a fixture)
from tests.compression.quantization.residual_net import X, residual_net

Y = torch.arange(16) % 5
PLAN = Training(train=(X, Y), epochs=3, lr=1e-3, seed=0)


def quantized(model=None, bits=4, **options):
    model = residual_net() if model is None else model
    return quantization_aware_training(model, X, weight_bits=bits, activation_bits=bits, **options)


def test_at_sixteen_bits_it_is_nearly_the_network():
    # 16 bits are one part in 65,534 of a range; logits reach 40, four layers add up
    torch.testing.assert_close(quantized(bits=16).model(X), residual_net()(X), rtol=0, atol=2e-2)


@pytest.mark.parametrize("bits", [3, 8])
def test_without_training_it_is_folding_and_post_training_quantization(bits):
    model = residual_net().double()
    folded, _ = fold_batch_norm(model, X.double())
    options = {"weight_bits": bits, "activation_bits": bits}
    expected, report = quantize_static(folded, X.double(), **options)
    ours, again = quantization_aware_training(model, X.double(), **options)
    # ranges are taken before and after folding; both are float64 sums
    torch.testing.assert_close(ours(X.double()), expected(X.double()), rtol=1e-9, atol=1e-9)
    assert report.total == again.total


def test_at_sixteen_bits_training_is_that_of_the_float_network():
    """Folding in training is batch norm in training: the same steps, but for the rounding."""
    fake = with_fake_quantization(residual_net(), X, weight_bits=16, activation_bits=16)
    ours, theirs = settle_quantization(PLAN.run(fake)), PLAN.run(residual_net())
    moved = float((theirs(X) - residual_net()(X)).abs().max().detach())
    assert moved > 1
    # AdamW divides by the size of a gradient, and so enlarges the rounding of small ones
    torch.testing.assert_close(ours(X), theirs(X), rtol=0, atol=0.05 * moved)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_what_is_stored_computes_what_was_trained(bits):
    fake = with_fake_quantization(residual_net(), X, weight_bits=bits, activation_bits=bits)
    after = PLAN.run(fake)
    torch.testing.assert_close(settle_quantization(after)(X), after(X), rtol=0, atol=0)


def test_weights_ranges_and_statistics_are_trained():
    fake = with_fake_quantization(residual_net(), X, weight_bits=4, activation_bits=4)
    before, after = dict(fake.state_dict()), PLAN.run(fake).state_dict()
    for name in ("stem.layer.layer.weight", "stem.layer.norm.running_var", "pointwise.high"):
        assert not torch.equal(before[name], after[name]), name


@pytest.mark.slow
def test_int4_qat_beats_int4_ptq():
    model, clothes = trained("small_cnn_fashion"), load("fashion_mnist")
    x, test = clothes.train.x[:64], (clothes.test.x[:500], clothes.test.y[:500])
    train = (clothes.train.x[:640], clothes.train.y[:640])
    plan = Training(train=train, epochs=1, lr=5e-4, seed=0)
    options = {"weight_bits": 4, "activation_bits": 4}
    ptq, _ = quantize_static(fold_batch_norm(model, x).model, x, **options)
    qat, _ = quantization_aware_training(model, x, training=plan, **options)
    assert evaluate(qat, test) > evaluate(ptq, test)


def test_norms_are_gone_and_the_report_is_of_codes():
    small, report = quantized(training=PLAN)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in small.modules())
    assert report == count(small, X)
    weights, channels = 2 * 8 * 9 + 8 * 9 + 8 * 8 + 32 * 5, 8 + 8 + 8 + 5
    assert report.total.weight_bits == 4 * weights + 64 * channels  # a scale and a bias for each


def test_pruned_weights_stay_zero_through_training():
    pruned, _ = prune(residual_net(), X, sparsity=0.7)
    small, _ = quantized(pruned, training=PLAN)
    assert not small.stem.layer.weight[~pruned.stem.mask].any()
    assert not small.head.layer.weight[~pruned.head.mask].any()


def test_the_model_given_stays_as_it_was():
    model = residual_net()
    state = copy.deepcopy(model.state_dict())
    quantized(model, training=PLAN)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)


def test_layers_that_are_not_named_stay_float_with_their_norm():
    small, _ = quantization_aware_training(residual_net(), X, weight_bits={"head": 4})
    assert type(small.stem) is nn.Conv2d
    assert type(small.stem_norm) is nn.BatchNorm2d
    assert small.head.layer.bits == 4


def test_bad_values_are_named():
    name = "quantization_aware_training"
    for bits in (0, 33):
        with pytest.raises(ValueError, match=rf"{name}: weight_bits must be .* got {bits}"):
            quantization_aware_training(residual_net(), X, weight_bits=bits)
        with pytest.raises(ValueError, match=rf"{name}: activation_bits must be .* got {bits}"):
            quantization_aware_training(residual_net(), X, activation_bits=bits)
    with pytest.raises(ValueError, match=r"symmetric: bits must be .* \[2, 16\], got 1"):
        quantization_aware_training(residual_net(), X, weight_bits=1)
    with pytest.raises(ValueError, match=rf"{name}: x must hold examples"):
        quantization_aware_training(residual_net(), X[:0])
    lonely = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match=rf"{name}: model must have each batch norm alone .*'2'"):
        quantization_aware_training(lonely, torch.ones(3, 2))
    with pytest.raises(
        ValueError, match=rf"{name}: model must hold .* layer '0' is other, .*Conv1d"
    ):
        quantization_aware_training(nn.Sequential(nn.Conv1d(1, 1, 1), nn.Linear(2, 2)), X)
    with pytest.raises(ValueError, match=r"settle_quantization: model must come from with_fake"):
        settle_quantization(residual_net())
