"""Linear layers of few bits give what the layer in codes gives, whatever its codes stand for."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.models.layers.float_codes import FloatCodes
from efficientdl.models.layers.int4_linear import Int4Linear, coded_weights
from efficientdl.models.layers.masked import MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.shared_weight import SharedLinear
from efficientdl.models.layers.ternary import TwoScaleTernary
from efficientdl.protocols import Costed
from efficientdl.tensors import (
    FloatFormat,
    PerBlock,
    PerChannel,
    PerGroup,
    PerTensor,
    affine,
    choose_qparams,
    min_max,
    scalar_codebook,
    symmetric,
)

CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # float32 sums of up to 600 terms of size 1, in another order


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def linear(c_in=128, c_out=6, *, bias=True):
    layer = nn.utils.skip_init(nn.Linear, c_in, c_out, bias=bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=gen(parameter.numel()))
    return layer


def quantized(layer, bits=4, granularity=PerChannel(), rule=symmetric):
    qparams = choose_qparams(layer.weight.detach(), bits=bits, granularity=granularity, rule=rule)
    return QuantizedLinear(layer, qparams, granularity=granularity).eval()


def shared(layer, size=16):
    books = torch.linspace(-2, 2, size).reshape(1, size, 1)
    codes = torch.randint(size, (layer.weight.numel(), 1), generator=gen())
    return SharedLinear(layer, books, codes)


def ternary(layer):
    signs = torch.randint(-1, 2, layer.weight.shape, generator=gen()).float()
    return TwoScaleTernary(layer, signs, torch.tensor(0.5), torch.tensor(2.0))


KINDS = {
    "quantized": quantized,
    "three bits": lambda layer: quantized(layer, 3, rule=min_max),
    "groups": lambda layer: quantized(layer, 4, PerGroup(64), affine),
    "codebook": shared,
    "five values": lambda layer: shared(layer, 5),
    "floats": lambda layer: FloatCodes(layer, FloatFormat("FP4", 2, 1)),
    "ternary": ternary,
}
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def same(layer, x):
    ours = Int4Linear(layer)
    torch.testing.assert_close(ours.weight, layer.weight.detach(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours(x), layer(x).detach(), **CLOSE)
    return ours


@EACH
@pytest.mark.parametrize("n", [1, 3, 64], ids=["one", "rows", "unpacked"])
def test_it_gives_what_the_layer_in_codes_gives(kind, n):
    if kind is KINDS["floats"]:
        layer = linear()
        layer.weight.data.clamp_(-2, 2)
        layer.bias.data.clamp_(-2, 2)
    else:
        layer = linear()
    same(kind(layer), torch.randn(n, 128, generator=gen(1)))


@settings(deadline=None, max_examples=40, database=None)
@given(
    shape=st.tuples(st.integers(1, 70), st.integers(1, 600)),
    bits=st.integers(2, 4),
    granularity=st.sampled_from([PerTensor(), PerChannel()]),
    rule=st.sampled_from([symmetric, affine, min_max]),
    n=st.integers(0, 3),
)
def test_shapes_and_levels_of_any_kind(shape, bits, granularity, rule, n):
    layer = linear(shape[1], shape[0], bias=n > 1)
    same(quantized(layer, bits, granularity, rule), torch.randn(n, shape[1], generator=gen(2)))


@pytest.mark.parametrize("granularity", [PerGroup(64), PerGroup(128), PerBlock(1, 192)])
@pytest.mark.parametrize("rule", [symmetric, affine])
def test_groups_of_a_row(granularity, rule):
    same(quantized(linear(384), 4, granularity, rule), torch.randn(2, 384, generator=gen()))


def test_a_codebook_made_by_k_means():
    layer = linear()
    values = layer.weight.detach().flatten()
    book = scalar_codebook(values, size=16)
    codes = (values[:, None] - book.flatten()).abs().argmin(dim=1)[:, None]
    shared_layer = SharedLinear(layer, book.reshape(1, 16, 1), codes)
    same(shared_layer, torch.randn(2, 128, generator=gen()))


@pytest.mark.parametrize("shape", [(128,), (2, 3, 128), (0, 128)])
def test_batches_of_any_shape(shape):
    same(quantized(linear()), torch.randn(shape, generator=gen()))


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_what_is_not_finite_goes_through_as_it_does_there(value):
    layer, x = quantized(linear()), torch.randn(2, 128, generator=gen())
    x[0, 5] = value
    y, expected = Int4Linear(layer)(x), layer(x).detach()
    np.testing.assert_array_equal(y[0].isfinite(), expected[0].isfinite())
    torch.testing.assert_close(y[1], expected[1], **CLOSE)


def test_it_counts_the_bits_that_codes_and_scales_take():
    ours = Int4Linear(quantized(linear(256, 6), 4, PerGroup(128)))
    cost = ours.cost((3, 256))
    assert (cost.macs, cost.params) == (3 * 6 * 256, 6 * 256 + 6)
    # codes, two scales a row, 16 floats of table, six of bias
    assert cost.weight_bits == 4 * 6 * 256 + 32 * (12 + 16 + 6)
    assert cost.traffic_bytes == 4 * 3 * (256 + 6) + cost.weight_bits // 8
    assert isinstance(ours, Costed)
    assert ours.words[:-16].numel() * 32 == 4 * 6 * 256


def test_it_is_copied_saved_and_loaded():
    x = torch.randn(1, 128, generator=gen())
    ours = Int4Linear(quantized(linear()))
    other = Int4Linear(quantized(linear(bias=True), 4))
    other.scales.zero_()
    assert not other(x).equal(ours(x))
    other.load_state_dict(ours.state_dict())
    torch.testing.assert_close(other(x), ours(x), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(ours)(x), ours(x), rtol=0, atol=0)
    assert ours.to("meta")(x.to("meta")).shape == (1, 6)


def test_the_layer_stays_as_it_was_and_no_gradient_comes_back():
    layer, x = quantized(linear()), torch.randn(1, 128, generator=gen(), requires_grad=True)
    ours, before = Int4Linear(layer), layer(x).detach()
    y = ours(x)
    with torch.no_grad():
        layer.scale.zero_()
        layer.bias.zero_()
    assert not y.requires_grad
    torch.testing.assert_close(ours(x), before, **CLOSE)
    assert not list(ours.parameters())


def masked_half(layer):
    mask = torch.ones_like(layer.weight, dtype=torch.bool)
    mask[::2] = False
    return MaskedLinear(layer, mask)


UNFIT = {
    "float": linear(),
    "five bits": quantized(linear(), 5),
    "short groups": quantized(linear(), 4, PerGroup(32)),
    "tiles of two rows": quantized(linear(), 4, PerBlock(2, 64)),
    "a mask": quantized(masked_half(linear())),
    "17 values": shared(linear(), 17),
    "double": quantized(linear().double()),
    "eight-bit floats": FloatCodes(linear(), FloatFormat("FP8", 4, 3)),
    "vectors": SharedLinear(linear(), torch.zeros(1, 4, 2), torch.zeros(384, 1, dtype=torch.long)),
}


@pytest.mark.parametrize("layer", UNFIT.values(), ids=UNFIT)
def test_what_the_kernel_has_no_codes_for_is_refused(layer):
    assert coded_weights(layer) is None
    words = "Int4Linear: layer must be linear, without a mask|Type-check error"
    with pytest.raises((ValueError, TypeError), match=words):  # of ours or the shape checker's
        Int4Linear(layer)


def test_a_convolution_is_refused():
    conv = nn.utils.skip_init(nn.Conv2d, 1, 2, 3)
    conv.weight.data.normal_(generator=gen())
    qparams = choose_qparams(conv.weight.detach(), bits=4, granularity=PerChannel())
    assert coded_weights(QuantizedConv2d(conv, qparams, granularity=PerChannel())) is None
    assert coded_weights(ternary(conv)) is None


def test_a_wrong_input_or_mode_is_named():
    ours = Int4Linear(quantized(linear()))
    with pytest.raises(ValueError, match="Int4Linear: input must have 128 features last"):
        ours(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"Int4Linear: input must be torch.float32, got .*float64"):
        ours(torch.zeros(2, 128).double())
    with pytest.raises(ValueError, match="Int4Linear: mode must be evaluation"):
        ours.train()(torch.zeros(2, 128))
