"""Binarized networks: every product is one of signs, and counting bits gives it too."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from efficientdl.compression.quantization.bnn import binarize_network
from efficientdl.fit import evaluate
from efficientdl.kernels.popcount import pack_signs, popcount_matmul
from efficientdl.models.layers.few_bit_input import FewBitInput
from efficientdl.models.layers.quantized import QuantizedConv2d
from tests.compression.quantization.small_mnist import TEST, X, network, training
from tests.promises.state import global_generators_untouched, untouched


def inputs_of(model, name, x):
    """What goes into a layer."""
    seen = []
    hook = model.get_submodule(name).register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    y = model.get_submodule(name).register_forward_hook(lambda _, x, y: seen.append(y))
    with torch.no_grad():
        model.eval()(x)
    hook.remove()
    y.remove()
    return seen


def test_what_layers_compute_is_what_counting_bits_gives():
    small, _ = binarize_network(network(), X)
    x, y = inputs_of(small, "conv2", X)
    assert isinstance(small.conv2, FewBitInput)
    windows = functional.unfold(x, 5, stride=2).transpose(1, 2).reshape(-1, 200)
    weight = small.conv2.layer.weight.reshape(16, 200)
    counted = popcount_matmul(pack_signs(windows.numpy()), pack_signs(weight.numpy()), 200)
    np.testing.assert_array_equal(y.permute(0, 2, 3, 1).reshape(-1, 16), counted)
    x, y = inputs_of(small, "fc", X)
    fc = small.fc.layer
    counted = popcount_matmul(pack_signs(x.numpy()), pack_signs(fc.weight.numpy()), 256)
    # the bias is a float; 1e-5 of sums of up to 256
    np.testing.assert_allclose(y, counted + fc.bias.detach().numpy(), rtol=1e-6, atol=1e-5)


def test_the_first_layer_takes_its_input_as_it_is_and_relus_become_hard_tanh():
    small, report = binarize_network(network(), X)
    assert isinstance(small.conv1, QuantizedConv2d)
    assert isinstance(small.relu1, nn.Hardtanh)
    images, y = inputs_of(small, "conv1", X)
    assert images is X
    torch.testing.assert_close(y, functional.conv2d(X, small.conv1.weight, stride=2))
    row = report.rows["conv2"]
    assert row.weight_bits == 3200 + 32
    assert row.activation_bytes == 8 * 8 * 12 * 12 // 8 + 4 * 8 * 16 * 4 * 4  # a bit in, floats out


def test_at_32_bits_nothing_is_changed():
    same, _ = binarize_network(network(), X, bits=32)
    assert isinstance(same.relu1, nn.ReLU)
    torch.testing.assert_close(same(X), network()(X), rtol=0, atol=0)


@pytest.mark.slow
def test_a_trained_network_beats_chance_by_far():
    model = network()
    with untouched(model), global_generators_untouched():
        small, _ = binarize_network(model, X, training=training())
    assert evaluate(small, TEST) > 0.5  # chance is 0.1
    assert evaluate(small, TEST) > evaluate(binarize_network(model, X).model, TEST) + 0.2


def test_a_layer_that_gets_no_negative_number_is_refused():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.second(functional.relu(self.first(x)))

    with pytest.raises(
        ValueError, match=r"binarize_network: model must hand layer 'second' numbers of both signs"
    ):
        binarize_network(Functional(), torch.randn(8, 4, generator=torch.Generator()))
