"""Sparse layers give what the masked layers give, and count only what runs."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.shared_weight import shared
from efficientdl.models.layers.sparse import SparseConv2d, SparseLinear
from efficientdl.protocols import Costed
from efficientdl.tensors import PerChannel, choose_qparams, keep_n_of_m

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums of up to 100 terms in another order


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(layer):
    """The same layer with weights that do not depend on the global generator."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=gen(parameter.numel()))
    return layer.eval()


def masked(layer, share=0.3):
    mask = torch.rand(layer.weight.shape, generator=gen(1)) < share
    return (MaskedConv2d if isinstance(layer, nn.Conv2d) else MaskedLinear)(drawn(layer), mask)


def sparse(layer):
    return (SparseConv2d if isinstance(layer, nn.Conv2d) else SparseLinear)(layer)


CONVS = {
    "plain": {"kernel_size": 3},
    "pointwise": {"kernel_size": 1},
    "strided": {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
    "uneven": {"kernel_size": (2, 5), "stride": (3, 2), "padding": (0, 2)},
    "grouped": {"kernel_size": (3, 1), "groups": 2, "dilation": 2},
    "depthwise": {"kernel_size": 3, "groups": 4, "stride": 2, "dilation": (1, 2)},
    "same": {"kernel_size": (4, 3), "padding": "same"},
    "wrapped": {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
    "mirrored": {"kernel_size": 3, "padding": 1, "stride": 2, "padding_mode": "reflect"},
    "whole image": {"kernel_size": (9, 8)},
}
EACH = pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)


@EACH
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0], ids=["none kept", "some kept", "all kept"])
def test_conv_gives_what_the_masked_one_gives(options, share):
    c_out = 8 if options.get("groups") == 4 else 6
    conv = masked(nn.Conv2d(4, c_out, **options), share)
    x = torch.randn(3, 4, 9, 8, generator=gen(2))
    y = sparse(conv)(x)
    torch.testing.assert_close(y, conv(x).detach(), **CLOSE)
    assert y.is_contiguous()


@EACH
def test_the_dense_weight_can_be_looked_at(options):
    conv = masked(nn.Conv2d(4, 8, **options))
    expected = (conv.weight * conv.mask).detach()
    torch.testing.assert_close(sparse(conv).weight, expected, rtol=0, atol=0)


@settings(deadline=None, max_examples=30, database=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 3), st.integers(10, 13), st.integers(10, 13)),
)
def test_conv_of_any_geometry(kernel, stride, padding, dilation, size):
    conv = masked(nn.Conv2d(2, 3, kernel, stride, padding, dilation)).double()
    x = torch.randn(size[0], 2, *size[1:], generator=gen(2), dtype=torch.float64)
    torch.testing.assert_close(sparse(conv)(x), conv(x).detach())


@pytest.mark.parametrize("shape", [(7,), (1, 7), (5, 7), (2, 3, 7), (0, 7)])
def test_linear_gives_what_the_masked_one_gives(shape):
    linear = masked(nn.Linear(7, 5))
    x = torch.randn(shape, generator=gen(2))
    y = sparse(linear)(x)
    torch.testing.assert_close(y, linear(x).detach(), **CLOSE)
    assert y.is_contiguous()


def tall(weight):
    return torch.rand(len(weight) // 4, weight.shape[1], generator=gen()).lt(0.3).repeat(4, 1)


MASKS = {
    "any": lambda weight: torch.rand(weight.shape, generator=gen()) < 0.3,
    "4x1": lambda weight: (
        tall(weight).reshape(4, -1, weight.shape[1]).transpose(0, 1).flatten(0, 1)
    ),
    "2:4": lambda weight: keep_n_of_m(weight.abs(), n=2, m=4),
    "nothing": lambda weight: torch.zeros(weight.shape, dtype=torch.bool),
}


@pytest.mark.parametrize("n", [1, 2, 20, 100])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_linear_of_any_structure_and_batch(mask, n):
    layer = drawn(nn.Linear(256, 128))
    linear = MaskedLinear(layer, mask(layer.weight.detach()))
    x = torch.randn(n, 256, generator=gen(2))
    torch.testing.assert_close(sparse(linear)(x), linear(x).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(1, 4), (40, 3), (3, 30)], ids=["one", "small", "large"])
