"""Four bits after training: each closed form against a search, and the whole against naive INT4."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.quantization.aciq import (
    allocate_bits,
    code_by_channel,
    correct_bias,
    quantize_analytically,
)
from efficientdl.compression.quantization.clipping import laplace
from efficientdl.compression.quantization.fold import fold_batch_norm
from efficientdl.compression.quantization.static import quantize_static
from efficientdl.costs.count import count
from efficientdl.datasets import load
from efficientdl.fit import evaluate
from efficientdl.models import seeded
from efficientdl.models.trained import trained
from efficientdl.tensors import PerTensor
from tests.compression.quantization.residual_net import X, residual_net


def linear(seed=0, spread=(1.0, 1.0, 1.0, 1.0)):
    layer = seeded(lambda: nn.Linear(50, 4), seed=seed)
    layer.weight.data *= torch.tensor(spread)[:, None]
    return layer


def test_at_sixteen_bits_it_is_nearly_the_network():
    small, _ = quantize_analytically(residual_net(), X, weight_bits=16, activation_bits=16)
    # 16 bits are one part in some ten thousands of a range; logits reach 40, four layers add up
    torch.testing.assert_close(small(X), residual_net()(X), rtol=0, atol=2e-2)


@given(bits=st.integers(2, 16), size=st.floats(1e-3, 1e3), n=st.integers(1, 9))
def test_channels_that_are_alike_have_the_same_bits(bits, size, n):
    assert allocate_bits(torch.full((n,), size), bits=bits).tolist() == [bits] * n


@settings(deadline=None, max_examples=20)
@given(sizes=st.lists(st.floats(0.5, 4), min_size=3, max_size=3), bits=st.integers(4, 6))
def test_levels_are_shared_out_where_the_sum_of_errors_is_least(sizes, bits):
    """A search over how many levels each channel has finds the powers that are rounded here."""
    ranges, total = np.array(sizes), len(sizes) * 2.0**bits

    def error(logits):
        levels = np.exp(logits) / np.exp(logits).sum() * total
        return (ranges**2 / levels**2).sum() * 4.0**bits

    found = optimize.minimize(error, np.zeros(3), options={"gtol": 1e-10}).x
    wanted = np.log2(np.exp(found) / np.exp(found).sum() * total)
    ours = allocate_bits(torch.from_numpy(ranges), bits=bits).numpy()
    assert (np.abs(ours - wanted) <= 0.5 + 1e-3).all()  # rounded; 1e-3 is the search's own error


def test_a_channel_of_zeros_takes_the_fewest_bits():
    assert allocate_bits(torch.tensor([0.0, 1.0]), bits=4).tolist() == [2, 5]
    assert allocate_bits(torch.zeros(3), bits=4).tolist() == [4, 4, 4]


def test_sharing_out_bits_lowers_the_error_at_no_more_bits():
    layer = linear(spread=(8.0, 1.0, 0.5, 0.1))
    ours = code_by_channel(layer, bits=4)
    fixed = quantize_static(layer, torch.ones(1, 50), weight_bits=4).model.layer
    weight = layer.weight.detach()
    assert float((ours.weight - weight).norm()) < 0.7 * float((fixed.weight - weight).norm())
    assert int(ours.channel_bits.sum()) <= 16


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), bits=st.integers(2, 8))
def test_means_and_spreads_of_channels_are_put_back(seed, bits):
    layer = linear(seed)
    coded = code_by_channel(layer, bits=bits).weight.detach().numpy()
    weight = layer.weight.detach().numpy()
    # 1e-5 of weights up to 0.14: float32
    np.testing.assert_allclose(coded.mean(axis=1), weight.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(coded.std(axis=1), weight.std(axis=1), atol=1e-5)


def test_what_has_no_spread_is_only_shifted():
    rows, coded = torch.tensor([[2.0, 2.0], [1.0, 3.0]]), torch.tensor([[1.0, 1.0], [5.0, 5.0]])
    xi, shift = correct_bias(rows, coded, torch.ones(2, 2, dtype=torch.bool))
    torch.testing.assert_close(xi, torch.ones(2, 1))
    torch.testing.assert_close(coded * xi + shift, torch.full((2, 2), 2.0))


@pytest.mark.slow
def test_it_beats_naive_int4_by_a_wide_margin():
    """Naive: one scale for each weight tensor, ranges by minimum and maximum."""
    model, clothes = trained("small_cnn_fashion"), load("fashion_mnist")
    x, test = clothes.train.x[:64], (clothes.test.x[:500], clothes.test.y[:500])
    folded, _ = fold_batch_norm(model, x)
    naive, _ = quantize_static(folded, x, weight_bits=4, activation_bits=4, granularity=PerTensor())
    ours, report = quantize_analytically(folded, x)
    accuracy = evaluate(ours, test)
    assert accuracy > evaluate(naive, test) + 0.03
    assert accuracy > evaluate(model, test) - 0.02
    error = [(m(test[0]) - folded(test[0])).detach().square().mean() for m in (ours, naive)]
    assert float(error[0]) < 0.5 * float(error[1])
    assert report.ratio(count(folded, x))["weight_bits"] > 7


def test_the_report_is_codes_widths_scales_zero_points_and_biases():
    layer = linear(spread=(8.0, 1.0, 0.5, 0.1))
    small, report = quantize_analytically(layer, torch.ones(3, 50))
    bits = int(small.layer.channel_bits.sum()) * 50
    assert report.total.weight_bits == bits + 4 * (4 + 32 + 32) + 4 * 32
    assert report == count(small, torch.ones(3, 50))


def test_pruned_weights_stay_zero_and_do_not_count_as_values():
    pruned, _ = prune(linear(), torch.ones(1, 50), sparsity=0.6)
    small, _ = quantize_analytically(pruned, torch.ones(3, 50))
    weight, mask = small.layer.weight.detach().numpy(), pruned.mask.numpy()
    assert not weight[~mask].any()
    for ours, theirs, kept in zip(weight, pruned.weight.detach().numpy(), mask, strict=True):
        assert ours[kept].mean() == pytest.approx(theirs[kept].mean(), abs=1e-6)


def test_activations_are_cut_by_the_rule():
    x = torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
    small, _ = quantize_analytically(linear(), x)
    torch.testing.assert_close(small.scale, laplace(x.reshape(1, -1), bits=4).scale)
    assert float(small.scale) * 15 < float(x.max() - x.min())


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_a_constant_weight_is_exact(value):
    layer = linear()
    layer.weight.data.fill_(value)
    coded = code_by_channel(layer, bits=2)
    torch.testing.assert_close(coded.weight, layer.weight.detach(), rtol=1e-6, atol=0)  # float32


def test_bad_values_are_named():
    layer, x = linear(), torch.ones(3, 50)
    for bits in (0, 1, 33):
        with pytest.raises(ValueError, match=rf"quantize_analytically: weight_bits .* got {bits}"):
            quantize_analytically(layer, x, weight_bits=bits)
    for bits in (0, 33):
        with pytest.raises(ValueError, match=rf"quantize_analytically: activation_b.* got {bits}"):
            quantize_analytically(layer, x, activation_bits=bits)
    with pytest.raises(ValueError, match=r"quantize_analytically: x must hold examples"):
        quantize_analytically(layer, x[:0])
    with pytest.raises(ValueError, match=r"quantize_analytically: model must hold .* layer '1' is"):
        quantize_analytically(nn.Sequential(layer, nn.Embedding(3, 4)), x)
    with pytest.raises(ValueError, match=r"allocate_bits: bits must be .* \[2, 16\], got 17"):
        allocate_bits(torch.ones(2), bits=17)
