"""Layers on the int8 kernels against the quantized layers that they stand for."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from efficientdl.costs.count import count
from efficientdl.models.layers.int8 import Int8Conv2d, Int8Linear
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.tensors import (
    PerChannel,
    PerGroup,
    PerTensor,
    affine,
    choose_qparams,
    min_max,
    symmetric,
)

CONVS = {
    "plain": {"kernel_size": 3},
    "strided and padded": {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 2)},
    "same, even kernel": {"kernel_size": 2, "dilation": 2, "padding": "same"},
    "one side more": {"kernel_size": (4, 3), "padding": "same"},
    "reflected": {"kernel_size": 3, "padding": (2, 1), "padding_mode": "reflect"},
    "grouped": {"kernel_size": 3, "groups": 4, "padding": 1},
    "depthwise": {"kernel_size": 3, "groups": 8, "padding": 1},
    "pointwise, no bias": {"kernel_size": 1, "bias": False},
}
WEIGHTS = {
    "a scale each": (PerChannel(), symmetric, 8),
    "zero points": (PerTensor(), affine, 8),
    "three bits": (PerChannel(), affine, 3),
}


def gen(seed):
    return torch.Generator().manual_seed(seed)


def made(kind, *sizes, seed=0, **options):
    layer = nn.utils.skip_init(kind, *sizes, **options).eval()
    for parameter in layer.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=gen(seed)) / 3)
    return layer


def coded(layer, how="a scale each"):
    granularity, rule, bits = WEIGHTS[how]
    weight = layer.weight.detach()
    qparams = choose_qparams(weight, bits=bits, granularity=granularity, rule=rule)
    kind = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    return kind(layer, qparams, granularity=granularity)


def pictures(*shape, seed=1):
    return torch.randn(shape, generator=gen(seed)) + 0.3


def by_rows(x):
    """Each example as the bytes that it becomes: 255 steps between its ends, zero among them."""
    flat = x.flatten(1)
    low, high = flat.amin(1).clamp(max=0), flat.amax(1).clamp(min=0)
    scale = (high - low) / 255
    zero = (-low / scale).round()
    ones = (-1, *(1,) * (x.ndim - 1))
    scale, zero = scale.reshape(ones), zero.reshape(ones)
    return ((x / scale).round() + zero).clamp(0, 255).sub(zero) * scale


def assert_near(ours, theirs):
    """Equal but for float32: some hundred terms in another order."""
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=2e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("how", WEIGHTS)
@pytest.mark.parametrize("case", CONVS)
def test_with_scales_chosen_beforehand_it_is_the_layer_that_it_stands_for(case, how):
    x = pictures(3, 8, 9, 7)
    layer = coded(made(nn.Conv2d, 8, 16, **CONVS[case]), how)
    small = QuantizedInput(layer, affine(x.reshape(1, -1), bits=8))
    ours = Int8Conv2d(small)
    assert_near(ours(x), small(x))
    torch.testing.assert_close(ours.weight, layer.weight)
    lying = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours(lying), ours(x), rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("case", CONVS)
def test_with_scales_of_each_picture_it_is_the_layer_on_bytes(case):
    x = pictures(3, 8, 9, 7) * torch.tensor([1.0, 10.0, 0.1])[:, None, None, None]
    layer = coded(made(nn.Conv2d, 8, 16, **CONVS[case]))
    y = Int8Conv2d(layer)(x)
    wanted = layer(by_rows(x)).detach()
    # a tie may be rounded the other way, since a scale is multiplied by here and divided by there
    assert float((y - wanted).norm() / wanted.norm()) < 1e-3
    alone = torch.cat([Int8Conv2d(layer)(one[None]) for one in x])
    torch.testing.assert_close(alone, y, rtol=0, atol=0)


@pytest.mark.parametrize("how", WEIGHTS)
def test_a_linear_layer(how):
    x = pictures(4, 5, 30)
    layer = coded(made(nn.Linear, 30, 7), how)
    small = QuantizedInput(layer, affine(x.reshape(1, -1), bits=8))
    assert_near(Int8Linear(small)(x), small(x))
    wanted = layer(by_rows(x.flatten(0, 1)).reshape(x.shape)).detach()
    apart = (Int8Linear(layer)(x) - wanted).norm() / wanted.norm()
    assert float(apart) < 1e-3  # as above


def test_of_a_float_layer_it_errs_by_a_bit_in_eight():
    conv, linear = made(nn.Conv2d, 8, 16, 3), made(nn.Linear, 30, 7)
    for layer, ours, x in (
        (conv, Int8Conv2d.of(conv), pictures(2, 8, 9, 7)),
        (linear, Int8Linear.of(linear), pictures(6, 30)),
    ):
        y = layer(x).detach()
        assert 0 < float((ours(x) - y).norm() / y.norm()) < 0.02


def test_what_a_mask_drops_is_nothing():
    weight = made(nn.Conv2d, 4, 6, 3).weight.detach()
    mask = torch.rand(weight.shape, generator=gen(3)) < 0.5
    masked = MaskedConv2d(made(nn.Conv2d, 4, 6, 3), mask).eval()
    x = pictures(2, 4, 6, 6)
    layer = coded(masked, "zero points")
    np.testing.assert_array_equal(Int8Conv2d(layer).weight[~mask], 0)
    small = QuantizedInput(layer, affine(x.reshape(1, -1), bits=8))
    assert_near(Int8Conv2d(small)(x), small(x))
    linear = MaskedLinear(made(nn.Linear, 9, 5), torch.rand(5, 9, generator=gen(4)) < 0.5)
    assert_near(Int8Linear(coded(linear)).weight, coded(linear).weight)


def test_a_batch_may_have_other_axes_or_none():
    layer = Int8Conv2d(coded(made(nn.Conv2d, 8, 16, 3)))
    x = pictures(2, 8, 9, 7)
    torch.testing.assert_close(layer(x[0]), layer(x)[0], rtol=0, atol=0)
    assert layer(x[:0]).shape == (0, 16, 7, 5)
    linear = Int8Linear(coded(made(nn.Linear, 30, 7)))
    assert linear(pictures(30)).shape == (7,)
    assert linear(torch.zeros(2, 0, 30)).shape == (2, 0, 7)


def layers():
    x = pictures(2, 8, 9, 7)
    for kind, ours, sizes, given in (
        (nn.Conv2d, Int8Conv2d, (8, 16, 3), x),
        (nn.Linear, Int8Linear, (7, 5), x),
    ):
        for seed in (0, 5):
            layer = coded(made(kind, *sizes, seed=seed), "zero points")
            small = QuantizedInput(layer, affine(given.reshape(1, -1) * (seed + 1), bits=7))
            yield ours, layer, small, given


def test_it_is_copied_pickled_and_loaded_whole():
    found = list(layers())
    for (ours, *one, x), (_, *other, _) in (found[:2], found[2:]):
        for mine, others in zip(map(ours, one), map(ours, other), strict=True):
            before = others(x)
            others.load_state_dict(mine.state_dict())
            assert float((before - mine(x)).abs().max()) > 0.1, "the two were alike"
            for again in (others, copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
                torch.testing.assert_close(again(x), mine(x), rtol=0, atol=0)


def test_a_weight_that_is_written_to_is_packed_anew():
    ours, layer, _, x = next(layers())
    small = ours(layer)
    y = small(x)
    with torch.no_grad():
        small.scale.mul_(2)
        small.bias.mul_(2)
    torch.testing.assert_close(small(x), 2 * y)


def test_cost_and_shapes():
    conv, x = made(nn.Conv2d, 8, 16, **CONVS["grouped"]), pictures(3, 8, 9, 7)
    dense = count(conv, x).total
    cost = Int8Conv2d(coded(conv)).cost(tuple(x.shape))
    assert (cost.macs, cost.params) == (dense.macs, dense.params)
    weight_bits = 8 * conv.weight.numel() + 16 * (32 + 32)
    assert cost.weight_bits == weight_bits
    floats = x.numel() + conv(x).numel()
    assert cost.traffic_bytes == 4 * floats + weight_bits // 8
    three = Int8Linear(coded(made(nn.Linear, 30, 7), "three bits")).cost((2, 30))
    assert (three.macs, three.weight_bits) == (420, 3 * 210 + 7 * (32 + 3 + 32))
    for _, layer, _, given in layers():
        kind = Int8Conv2d if isinstance(layer, QuantizedConv2d) else Int8Linear
        on_meta = copy.deepcopy(kind(layer)).to("meta")(given.to("meta"))
        assert on_meta.shape == layer(given).shape


def test_the_layer_that_it_was_made_of_stays_as_it_was():
    for ours, layer, small, x in layers():
        before = {name: value.clone() for name, value in small.state_dict().items()}
        ours(small)(x)
        for name, value in small.state_dict().items():
            torch.testing.assert_close(value, before[name], rtol=0, atol=0)
        torch.testing.assert_close(layer(x), functional_of(layer, x))


def functional_of(layer, x):
    if isinstance(layer, QuantizedLinear):
        return functional.linear(x, layer.weight, layer.bias)
    return functional.conv2d(x, layer.weight, layer.bias)


def test_layers_that_do_not_fit_are_named():
    conv, linear = made(nn.Conv2d, 8, 16, 3), made(nn.Linear, 8, 4)
    with pytest.raises(TypeError, match=r"(?s)Int8Conv2d.*layer.*QuantizedConv2d"):
        Int8Conv2d(conv)
    with pytest.raises(TypeError, match=r"(?s)Int8Linear.*layer.*QuantizedLinear"):
        Int8Linear(coded(conv))
    weight = linear.weight.detach()

    def layer(granularity, **options):
        qparams = choose_qparams(weight, granularity=granularity, **options)
        return QuantizedLinear(linear, qparams, granularity=granularity)

    with pytest.raises(TypeError, match="Int8Linear: granularity must be a PerTensor or PerChann"):
        Int8Linear(layer(PerGroup(4), bits=8))
    with pytest.raises(ValueError, match="Int8Linear: bits must be at most 8, got 9"):
        Int8Linear(layer(PerTensor(), bits=9))
    with pytest.raises(ValueError, match="Int8Linear: zero point must be a whole number, as symm"):
        Int8Linear(layer(PerTensor(), bits=8, rule=min_max))
    with pytest.raises(ValueError, match="Int8Linear: the weight's dtype must be float32, got"):
        Int8Linear(coded(copy.deepcopy(linear).double()))
    with pytest.raises(TypeError, match=r"(?s)Int8Conv2d.*of.*layer.*Conv2d"):
        Int8Conv2d.of(linear)


def test_inputs_that_do_not_fit_are_named():
    conv, linear = (Int8Conv2d.of(made(nn.Conv2d, 8, 4, 3)), Int8Linear.of(made(nn.Linear, 8, 4)))
    x, rows = pictures(1, 8, 5, 5), pictures(2, 8)
    for layer, good, cut in ((conv, x, x[:, :7]), (linear, rows, rows[:, :7])):
        name = type(layer).__name__
        with pytest.raises(
            ValueError, match=f"{name}: input must be torch.float32, got 'torch.flo"
        ):
            layer(good.double())
        with pytest.raises(ValueError, match=rf"{name}: input must (be images|have 8 features)"):
            layer(cut)
        with pytest.raises(ValueError, match="x must be finite"):
            layer(good * torch.inf)
        with pytest.raises(ValueError, match=f"{name}: mode must be evaluation, as the kernel"):
            copy.deepcopy(layer).train()(good)
    with pytest.raises(ValueError, match="picture with its border must be at least as large as"):
        conv(x[..., :2])
