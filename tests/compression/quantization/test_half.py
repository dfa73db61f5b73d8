"""Half precision: half the bytes, and each number what NumPy's float16 makes of it."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression import prune
from efficientdl.compression.quantization.half import half_precision
from efficientdl.costs.count import count
from efficientdl.fit import evaluate
from efficientdl.tensors import BF16
from tests.compression.quantization.small_mnist import NAMES, TEST, X, network, training


def test_it_is_half_the_bytes_and_numpys_rounding():
    model = network()
    small, report = half_precision(model, X)
    before = count(model, X)
    for name in NAMES:
        layer, old = small.get_submodule(name), model.get_submodule(name)
        expected = old.weight.detach().numpy().astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(layer.weight, expected)
        assert report.rows[name].weight_bits * 2 == before.rows[name].weight_bits
        held = sum(b.numel() * b.element_size() for b in layer.buffers())
        assert held * 2 == sum(4 * p.numel() for p in old.parameters())


def test_a_model_that_holds_half_floats_already_is_not_changed():
    model = network()
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    small, _ = half_precision(model, X)
    torch.testing.assert_close(small.eval()(X), model.eval()(X), rtol=0, atol=0)


def test_other_formats_round_as_torch_does():
    small, _ = half_precision(network(), X, formats={16: BF16})
    expected = network().conv2.weight.detach().bfloat16().float()
    torch.testing.assert_close(small.conv2.weight, expected, rtol=0, atol=0)


def test_pruned_layers_keep_their_masks_and_store_what_stays():
    pruned, before = prune(network(), X, sparsity=0.9)
    small, report = half_precision(pruned, X)
    for name in NAMES:
        zero = ~pruned.get_submodule(name).mask
        np.testing.assert_array_equal(small.get_submodule(name).weight[zero], 0)
    assert report.total.weight_bits < before.total.weight_bits
    assert report.total.weight_bits < half_precision(network(), X).report.total.weight_bits


@pytest.mark.slow
def test_a_trained_network_loses_next_to_nothing():
    trained = training().run(network()).eval()
    small, _ = half_precision(trained, X)
    assert abs(evaluate(small, TEST) - evaluate(trained, TEST)) < 0.01


def test_bad_values_are_named():
    model = network()
    model.fc.bias.data[3] = 1e6
    with pytest.raises(ValueError, match=r"FloatCodes: weights must be numbers that fp16 holds"):
        half_precision(model, X)
    with pytest.raises(ValueError, match=r"half_precision: format bf16 must have 8 bits.* got 16"):
        half_precision(network(), X, formats={8: BF16})
    with pytest.raises(ValueError, match=r"half_precision: model must have a Linear or Conv2d"):
        half_precision(nn.ReLU(), X)
