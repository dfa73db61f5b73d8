"""Layers as matrix products, against torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn.functional import conv2d, scaled_dot_product_attention

from efficientdl.systems.hardware.layer import Attention, Bits, Conv, Gemm, check_finite
from tests.systems.hardware.drawn import convs, gemms, operands

quick = settings(deadline=None, max_examples=50, database=None, derandomize=True)


@quick
@given(conv=convs())
def test_a_convolution_is_torchs(conv):
    x, weight = operands(conv)
    expected = conv2d(
        torch.from_numpy(x).double(),
        torch.from_numpy(weight).double(),
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
    )
    np.testing.assert_array_equal(conv.reference(x, weight), expected.numpy())
    assert conv.outputs == tuple(expected.shape[2:])
    assert conv.words.y == expected.numel()


@quick
@given(conv=convs())
def test_words_of_the_input_are_those_that_torch_looks_at(conv):
    x = torch.zeros(conv.x_shape, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(conv.weight_shape, dtype=torch.float64)
    y = conv2d(x, weight, None, conv.stride, conv.padding, conv.dilation, conv.groups)
    y.sum().backward()
    assert conv.words[:2] == (int((x.grad != 0).sum()), weight.numel())


@quick
@given(gemm=gemms(max_side=8, max_groups=3))
def test_a_product_is_numpys_group_by_group(gemm):
    x, weight = operands(gemm)
    groups = zip(x.reshape(-1, gemm.m, gemm.k), weight.reshape(-1, gemm.k, gemm.n), strict=True)
    expected = np.stack([np.einsum("mk,kn->mn", a, b) for a, b in groups])
    np.testing.assert_array_equal(gemm.reference(x, weight).reshape(expected.shape), expected)
    assert gemm.macs == expected.size * gemm.k


def test_a_depthwise_convolution_has_a_filter_for_each_channel():
    conv = Conv.depthwise(8, 6, 7, 3)
    assert (conv.outputs, conv.macs) == ((6, 7), 6 * 7 * 8 * 9)
    (gemm,) = conv.gemms()
    assert (gemm.groups, gemm.n, gemm.k) == (8, 1, 9)


def test_attentions_products_are_those_of_torch():
    layer = Attention(n_queries=3, n_keys=5, n_heads=2, head_features=4, batch=2)
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((2, 2, t, 4)) for t in (3, 5, 5))
    scores, values = layer.gemms()
    s = scores.reference(q.reshape(4, 3, 4), k.reshape(4, 5, 4).transpose(0, 2, 1)) / 2
    weights = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    y = values.reference(weights, v.reshape(4, 5, 4))
    expected = scaled_dot_product_attention(*map(torch.from_numpy, (q, k, v)))
    np.testing.assert_allclose(y, expected.reshape(4, 3, 4), rtol=1e-12)  # another order of sums
    assert layer.macs == 2 * 4 * 3 * 5 * 4


def test_sums_of_bytes_do_not_overflow():
    x = np.full((1, 9), 127, np.int8)
    assert Gemm(1, 9, 1).reference(x, x.T).item() == 9 * 127**2


def test_what_is_not_a_layer():
    with pytest.raises(ValueError, match="Gemm: k must be a whole number, 1 or more, got 0"):
        Gemm(1, 0, 1)
    with pytest.raises(ValueError, match=r"Gemm: bits.weight must be .* in \[1, 64\], got 0"):
        Gemm(1, 1, 1, bits=Bits(weight=0))
    with pytest.raises(ValueError, match="Conv: groups must divide c_out = 3, got 2"):
        Conv(4, 3, 3, 3, groups=2)
    with pytest.raises(ValueError, match=r"Conv: kernel must be a number or a pair, got \(1, 2, 3"):
        Conv(4, 3, 3, 3, kernel=(1, 2, 3))
    with pytest.raises(ValueError, match="Attention: n_heads must be a whole number, 1 or more"):
        Attention(1, 1, 0, 1)
    with pytest.raises(ValueError, match=r"f: x\[1\] must be finite, got inf"):
        check_finite("f", "x", np.array([0, np.inf]))
