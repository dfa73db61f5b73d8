"""Channels of different width: plain quantization where all are alike, storage by hand."""

import pytest
import torch
from torch import nn

from efficientdl.models import seeded
from efficientdl.models.layers.channel_bits import ChannelBitsConv2d, ChannelBitsLinear
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.tensors import PerChannel, QParams, storage_bits, symmetric

X = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def conv():
    return seeded(lambda: nn.Conv2d(2, 4, 3, padding=1), seed=0)


def by_hand(layer, bits):
    """Each channel quantized by itself, with its own bits."""
    rows = layer.weight.detach().flatten(1)
    each = [symmetric(row[None], bits=b) for row, b in zip(rows, bits, strict=True)]
    scale, zero = (torch.cat([getattr(q, name) for q in each]) for name in ("scale", "zero_point"))
    codes = [(row / q.scale + q.zero_point).round() for row, q in zip(rows, each, strict=True)]
    values = [(c - q.zero_point) * q.scale for c, q in zip(codes, each, strict=True)]
    return QParams(scale, zero, 2 ** max(bits) - 1), torch.cat(values).reshape(layer.weight.shape)


def test_with_one_width_it_is_the_quantized_layer():
    qparams = symmetric(conv().weight.flatten(1), bits=5)
    same = QuantizedConv2d(conv(), qparams, granularity=PerChannel())
    ours = ChannelBitsConv2d(conv(), qparams, bits=torch.full((4,), 5))
    torch.testing.assert_close(ours(X), same(X), rtol=0, atol=0)
    assert ours.storage().bits == same.storage().bits + 4 * 4  # and the width of each channel
    linear = seeded(lambda: nn.Linear(6, 3), seed=0)
    qparams = symmetric(linear.weight, bits=3)
    ours = ChannelBitsLinear(linear, qparams, bits=torch.full((3,), 3))
    same = QuantizedLinear(linear, qparams, granularity=PerChannel())
    torch.testing.assert_close(ours(X), same(X), rtol=0, atol=0)


def test_each_channel_is_coded_with_its_own_bits():
    bits = [2, 3, 7, 12]
    qparams, expected = by_hand(conv(), bits)
    ours = ChannelBitsConv2d(conv(), qparams, bits=torch.tensor(bits))
    torch.testing.assert_close(ours.weight, expected, rtol=0, atol=0)
    for filter_codes, n_bits in zip(ours.codes, bits, strict=True):
        assert int(filter_codes.max()) == 2**n_bits - 2 or int(filter_codes.min()) == 0
    assert ours.storage().bits == 18 * sum(bits) + 4 * (32 + 4)
    assert ours.cost((1, 2, 6, 6)).weight_bits == ours.storage().bits + 4 * 32  # biases


def test_other_values_for_the_same_codes_cost_zero_points():
    qparams, _ = by_hand(conv(), [4] * 4)
    ours = ChannelBitsConv2d(conv(), qparams, bits=torch.tensor([4] * 4))
    codes, before = ours.codes.clone(), ours.storage().bits
    ours.decode_by(qparams.scale * 2, qparams.zero_point + 1)
    torch.testing.assert_close(ours.codes, codes, rtol=0, atol=0)
    expected = (codes.float() - 8) * 2 * qparams.scale[:, :, None, None]
    torch.testing.assert_close(ours.weight, expected, rtol=1e-6, atol=1e-6)  # order of float32
    assert ours.storage().bits == before + 4 * 32


def test_pruned_channels_store_what_stays():
    linear = seeded(lambda: nn.Linear(400, 3, bias=False), seed=0)
    mask = torch.rand(3, 400, generator=torch.Generator().manual_seed(1)) > 0.95
    mask[2] = True
    bits = torch.tensor([2, 4, 6])
    qparams, _ = by_hand(linear, bits.tolist())
    ours = ChannelBitsLinear(MaskedLinear(linear, mask), qparams, bits=bits)
    assert not ours.weight[~mask].any()
    each = [storage_bits(row, value_bits=int(b)) for row, b in zip(mask, bits, strict=True)]
    assert ours.storage().bits == sum(s.bits for s in each) + 3 * 36
    assert ours.storage().form == "by channel"
    assert ours.storage().bits < 400 * 12 + 3 * 36


def test_bad_values_are_named():
    qparams, _ = by_hand(conv(), [4] * 4)
    with pytest.raises(
        ValueError, match=r"ChannelBitsConv2d: bits must have one entry for each of"
    ):
        ChannelBitsConv2d(conv(), qparams, bits=torch.tensor([4]))
    with pytest.raises(ValueError, match=r"ChannelBitsConv2d: bits must be enough for every code"):
        ChannelBitsConv2d(conv(), qparams, bits=torch.tensor([4, 4, 2, 4]))
