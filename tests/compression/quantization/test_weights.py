"""Linear quantization of weights: levels counted, eq. 2 in NumPy, its gradient, its storage."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression import prune, quantize_weights
from efficientdl.costs.count import count
from efficientdl.tensors import PerGroup, PerTensor, fake_quantize, min_max
from tests.compression.pruning.test_prune import X, network

N = {"0": (8, 27), "4": (10, 8)}  # channels, weights of each


def equation_2(weight, n_levels):
    """The survey's equation 2 over a whole tensor, in NumPy."""
    low, high = weight.min(), weight.max()
    step = (high - low) / (n_levels - 1)
    return np.round((np.clip(weight, low, high) - low) / step) * step + low


@settings(deadline=None, max_examples=15)
@given(bits=st.integers(1, 12))
def test_the_surveys_range_gives_equation_2(bits):
    quantized, _ = quantize_weights(network(), X, bits=bits, granularity=PerTensor(), rule=min_max)
    for name in N:
        before = network().get_submodule(name).weight.detach().numpy()
        after = quantized.get_submodule(name).weight
        # 1e-5 of weights of size 3: float32 sums in another order
        np.testing.assert_allclose(after, equation_2(before, 2**bits), atol=1e-5)
        assert len(after.unique()) <= 2**bits


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_all_levels_are_there_and_no_more(bits):
    linear = nn.Linear(1000, 2)
    linear.weight.data = torch.linspace(-1, 1, 2000).reshape(2, 1000)
    symmetric, _ = quantize_weights(
        linear, torch.zeros(1, 1000), bits=bits, granularity=PerTensor()
    )
    full, _ = quantize_weights(
        linear, torch.zeros(1, 1000), bits=bits, granularity=PerTensor(), rule=min_max
    )
    assert len(symmetric.codes.unique()) == 2**bits - 1
    assert len(full.codes.unique()) == 2**bits
    # equally spaced
    np.testing.assert_allclose(np.diff(full.weight.unique()), 2 / (2**bits - 1), rtol=1e-5)


def test_the_straight_through_gradient_is_that_of_equation_2():
    """Training through what `quantize_weights` does: the gradient of round is taken to be one."""
    weight = network()[4].weight.detach().double().requires_grad_()
    low, high = -0.5, 1.0
    upstream = torch.randn(10, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (fake_quantize(weight, low=low, high=high, n_levels=16) * upstream).sum().backward()
    inside = (weight.detach() >= low) & (weight.detach() <= high)
    assert inside.any()
    assert not inside.all()
    # 1e-15: the gradient is divided by the step and multiplied by it again
    np.testing.assert_allclose(weight.grad, upstream.numpy() * inside.numpy(), atol=1e-15)


def test_finer_groups_and_more_bits_are_nearer():
    def error(**options):
        quantized, _ = quantize_weights(network(), X, **options)
        return float((quantized[0].weight - network()[0].weight).detach().norm())

    assert error(bits=4) < error(bits=3) < error(bits=2)
    assert (
        error(bits=3, granularity=PerGroup(4))
        < error(bits=3)
        < error(bits=3, granularity=PerTensor())
    )


def test_the_report_is_codes_scales_and_biases():
    quantized, report = quantize_weights(network(), X, bits=4)
    for name, (channels, size) in N.items():
        bits = channels * size * 4 + channels * 32 + channels * 32
        assert report.rows[name].weight_bits == bits
    assert report == count(quantized, X)
    assert report.total.macs == count(network(), X).total.macs


def test_pruned_then_quantized_stores_indices_and_the_codes_that_stay():
    pruned, sparse = prune(network(), X, sparsity=0.9)
    both, report = quantize_weights(pruned, X, bits=4)
    for name, (channels, size) in N.items():
        before, after = pruned.get_submodule(name), both.get_submodule(name)
        np.testing.assert_array_equal(after.weight[before.weight == 0], 0)
        kept = channels * size - round(0.9 * channels * size)
        storage = after.storage()
        scales = channels * 32
        if storage.form != "relative index":
            assert storage.bits == 4 * kept + storage.index_bits + scales
        assert storage.bits >= 4 * kept + storage.index_bits + scales
        assert report.rows[name].weight_bits == storage.bits + channels * 32
    assert report.total.weight_bits < sparse.total.weight_bits
    alone = quantize_weights(network(), X, bits=4).report
    assert report.total.weight_bits < alone.total.weight_bits


def test_bits_by_layer_and_layers_left_alone():
    mixed, report = quantize_weights(network(), X, bits={"0": 2})
    assert mixed[0].bits == 2
    assert type(mixed[4]) is nn.Linear
    full, _ = quantize_weights(mixed, X, bits={"4": 8})
    assert (full[0].bits, full[4].bits) == (2, 8)
    assert report.rows["4"] == count(network(), X).rows["4"]


def test_the_model_given_stays_as_it_was():
    model = network()
    state, layers = copy.deepcopy(model.state_dict()), list(model)
    quantize_weights(model, X, bits=2)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert list(model) == layers


def test_a_channel_of_zeros_stays_zeros():
    model = network()
    model[0].weight.data[3] = 0
    quantized, _ = quantize_weights(model, X, bits=4)
    np.testing.assert_array_equal(quantized[0].weight[3], 0)
    assert quantized(X).isfinite().all()


def test_bad_values_are_named():
    model = network()
    with pytest.raises(ValueError, match=r"quantize_weights: bits must be a .* \[1, 16\], got 17"):
        quantize_weights(model, X, bits=17)
    with pytest.raises(ValueError, match=r"symmetric: bits must be a .* in \[2, 16\], got 1"):
        quantize_weights(model, X, bits=1)
    with pytest.raises(
        ValueError, match=r"quantize_weights: layer named in bits must be one of 0, 4"
    ):
        quantize_weights(model, X, bits={"2": 4})
    with pytest.raises(
        TypeError, match=r"bits must be a whole number in \[1, 16\], got 2.5|'bits'"
    ):
        quantize_weights(model, X, bits=2.5)
    once, _ = quantize_weights(model, X, bits=8)
    with pytest.raises(ValueError, match=r"quantize_weights: model must not be quantized yet: lay"):
        quantize_weights(once, X, bits=4)
    with pytest.raises(ValueError, match=r"quantize_weights: model must have a Linear or Conv2d"):
        quantize_weights(nn.Sequential(nn.ReLU()), X, bits=4)
