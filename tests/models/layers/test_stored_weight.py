"""The shared cost rule against hand counts."""

import torch

from efficientdl.models.layers.stored_weight import bits_of, dense_kernel_cost
from efficientdl.report import Cost


def test_a_convolution_by_hand():
    """8 outputs of 5 x 5 pixels from 3 channels, 3 x 3: 25 * 8 * 27 MACs, 216 + 8 parameters."""
    cost = dense_kernel_cost(
        (1, 8, 5, 5), weight_shape=(8, 3, 3, 3), weight_bits=100, bias_bits=256
    )
    assert cost == Cost(params=224, macs=5400, weight_bits=356)


def test_no_bias_adds_nothing():
    cost = dense_kernel_cost((2, 4), weight_shape=(4, 8), weight_bits=7, bias_bits=0)
    assert cost == Cost(params=32, macs=64, weight_bits=7)


def test_bits_of_a_tensor_as_it_is():
    assert bits_of(None) == 0
    assert bits_of(torch.zeros(3, 5)) == 15 * 32
    assert bits_of(torch.zeros(3, dtype=torch.float16)) == 48