@pytest.mark.parametrize("stride", [1, 2])
def test_pointwise_convolutions_of_any_batch(size, stride):
    conv = masked(nn.Conv2d(96, 64, 1, stride))
    x = torch.randn(size[0], 96, size[1], size[1], generator=gen(2))
    y = sparse(conv)(x)
    torch.testing.assert_close(y, conv(x).detach(), rtol=1e-4, atol=1e-4)
    assert y.is_contiguous()


def test_filters_with_patterns_in_fours():
    layer = drawn(nn.Conv2d(16, 12, 3, padding=1))
    mask = torch.rand(3, 16, 3, 3, generator=gen()).lt(0.4).repeat_interleave(4, dim=0)
    conv = MaskedConv2d(layer, mask)
    x = torch.randn(3, 16, 9, 9, generator=gen(2))
    torch.testing.assert_close(sparse(conv)(x), conv(x).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(6, 4, 3)], ids=["linear", "conv"])
def test_a_mask_over_codes_is_as_good(layer):
    with_mask, x = masked(layer), torch.randn(2, 6, 6, 6, generator=gen(2))
    qparams = choose_qparams(layer.weight.detach(), bits=5, granularity=PerChannel())
    kind = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    books = torch.linspace(-1, 1, 8).reshape(1, 8, 1)
    codes = torch.randint(8, (layer.weight.numel(), 1), generator=gen())
    for coded in (
        kind(with_mask, qparams, granularity=PerChannel()),
        shared(with_mask, books, codes),
    ):
        coded.eval()
        ours = (SparseConv2d if isinstance(layer, nn.Conv2d) else SparseLinear)(coded)
        torch.testing.assert_close(ours(x), coded(x).detach(), **CLOSE)
        assert len(ours.values) == int(with_mask.mask.sum())


def test_columns_out_of_order_are_taken_as_they_come():
    layer = sparse(masked(nn.Linear(200, 128)))
    x = torch.randn(4, 200, generator=gen())
    before = layer(x)
    rows = torch.arange(128).repeat_interleave(layer.row_starts.diff().long())
    order = torch.argsort(1000 * rows - layer.columns)  # within each row, from the right
    layer.values.copy_(layer.values[order])
    layer.columns.copy_(layer.columns[order])
    assert not layer.matrix.packs
    torch.testing.assert_close(layer(x), before, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer", [nn.Linear(200, 128), nn.Conv2d(32, 16, 3)])
def test_what_is_written_into_the_buffers_is_what_is_multiplied(layer):
    ours = sparse(masked(layer))
    x = torch.randn(4, 200 if isinstance(layer, nn.Linear) else 32, generator=gen())
    x = x if isinstance(layer, nn.Linear) else x[:, :, None, None].expand(4, 32, 7, 7)
    ours.bias.zero_()
    before = ours(x)
    with torch.inference_mode():
        ours.values.mul_(2)
    torch.testing.assert_close(ours(x), 2 * before, rtol=1e-6, atol=0)


def test_indices_from_a_bad_file_are_refused():
    for layer, x in [
        (sparse(masked(nn.Linear(200, 128))), torch.zeros(4, 200)),
        (sparse(masked(nn.Conv2d(32, 16, 3))), torch.zeros(1, 32, 7, 7)),
        (sparse(masked(nn.Conv2d(32, 16, 1))), torch.zeros(1, 32, 7, 7)),
    ]:
        layer.columns[5] = 10**6
        with pytest.raises(ValueError, match="columns must be"):
            layer(x)


def test_one_image_without_a_batch_and_a_batch_of_none():
    conv = masked(nn.Conv2d(2, 3, 3))
    for shape in [(2, 5, 6), (0, 2, 5, 6)]:
        x = torch.randn(shape, generator=gen(2))
        torch.testing.assert_close(sparse(conv)(x), conv(x).detach(), **CLOSE)


def test_an_input_that_does_not_lie_in_order():
    conv, linear = masked(nn.Conv2d(2, 3, 3)), masked(nn.Linear(6, 4))
    x = torch.randn(4, 6, 5, 2, generator=gen(2)).permute(0, 3, 2, 1)  # channels last
    torch.testing.assert_close(sparse(conv)(x), conv(x).detach(), **CLOSE)
    torch.testing.assert_close(sparse(linear)(x), linear(x).detach(), **CLOSE)


@EACH
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_conv_counts_the_macs_that_run(options):
    c_out = 8 if options.get("groups") == 4 else 6
    conv = masked(nn.Conv2d(4, c_out, **options))
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    y = conv(x)
    kept = int(conv.mask.sum())
    cost = count(sparse(conv), x).total
    assert cost.macs == kept * 2 * y[0, 0].numel()
    assert cost.params == count(conv, x).total.params


def test_linear_counts_the_macs_that_run_and_the_bits_that_lie_in_memory():
    linear = masked(nn.Linear(7, 5))
    kept = int(linear.mask.sum())
    layer = sparse(linear)
    cost = layer.cost((3, 2, 7))
    # values and columns of 32 bits, 6 row starts, 5 floats of bias
    assert (cost.macs, cost.params) == (6 * kept, 40)
    assert cost.weight_bits == 64 * kept + 32 * (6 + 5)
    assert cost.weight_bits == layer.csr.bits + 32 * 5
    assert cost.traffic_bytes == 4 * (42 + 30) + cost.weight_bits // 8
    assert isinstance(layer, Costed)


def test_all_kept_has_the_dense_macs_and_all_dropped_none():
    conv = nn.Conv2d(4, 6, 3)
    x = torch.zeros(1, 4, 8, 8)
    assert count(sparse(masked(conv, 1.0)), x).total.macs == count(conv, x).total.macs
    assert count(sparse(masked(conv, 0.0)), x).total.macs == 0


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(6, 4, 3, 2)], ids=["linear", "conv"])
def test_on_the_meta_device_it_knows_shapes_and_costs(layer):
    ours = sparse(masked(layer))
    x = torch.zeros(2, 6, 6, 6)
    real, meta = count(ours, x), count(copy.deepcopy(ours).to("meta"), x.to("meta"))
    assert meta == real
    assert ours.to("meta")(x.to("meta")).shape == layer(x).shape


