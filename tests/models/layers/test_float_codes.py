"""Layers of few-bit floats against NumPy's and torch's own half floats."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.coded import Coded
from efficientdl.models.layers.float_codes import FloatCodes
from efficientdl.models.layers.masked import MaskedConv2d
from efficientdl.tensors import BF16, FP8_E4M3, FP16, TF32
from tests.models.layers.test_masked import CONVS, drawn, gen, mask_of


def rounded(layer, dtype=torch.float16):
    """The layer with torch's own rounding."""
    dense = copy.deepcopy(layer)
    for parameter in dense.parameters():
        parameter.data = parameter.data.to(dtype).to(parameter.dtype)
    return dense


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_convolutions_of_all_kinds(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    coded = FloatCodes(conv, FP16)
    torch.testing.assert_close(coded(x), rounded(conv)(x), rtol=0, atol=0)
    cost = coded.cost(tuple(x.shape))
    assert cost.macs == count(conv, x).total.macs
    assert cost.weight_bits * 2 == count(conv, x).total.weight_bits


@pytest.mark.parametrize(
    ("number_format", "dtype", "n_bytes"),
    [(FP16, torch.float16, 2), (BF16, torch.bfloat16, 2), (FP8_E4M3, torch.float8_e4m3fn, 1)],
    ids=lambda value: getattr(value, "name", None),
)
def test_linear_layers_in_the_formats_that_torch_has(number_format, dtype, n_bytes):
    linear, x = drawn(nn.Linear(7, 5)), torch.randn(3, 2, 7, generator=gen(2))
    coded = FloatCodes(linear, number_format)
    torch.testing.assert_close(coded(x), rounded(linear, dtype)(x), rtol=0, atol=0)
    held = sum(b.numel() * b.element_size() for b in coded.buffers())
    assert held == (7 * 5 + 5) * n_bytes
    assert list(coded.parameters()) == []


def test_a_float_that_the_format_holds_is_kept_exactly():
    linear = rounded(drawn(nn.Linear(7, 5)))
    torch.testing.assert_close(FloatCodes(linear, FP16).weight, linear.weight.data, rtol=0, atol=0)
    wide = FloatCodes(drawn(nn.Linear(7, 5)).double(), TF32)
    assert wide.weight.dtype == torch.float64
    assert wide.codes.dtype == torch.int32  # 19 bits


def test_a_masked_layer_stores_what_stays():
    conv = drawn(nn.Conv2d(4, 6, 3))
    mask = mask_of(conv, share=0.1)
    coded = FloatCodes(MaskedConv2d(conv, mask), FP16)
    np.testing.assert_array_equal(coded.weight[~mask], 0)
    kept = coded.storage()
    assert kept.bits < 16 * mask.numel()
    assert kept.bits - kept.index_bits >= 16 * int(mask.sum())


def test_it_is_saved_copied_and_pickled_whole():
    coded, other = FloatCodes(drawn(nn.Conv2d(4, 6, 3)), FP16), FloatCodes(nn.Conv2d(4, 6, 3), FP16)
    other.load_state_dict(coded.state_dict())
    x = torch.randn(1, 4, 5, 5, generator=gen())
    for again in (other, copy.deepcopy(coded), pickle.loads(pickle.dumps(coded))):
        torch.testing.assert_close(again(x), coded(x), rtol=0, atol=0)
    assert repr(coded) == "FloatCodes(6x4x3x3, bits=16)"
    assert not any(isinstance(m, nn.Conv2d) for m in coded.modules())


def test_bad_values_are_named():
    linear = nn.Linear(2, 1)
    linear.weight.data[0, 1] = 65520.0  # halfway to what would be the next half float
    with pytest.raises(ValueError, match=r"weights must be numbers that fp16 holds.* got 65520.0"):
        FloatCodes(linear, FP16)
    linear.weight.data[0, 1] = 65519.0
    assert FloatCodes(linear, FP16).weight[0, 1] == 65504
    linear.bias.data[0] = float("nan")
    with pytest.raises(ValueError, match=r"FloatCodes: weights must be numbers .* got nan"):
        FloatCodes(linear, FP16)
    with pytest.raises(ValueError, match=r"that fp8 e4m3 holds, up to 448, got 1000.0"):
        FloatCodes(nn.Linear(1, 1).requires_grad_(False).apply(_fill), FP8_E4M3)
    with pytest.raises(TypeError, match=r"FloatCodes: layer must be a Linear or Conv2d|'layer'"):
        FloatCodes(nn.ReLU(), FP16)
    with pytest.raises(TypeError, match=r"number_format must be a FloatFormat|'number_format'"):
        FloatCodes(nn.Linear(1, 1), 16)


def _fill(layer):
    layer.weight.fill_(1000.0)


def test_what_a_kind_must_say_has_no_default():
    bare = Coded(nn.Linear(2, 1))
    for ask in (lambda: bare.bits, lambda: bare.side_bits, bare.decoded, bare.bias_bits):
        with pytest.raises(NotImplementedError):
            ask()
