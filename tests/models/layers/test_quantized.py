"""Quantized layers equal dense ones whose weights were rounded, and cost what codes cost."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.tensors import (
    PerChannel,
    PerGroup,
    PerTensor,
    affine,
    choose_qparams,
    dequantize,
    min_max,
    quantize,
    symmetric,
)
from efficientdl.tensors.affine import as_signed
from tests.models.layers.test_masked import CONVS, drawn, gen, mask_of


def quantized(layer, bits=4, granularity=PerChannel(), rule=symmetric):
    qparams = choose_qparams(layer.weight.detach(), bits=bits, granularity=granularity, rule=rule)
    cls = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    return cls(layer, qparams, granularity=granularity)


def rounded(layer, bits=4):
    """The dense layer with its weight rounded in NumPy, symmetric per channel."""
    weight = layer.weight.detach().numpy()
    top = 2 ** (bits - 1) - 1
    scale = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True) / top
    dense = copy.deepcopy(layer)
    dense.weight.data = torch.from_numpy(np.round(weight / scale) * scale)
    return dense


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_conv_equals_a_dense_one_rounded_in_numpy(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    torch.testing.assert_close(quantized(conv)(x), rounded(conv)(x))
    assert quantized(conv).cost(tuple(x.shape)).macs == count(conv, x).total.macs


def test_linear_equals_a_dense_one_rounded_in_numpy():
    linear = drawn(nn.Linear(7, 5))
    x = torch.randn(3, 2, 7, generator=gen(2))
    torch.testing.assert_close(quantized(linear)(x), rounded(linear)(x))
    assert quantized(linear).cost((3, 2, 7)).macs == 3 * 2 * 7 * 5


@pytest.mark.parametrize("rule", [symmetric, affine])
@pytest.mark.parametrize("bits", [4, 8, 12])
def test_signed_codes_stand_for_the_same_weight(bits, rule):
    linear = drawn(nn.Linear(7, 5))
    qparams = choose_qparams(linear.weight.detach(), bits=bits, granularity=PerChannel(), rule=rule)
    unsigned = QuantizedLinear(linear, qparams, granularity=PerChannel())
    signed = QuantizedLinear(linear, as_signed(qparams), granularity=PerChannel())
    assert int(signed.codes.min()) < 0
    torch.testing.assert_close(signed.weight, unsigned.weight)
    assert signed.qparams.lowest == as_signed(qparams).lowest
    assert signed.storage() == unsigned.storage()
    again = quantize(signed.weight, signed.qparams, granularity=PerChannel())
    np.testing.assert_array_equal(again, signed.codes)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_there_are_at_most_as_many_values_as_levels(bits):
    layer = quantized(drawn(nn.Linear(400, 5)), bits=bits)
    for channel in layer.weight:
        assert len(channel.unique()) <= 2**bits - 1
    assert layer.bits == bits
    assert int(layer.codes.max()) <= 2**bits - 2


@pytest.mark.parametrize(
    ("rule", "per_scale"), [(symmetric, 32), (affine, 32 + 4), (min_max, 32 + 32)]
)
@pytest.mark.parametrize(
    ("granularity", "n_scales"), [(PerTensor(), 1), (PerChannel(), 6), (PerGroup(9), 24)]
)
def test_stored_bits_are_codes_scales_and_bias(rule, per_scale, granularity, n_scales):
    conv = drawn(nn.Conv2d(4, 6, 3))
    layer = quantized(conv, bits=4, granularity=granularity, rule=rule)
    cost = layer.cost((1, 4, 8, 8))
    assert cost.weight_bits == 6 * 4 * 9 * 4 + n_scales * per_scale + 6 * 32
    assert cost.params == 6 * 4 * 9 + 6


def test_a_pruned_layer_keeps_its_mask_and_stores_only_what_stays():
    linear = drawn(nn.Linear(64, 8))
    mask = torch.zeros(8, 64, dtype=torch.bool)
    mask[:, 0] = True
    with torch.no_grad():
        linear.weight.mul_(mask)
    for rule, per_scale in ((symmetric, 32), (min_max, 64)):
        layer = quantized(MaskedLinear(linear, mask), bits=4, rule=rule)
        np.testing.assert_array_equal(layer.weight[~mask], 0)
        assert layer.cost((1, 64)).weight_bits == 8 * (4 + 6) + 8 * per_scale + 8 * 32
    # the mask is a copy: what is done to the pruned layer later does not reach it
    mask.fill_(False)
    assert layer.mask.any()


def test_weights_are_stored_as_integers_alone():
    layer = quantized(drawn(nn.Linear(7, 5, bias=False)), bits=8)
    assert list(layer.parameters()) == []
    assert layer.codes.dtype == torch.uint8
    floats = sum(b.numel() for b in layer.buffers() if b.is_floating_point())
    assert floats == 2 * 5  # scales and zero points


def test_mode_dtype_and_gradient_flags_are_kept():
    conv = drawn(nn.Conv2d(4, 6, 3)).double().eval()
    conv.bias.requires_grad_(False)
    layer = quantized(conv)
    assert layer.weight.dtype == torch.float64
    assert not layer.training
    assert not layer.bias.requires_grad
    x = torch.randn(1, 4, 5, 5, generator=gen(), dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.autograd.grad(rounded(conv)(x).sum(), x)[0])


def test_it_is_saved_copied_and_pickled_whole():
    conv = drawn(nn.Conv2d(4, 6, 3))
    layer, other = quantized(conv), quantized(drawn(nn.Conv2d(4, 6, 3, bias=True)), bits=4)
    other.codes.zero_()
    other.load_state_dict(layer.state_dict())
    x = torch.randn(1, 4, 5, 5, generator=gen())
    for again in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(again(x), layer(x), rtol=0, atol=0)
    assert "6x4x3x3, bits=4, granularity=PerChannel()" in repr(layer)


def test_codes_are_those_of_tensors():
    linear = mask_of(nn.Linear(6, 4)).float()
    layer = nn.Linear(6, 4)
    layer.weight.data = linear
    qparams = choose_qparams(linear, bits=3, granularity=PerTensor())
    codes = quantize(linear, qparams, granularity=PerTensor())
    ours = QuantizedLinear(layer, qparams, granularity=PerTensor())
    torch.testing.assert_close(ours.codes, codes)
    torch.testing.assert_close(ours.weight, dequantize(codes, qparams, granularity=PerTensor()))


def test_groups_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"PerGroup: size must divide the number of weights = 24"):
        quantized(nn.Linear(6, 4), granularity=PerGroup(5))
