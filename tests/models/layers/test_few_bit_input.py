"""Layers behind signs and levels, and XNOR's map, against loops in NumPy."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.few_bit_input import FewBitInput, Signs, UnitLevels, Xnor
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.tensors import PerChannel, choose_qparams
from tests.models.layers.test_masked import CONVS, drawn, gen


def coded(layer):
    qparams = choose_qparams(layer.weight.detach(), bits=4, granularity=PerChannel())
    kind = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    return kind(layer, qparams, granularity=PerChannel())


def forms(layer):
    return layer, Reweighted(layer, nn.Identity()), coded(layer)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_the_layer_sees_the_rounded_input(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    sign = torch.from_numpy(np.where(x.numpy() >= 0, 1, -1)).float()
    levels = torch.from_numpy(np.round(3 * np.clip(x.numpy(), 0, 1)) / 3)
    for layer in forms(conv):
        torch.testing.assert_close(FewBitInput(layer, Signs())(x), layer(sign), rtol=0, atol=0)
        # 1e-6 and 1e-5: the rounding of x may differ in the last place of a float
        torch.testing.assert_close(FewBitInput(layer, UnitLevels(2))(x), layer(levels))


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_the_cost_is_the_layers_with_the_input_in_packed_codes(options):
    conv, x = drawn(nn.Conv2d(4, 6, **options)), torch.randn(2, 4, 9, 8, generator=gen(2))
    n_in, n_out = x.numel(), conv(x).numel()
    for layer in forms(conv):
        cost = FewBitInput(layer, UnitLevels(2)).cost(tuple(x.shape))
        expected = count(conv if isinstance(layer, Reweighted) else layer, x).total
        assert (cost.macs, cost.params) == (expected.macs, expected.params)
        assert cost.weight_bits == expected.weight_bits
        assert cost.activation_bytes == n_in * 2 // 8 + 4 * n_out
        assert cost.traffic_bytes == cost.activation_bytes + -(-cost.weight_bits // 8)
        assert Xnor(layer).cost(tuple(x.shape)).macs == expected.macs


def by_loops(conv, x):
    """`K` as the paper says it: mean magnitude over channels, then over each window."""
    padded = np.pad(np.abs(x), [(0, 0), (0, 0), (1, 1), (1, 1)])
    n, groups, (r, s) = len(x), conv.groups, conv.kernel_size
    per = x.shape[1] // groups
    p, q = ((side + 2 - k) // 2 + 1 for side, k in zip(x.shape[2:], (r, s), strict=True))
    sizes = np.zeros((n, conv.out_channels, p, q))
    for c in range(conv.out_channels):
        first = c // (conv.out_channels // groups) * per
        for i in range(p):
            for j in range(q):
                window = padded[:, first : first + per, 2 * i : 2 * i + r, 2 * j : 2 * j + s]
                sizes[:, c, i, j] = window.mean(axis=(1, 2, 3))
    return sizes


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_map_of_a_convolution_is_the_papers(groups):
    conv = drawn(nn.Conv2d(4, 8, (3, 2), stride=2, padding=1, groups=groups))
    x = torch.randn(2, 4, 7, 6, generator=gen(2))
    plain = copy.deepcopy(conv)
    plain.bias = None
    sign = torch.where(x >= 0, 1.0, -1.0)
    sizes = torch.from_numpy(by_loops(conv, x.numpy())).float()
    expected = plain(sign) * sizes + conv.bias[:, None, None]
    for layer in forms(conv)[:2]:
        # float32 sums in another order
        torch.testing.assert_close(Xnor(layer)(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_an_input_of_signs_has_a_map_of_ones_where_nothing_is_padded(options):
    """The identity: what holds signs alone already is not changed."""
    conv = drawn(nn.Conv2d(4, 6, **options))
    sign = torch.where(torch.randn(2, 4, 9, 8, generator=gen(2)) >= 0, 1.0, -1.0)
    inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    for layer in forms(conv):
        torch.testing.assert_close(Xnor(layer)(sign)[inside], layer(sign)[inside])


def test_the_map_of_a_linear_layer_is_a_number_for_each_row():
    linear, x = drawn(nn.Linear(7, 5)), torch.randn(3, 2, 7, generator=gen(2))
    size = np.abs(x.numpy()).mean(axis=-1, keepdims=True)
    signs = np.where(x.numpy() >= 0, 1, -1)
    weight, bias = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    for layer in forms(linear)[:2]:
        np.testing.assert_allclose(
            Xnor(layer)(x).detach(), (signs @ weight.T) * size + bias, atol=1e-5
        )
    assert FewBitInput(coded(linear), Signs()).cost((3, 2, 7)).macs == 3 * 2 * 7 * 5


def test_no_factor_for_the_signs_of_a_row_is_nearer():
    """XNOR's approximation of a product's input: beta is the best of brute force."""
    x = torch.randn(50, generator=gen(3), dtype=torch.float64)
    layer = nn.Linear(50, 1, bias=False).double()
    beta = float(Xnor(layer).sizes(x))
    sign = torch.where(x >= 0, 1.0, -1.0)
    errors = [float((x - b * sign).square().sum()) for b in (beta, *np.linspace(0, 3, 301))]
    assert errors[0] == min(errors)


def test_modes_are_the_layers_and_bad_bits_are_named():
    linear = nn.Linear(2, 2).eval()
    assert not any(m.training for m in FewBitInput(linear, Signs()).modules())
    assert not any(m.training for m in Xnor(linear).modules())
    with pytest.raises(ValueError, match=r"UnitLevels: bits must be .* \[1, 16\], got 33"):
        UnitLevels(33)
