"""A layer behind a quantizer: the product of codes in integers, its cost by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models import seeded
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.tensors import PerChannel, affine, choose_qparams, quantize, symmetric


def coded(layer, bits=8):
    qparams = choose_qparams(layer.weight, bits=bits, granularity=PerChannel(), rule=symmetric)
    of = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    return of(layer, qparams, granularity=PerChannel())


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_at_sixteen_bits_it_is_nearly_the_layer():
    layer, x = seeded(lambda: nn.Linear(12, 5), seed=0), drawn(7, 12)
    small = QuantizedInput(coded(layer, 16), affine(x.reshape(1, -1), bits=16))
    # half a step of 6 / 65535 in each of 12 inputs and weights of size 0.3
    torch.testing.assert_close(small(x), layer(x), rtol=0, atol=5e-4)


def test_it_is_the_product_of_integers():
    layer, x = seeded(lambda: nn.Linear(12, 5, bias=False), seed=0), drawn(7, 12)
    levels = affine(x[:3].reshape(1, -1), bits=4)
    small = QuantizedInput(coded(layer, 4), levels)
    codes = (x.numpy() / float(levels.scale) + float(levels.zero_point)).round().clip(0, 15)
    steps = codes.astype(int) - int(levels.zero_point)
    weight = small.layer.codes.numpy().astype(int) - 7
    sums = steps @ weight.T
    expected = sums * float(levels.scale) * small.layer.scale.numpy().T
    np.testing.assert_allclose(small(x).detach(), expected, atol=1e-5)  # float32 sums


def test_the_gradient_goes_through_to_what_comes_before():
    x = drawn(3, 2, 6, 6).requires_grad_()
    layer = seeded(lambda: nn.Conv2d(2, 4, 3, padding=1), seed=0)
    small = QuantizedInput(coded(layer), affine(x.detach().reshape(1, -1), bits=8))
    (gradient,) = torch.autograd.grad(small(x).sum(), x)
    straight = nn.functional.conv_transpose2d(torch.ones(3, 4, 6, 6), small.layer.weight, padding=1)
    torch.testing.assert_close(gradient, straight, rtol=1e-5, atol=1e-5)  # float32 sums


@pytest.mark.parametrize("bits", [1, 4, 8, 16])
def test_the_cost_is_codes_in_and_floats_out(bits):
    layer, x = seeded(lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1), seed=0), drawn(3, 2, 7, 5)
    small = QuantizedInput(coded(layer), affine(x.reshape(1, -1), bits=bits))
    row = count(nn.Sequential(small), x).rows["0"]
    n_in, n_out = 3 * 2 * 7 * 5, 3 * 4 * 4 * 3
    weight_bits = 4 * 18 * 8 + 4 * 32 + 4 * 32  # codes, scales, biases
    assert row.activation_bytes == -(-n_in * bits // 8) + 4 * n_out
    assert row.weight_bits == weight_bits
    assert row.traffic_bytes == row.activation_bytes + weight_bits // 8
    assert row.macs == n_out * 18
    linear = seeded(lambda: nn.Linear(10, 3), seed=0)
    flat = QuantizedInput(coded(linear), affine(torch.ones(1, 4), bits=bits))
    assert flat.cost((2, 5, 10)).activation_bytes == -(-100 * bits // 8) + 4 * 30


def test_codes_by_name():
    x = drawn(2, 4)
    small = QuantizedInput(coded(seeded(lambda: nn.Linear(4, 2), seed=0)), affine(x[:1], bits=5))
    assert small.bits == 5
    codes = quantize(x, small.qparams, granularity=PerChannel())
    assert int(codes.max()) <= 31


def test_bad_values_are_named():
    layer = seeded(lambda: nn.Linear(4, 2), seed=0)
    with pytest.raises(
        TypeError, match=r"QuantizedInput: layer must be a QuantizedLinear or Qua|'layer'"
    ):
        QuantizedInput(layer, affine(torch.ones(1, 4), bits=8))
    with pytest.raises(
        ValueError, match=r"QuantizedInput: qparams must have one scale .* \(2, 1\)"
    ):
        QuantizedInput(coded(layer), affine(torch.ones(2, 4), bits=8))
