"""Post-training quantization: integer arithmetic by hand, a shipped network, heavy tails."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.quantization.fold import fold_batch_norm
from efficientdl.compression.quantization.static import quantize_static
from efficientdl.costs.count import count
from efficientdl.datasets import load
from efficientdl.fit import evaluate
from efficientdl.models import seeded
from efficientdl.models.trained import trained
from efficientdl.tensors import (
    LeastDivergence,
    Percentile,
    PerTensor,
    affine,
    affine_between,
    min_max,
)
from tests.compression.quantization.residual_net import X, residual_net


def perceptron():
    """Two layers with a ReLU between."""
    return seeded(lambda: nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 5)), seed=0)


def drawn(n=64, seed=0):
    return torch.randn(n, 20, generator=torch.Generator().manual_seed(seed))


def test_at_sixteen_bits_it_is_nearly_the_network():
    model = residual_net()
    small, _ = quantize_static(model, X, weight_bits=16, activation_bits=16)
    # 16 bits are one part in 65,534 of a range; logits reach 40, four layers add up
    torch.testing.assert_close(small(X), model(X), rtol=0, atol=2e-2)


@pytest.mark.parametrize("bits", [3, 8])
def test_it_is_integer_arithmetic_with_scales(bits):
    """Layer by layer in NumPy: codes times codes in whole numbers, scaled afterwards."""
    model, x = perceptron(), drawn()
    small, _ = quantize_static(model, x, weight_bits=bits, activation_bits=bits)

    def layer(values, calibration, linear):
        low, high = min(calibration.min(), 0), max(calibration.max(), 0)
        scale = (high - low) / (2**bits - 1)
        zero = np.round(-low / scale)
        codes = np.clip(np.round(values / scale + zero), 0, 2**bits - 1).astype(int) - int(zero)
        weight = linear.weight.detach().numpy()
        steps = np.abs(weight).max(axis=1) / (2 ** (bits - 1) - 1)
        weight_codes = np.round(weight / steps[:, None]).astype(int)
        return (codes @ weight_codes.T) * scale * steps + linear.bias.detach().numpy()

    hidden = model[:2](x).detach().numpy()  # ranges are those of the float network
    ours = np.maximum(layer(x.numpy(), x.numpy(), model[0]), 0)
    expected = layer(ours, hidden, model[2])
    # float32; where a value lies midway between two codes it may go to the other
    close = np.isclose(small(x).detach().numpy(), expected, atol=1e-5).mean()
    assert close > 0.98


def test_a_shipped_network_loses_less_than_a_point():
    model, digits = trained("small_cnn_mnist"), load("mnist")
    x, test = digits.train.x[:64], (digits.test.x[:500], digits.test.y[:500])
    folded, _ = fold_batch_norm(model, x)
    small, report = quantize_static(folded, x)
    assert evaluate(small, test) > evaluate(model, test) - 0.01
    assert report.ratio(count(folded, x))["weight_bits"] > 3.9
    coarse, _ = quantize_static(folded, x, granularity=PerTensor())
    assert evaluate(coarse, test) > evaluate(model, test) - 0.01


@pytest.mark.parametrize("seed", range(5))
def test_kl_beats_min_max_where_activations_have_heavy_tails(seed):
    """Inputs of Student's t with two degrees of freedom: how many decisions stay as they were."""
    drawn_t = np.random.default_rng(seed).standard_t(2, size=(600, 20))
    model, x = perceptron(), torch.from_numpy(drawn_t).float()

    def agreement(rule):
        small, _ = quantize_static(model, x, activation_bits=4, activation_rule=rule)
        return float((small(x).argmax(1) == model(x).argmax(1)).float().mean())

    ours = agreement(LeastDivergence(1024, affine_between))
    assert ours > agreement(min_max) + 0.1
    assert ours > agreement(affine) + 0.1


def test_ranges_are_those_of_the_rule_over_the_calibration_set():
    model, x = perceptron(), drawn()
    rule = Percentile(0.9, affine_between)
    small, _ = quantize_static(model, x, activation_rule=rule)
    for name, values in {"0": x, "2": model[:2](x)}.items():
        expected = rule(values.detach().reshape(1, -1), bits=8)
        torch.testing.assert_close(small.get_submodule(name).scale, expected.scale)


def test_codes_outside_the_calibrated_range_saturate():
    model, x = perceptron(), drawn()
    small, _ = quantize_static(model, x)
    far, farther = 100 * torch.ones(1, 20), 1000 * torch.ones(1, 20)
    torch.testing.assert_close(small(far), small(farther), rtol=0, atol=0)


def test_the_report_counts_inputs_in_codes():
    model, x = perceptron(), drawn(64)
    small, report = quantize_static(model, x, weight_bits=4, activation_bits=2)
    assert report == count(small, x)
    assert report.rows["0"].activation_bytes == 64 * 20 * 2 // 8 + 64 * 16 * 4
    assert report.rows["0"].weight_bits == 16 * 20 * 4 + 16 * 32 + 16 * 32
    assert report.total.macs == count(model, x).total.macs


def test_pruned_layers_keep_their_zeros():
    pruned, _ = prune(perceptron(), drawn(), sparsity=0.8)
    small, report = quantize_static(pruned, drawn())
    assert not small[0].layer.weight[~pruned[0].mask].any()
    assert (
        report.total.weight_bits < quantize_static(perceptron(), drawn()).report.total.weight_bits
    )


def test_layers_that_are_not_named_stay_float():
    model, x = perceptron(), drawn()
    small, _ = quantize_static(model, x, weight_bits={"2": 4})
    assert type(small[0]) is nn.Linear
    assert small[2].layer.bits == 4


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_a_constant_input_and_a_weight_of_zeros_are_exact(value):
    model, x = perceptron(), torch.full((8, 20), value)
    model[0].weight.data.zero_()
    model[2].weight.data.fill_(value)
    small, _ = quantize_static(model, x, weight_bits=2, activation_bits=16)
    # 1e-3: only the hidden activations are rounded, to one part in 65,535 of less than 1
    torch.testing.assert_close(small(x), model(x), rtol=0, atol=1e-3)
    torch.testing.assert_close(small[0](x), model[0](x), rtol=0, atol=0)


def test_bad_values_are_named():
    model, x = perceptron(), drawn()
    for bits in (0, 33):
        with pytest.raises(
            ValueError, match=rf"quantize_static: weight_bits must be .* got {bits}"
        ):
            quantize_static(model, x, weight_bits=bits)
        with pytest.raises(ValueError, match=rf"quantize_static: activation_bits .* got {bits}"):
            quantize_static(model, x, activation_bits=bits)
    with pytest.raises(ValueError, match=r"quantize_static: x must hold examples, got \(0, 20\)"):
        quantize_static(model, x[:0])
    with pytest.raises(ValueError, match=r"quantize_static: model must not be quantized yet: lay"):
        quantize_static(quantize_static(model, x).model, x)
    with pytest.raises(ValueError, match=r"quantize_static: model must hold .* layer '1' is other"):
        quantize_static(nn.Sequential(nn.Linear(20, 4), nn.LSTM(4, 4)), x)
