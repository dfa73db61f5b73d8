"""Which layers a call changes, what it refuses, and what it leaves alone."""

import pytest
import torch
from torch import nn

from efficientdl.compression import prune, quantize_weights
from efficientdl.compression.quantization.binaryconnect import binary_connect
from efficientdl.compression.quantization.bnn import binarize_network
from efficientdl.compression.quantization.dorefa import dorefa
from efficientdl.compression.quantization.few_bits import order_of_calls
from efficientdl.compression.quantization.half import half_precision
from efficientdl.compression.quantization.ternary import ternarize_weights
from efficientdl.compression.quantization.ttq import train_ternary
from efficientdl.compression.quantization.xnor import xnor_network
from efficientdl.models.layers.float_codes import FloatCodes
from tests.compression.quantization.small_mnist import X, network
from tests.promises.state import untouched

EVERY = [
    ternarize_weights,
    train_ternary,
    binary_connect,
    binarize_network,
    xnor_network,
    dorefa,
    half_precision,
]
BITS = {
    ternarize_weights: 2,
    train_ternary: 2,
    binary_connect: 1,
    binarize_network: 1,
    xnor_network: 1,
    half_precision: 16,
}


@pytest.mark.parametrize("method", BITS)
def test_layers_that_are_not_named_stay_as_they_are(method):
    model = network()
    with untouched(model):
        small, report = method(model, X, bits={"conv2": BITS[method]})
    assert type(small.conv1) is nn.Conv2d
    assert type(small.fc) is nn.Linear
    torch.testing.assert_close(small.conv1.weight, model.conv1.weight, rtol=0, atol=0)
    n_weights = model.conv2.weight.numel()
    assert report.rows["conv2"].weight_bits <= 16 * n_weights
    assert report.rows["fc"].weight_bits == 32 * (2560 + 10)


def test_dorefa_leaves_layers_alone_that_its_policy_does_not_name():
    small, report = dorefa(network(), X, weight_bits={"conv2": 2})
    assert type(small.fc) is nn.Linear
    assert report.rows["conv2"].weight_bits == 2 * network().conv2.weight.numel() + 32


@pytest.mark.parametrize("method", EVERY)
def test_a_weight_that_is_no_number_is_refused(method):
    model = network()
    model.conv2.weight.data[0, 0, 0, 0] = float("inf")
    with pytest.raises(ValueError, match=rf"{method.__name__}: model must hold finite weights in"):
        method(model, X)


@pytest.mark.parametrize("method", EVERY)
def test_a_layer_that_holds_codes_is_refused(method):
    once, _ = quantize_weights(network(), X, bits={"conv2": 8})
    with pytest.raises(ValueError, match=rf"{method.__name__}: model must not be quantized yet"):
        method(once, X)
    half, _ = half_precision(network(), X, bits={"conv2": 16})
    assert isinstance(half.conv2, FloatCodes)
    with pytest.raises(ValueError, match=rf"{method.__name__}: model must not be quantized yet"):
        method(half, X)


@pytest.mark.parametrize("method", EVERY[:-1])
def test_a_pruned_layer_is_refused(method):
    pruned, _ = prune(network(), X, sparsity={"fc": 0.5})
    with pytest.raises(ValueError, match=rf"{method.__name__}: model must not be pruned: in layer"):
        method(pruned, X)


@pytest.mark.parametrize("method", EVERY)
def test_a_weight_outside_of_the_layers_that_are_known_is_refused(method):
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"must hold weights in Linear and Conv2d layers alone"):
        method(model, torch.randn(2, 1, 4, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("method", BITS)
def test_bits_and_names_are_checked(method):
    name = method.__name__
    for bits in (0, 3, 33):
        with pytest.raises(ValueError, match=rf"{name}: bits must be one of .*32, got {bits}"):
            method(network(), X, bits=bits)
    with pytest.raises(ValueError, match=rf"{name}: layer named in bits must be one of conv1, co"):
        method(network(), X, bits={"body": BITS[method]})


@pytest.mark.parametrize("method", EVERY)
def test_a_layer_by_itself_and_one_that_is_used_twice(method):
    signed = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    alone, _ = method(nn.Linear(4, 3), signed)
    assert alone(signed).shape == (2, 3)
    shared = nn.Linear(4, 4)
    twice, report = method(nn.Sequential(shared, nn.Identity(), shared), signed)
    assert twice[0] is twice[2]
    assert twice(signed).isfinite().all()
    assert report.total.params == 20


@pytest.mark.parametrize("method", EVERY)
def test_weights_that_are_all_zero_stay_finite(method):
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    model[0].weight.data.zero_()
    small, _ = method(model, torch.ones(2, 4))
    assert small(torch.ones(2, 4)).isfinite().all()


def test_the_order_is_that_of_the_calls_and_not_of_the_names():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.idle, self.first = (nn.Linear(2, 2) for _ in range(3))

        def forward(self, x):
            return self.last(self.first(x))

    names = ["last", "idle", "first"]
    model = Backwards()
    with untouched(model):
        assert order_of_calls("t", model, torch.ones(1, 2), names) == ["first", "last"]