def test_it_is_copied_saved_and_loaded():
    linear = masked(nn.Linear(6, 4))
    layer = sparse(linear)
    other = sparse(linear)
    other.values.zero_()
    other.load_state_dict(layer.state_dict())
    x = torch.randn(3, 6, generator=gen())
    torch.testing.assert_close(other(x), layer(x), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(layer).double()(x.double()).float(), layer(x), **CLOSE)
    assert f"kept={int(linear.mask.sum())} of 24" in repr(layer)


def test_it_has_a_weight_of_its_own_and_nothing_to_train():
    linear = masked(nn.Linear(6, 4))
    layer = sparse(linear)
    expected = (linear.weight * linear.mask).detach()
    torch.testing.assert_close(layer.weight, expected, rtol=0, atol=0)
    before = layer(torch.ones(1, 6))
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
    torch.testing.assert_close(layer(torch.ones(1, 6)), before, rtol=0, atol=0)
    assert not list(layer.parameters())


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(6, 4, 3)], ids=["linear", "conv"])
def test_no_gradient_comes_back_and_the_input_is_left_alone(layer):
    x = torch.randn(2, 6, 6, 6, generator=gen()).requires_grad_()
    before = x.detach().clone()
    assert not sparse(masked(layer))(x).requires_grad
    np.testing.assert_array_equal(x.detach(), before)


@pytest.mark.parametrize(
    ("layer", "x", "message"),
    [
        (nn.Linear(6, 4), torch.zeros(2, 5), r"SparseLinear: input must have 6 features last"),
        (nn.Linear(6, 4), torch.zeros(2, 6).half(), r"input must be torch.float32, got .*float16"),
        (nn.Conv2d(6, 4, 3), torch.zeros(1, 5, 9, 9), r"SparseConv2d: input must be images of 6"),
        (nn.Conv2d(6, 4, 3), torch.zeros(1, 6, 2, 9), r"at least as large as the kernel, \(3, 3\)"),
    ],
)
def test_a_wrong_input_is_named(layer, x, message):
    with pytest.raises(ValueError, match=message):
        sparse(masked(layer))(x)


def test_training_and_other_dtypes_are_refused():
    layer = sparse(masked(nn.Linear(6, 4)))
    assert not layer.training
    with pytest.raises(ValueError, match=r"SparseLinear: mode must be evaluation.*model.eval\(\)"):
        layer.train()(torch.zeros(1, 6))
    with pytest.raises(ValueError, match=r"SparseLinear: the weight's dtype must be float32 or"):
        sparse(masked(nn.Linear(6, 4)).half())


def test_a_layer_without_a_mask_is_named():
    with pytest.raises(TypeError, match=r"(?s)SparseLinear.*layer.*MaskedLinear"):
        SparseLinear(nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"(?s)SparseConv2d.*layer.*MaskedConv2d"):
        SparseConv2d(nn.Conv2d(1, 1, 1))
