"""Layers of -W_n, 0 and +W_p equal dense ones that hold these values."""

import copy
import pickle

import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.models.layers.ternary import TwoScaleTernary
from tests.models.layers.test_masked import CONVS, drawn, gen, mask_of

UP, DOWN = torch.tensor(0.5), torch.tensor(2.0)


def signs_of(layer):
    return layer.weight.detach().sign() * mask_of(layer, share=0.6)


def dense_of(layer, signs):
    dense = copy.deepcopy(layer)
    dense.weight.data = 0.5 * (signs > 0) - 2.0 * (signs < 0)
    return dense


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_convolutions_of_all_kinds(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    signs, x = signs_of(conv), torch.randn(2, 4, 9, 8, generator=gen(2))
    ternary = TwoScaleTernary(conv, signs, UP, DOWN)
    torch.testing.assert_close(ternary(x), dense_of(conv, signs)(x), rtol=0, atol=0)
    cost = ternary.cost(tuple(x.shape))
    assert cost.macs == count(conv, x).total.macs
    bias_bits = 0 if conv.bias is None else 6 * 32
    assert cost.weight_bits == 2 * conv.weight.numel() + 2 * 32 + bias_bits


def test_linear_layers_masked_or_not():
    linear, x = drawn(nn.Linear(7, 5)), torch.randn(3, 2, 7, generator=gen(2))
    signs = signs_of(linear)
    ternary = TwoScaleTernary(linear, signs, UP, DOWN)
    torch.testing.assert_close(ternary(x), dense_of(linear, signs)(x), rtol=0, atol=0)
    masked = TwoScaleTernary(MaskedLinear(linear, signs > 0), signs, UP, DOWN)
    assert (masked.weight >= 0).all()
    assert (masked.weight > 0).any()


def test_dtype_mode_bias_and_copies():
    conv = drawn(nn.Conv2d(4, 6, 3)).double().eval()
    conv.bias.requires_grad_(False)
    ternary = TwoScaleTernary(conv, signs_of(conv), UP, DOWN)
    x = torch.randn(1, 4, 5, 5, generator=gen(), dtype=torch.float64)
    assert ternary(x).dtype == torch.float64
    assert not ternary.training
    assert not ternary.bias.requires_grad
    again = pickle.loads(pickle.dumps(ternary))
    torch.testing.assert_close(again(x), ternary(x), rtol=0, atol=0)


def test_bad_signs_are_named():
    linear = nn.Linear(2, 1)
    with pytest.raises(ValueError, match=r"TwoScaleTernary: signs must be -1, 0 or 1, got 0.5"):
        TwoScaleTernary(linear, torch.tensor([[0.5, 1.0]]), UP, DOWN)
    with pytest.raises(ValueError, match=r"signs must have the weight's shape \(1, 2\), got \(2,"):
        TwoScaleTernary(linear, torch.ones(2, 1), UP, DOWN)
