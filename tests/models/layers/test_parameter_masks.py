"""Masks beside the weights that they are for."""

import pytest
import torch
from torch import nn

from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.masked_attention import MaskedMultiheadAttention
from efficientdl.models.layers.masked_recurrent import MaskedGRU
from efficientdl.models.layers.parameter_masks import (
    masked,
    masks_of_parameters,
    stored_bits,
    zero_dropped,
)
from efficientdl.tensors import storage_bits


def half(parameter):
    mask = torch.zeros(parameter.shape, dtype=torch.bool)
    mask.view(-1)[::2] = True
    return mask


def masks_for(layer):
    return {name: half(p) for name, p in layer.named_parameters() if p.ndim == 2}


def test_masks_come_back_by_the_names_of_their_weights():
    for layer, form in (
        (nn.GRU(3, 4), MaskedGRU),
        (nn.MultiheadAttention(4, 2), MaskedMultiheadAttention),
    ):
        masks = masks_for(layer)
        torch.testing.assert_close(masks_of_parameters(form(layer, masks)), masks)


def test_storage_is_that_of_each_mask_and_of_what_has_none():
    layer = nn.GRU(3, 4)
    masks = {"weight_hh_l0": half(layer.weight_hh_l0)}
    dense = 32 * (12 * 3 + 2 * 12)
    bits = dense + storage_bits(masks["weight_hh_l0"], value_bits=32).bits
    assert stored_bits(MaskedGRU(layer, masks)) == bits


def test_a_masked_parameter_is_the_product():
    layer = nn.MultiheadAttention(4, 2)
    attention = MaskedMultiheadAttention(layer, masks_for(layer))
    expected = layer.out_proj.weight * half(layer.out_proj.weight)
    torch.testing.assert_close(masked(attention, "out_proj.weight"), expected, rtol=0, atol=0)
    assert masked(attention, "q_proj_weight") is None
    assert masked(attention, "in_proj_bias") is layer.in_proj_bias


def test_dropped_weights_of_all_layers_become_zero():
    model = nn.ModuleDict({
        "gru": MaskedGRU(gru := nn.GRU(3, 4), masks_for(gru)),
        "attention": MaskedMultiheadAttention(
            attention := nn.MultiheadAttention(4, 2), masks_for(attention)
        ),
        "linear": MaskedLinear(linear := nn.Linear(3, 4), half(linear.weight)),
        "conv": MaskedConv2d(conv := nn.Conv2d(3, 4, 3), half(conv.weight)),
        "dense": nn.Linear(3, 4),
    })
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    zero_dropped(model)
    for name, p in model.named_parameters():
        kept = half(p) if p.ndim > 1 and not name.startswith("dense") else torch.ones_like(p)
        torch.testing.assert_close(p.detach(), before[name] * kept, rtol=0, atol=0)


def test_bad_masks_are_named():
    gru = nn.GRU(3, 4)
    with pytest.raises(
        ValueError, match=r"MaskedGRU: weight named in masks must be one of weight_ih_l0, weight_hh"
    ):
        MaskedGRU(gru, {"weight_hh_l1": torch.ones(12, 4, dtype=torch.bool)})
    with pytest.raises(
        ValueError,
        match=r"MaskedGRU: mask of 'weight_hh_l0' must have the weight's shape \(12, 4\)",
    ):
        MaskedGRU(gru, {"weight_hh_l0": torch.ones(4, 12, dtype=torch.bool)})
