"""Layers of signs give what the emulated ones give: exactly, where the weights are -1 and 1."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.models.layers.binary_linear import BinaryConv2d, BinaryLinear, sign_weight
from efficientdl.models.layers.few_bit_input import FewBitInput, Signs, UnitLevels, Xnor
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.protocols import Costed
from efficientdl.tensors import PerChannel, PerGroup, PerTensor, QParams, binary, choose_qparams

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums, there of scaled signs, here scaled afterwards


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(layer, *, bias):
    """Weights that are no torch default; a bias of a quarter's steps, which sums of signs keep."""
    with torch.no_grad():
        layer.weight.normal_(generator=gen(layer.weight.numel()))
        if bias:
            layer.bias.copy_(torch.randint(-8, 8, layer.bias.shape, generator=gen()) / 4)
    return layer


def linear(c_in=70, c_out=5, *, bias=True):
    return drawn(nn.utils.skip_init(nn.Linear, c_in, c_out, bias=bias), bias=bias)


def conv(c_in=6, c_out=5, kernel=3, *, bias=True, **options):
    layer = nn.utils.skip_init(nn.Conv2d, c_in, c_out, kernel, bias=bias, **options)
    return drawn(layer, bias=bias)


def coded(layer, qparams, granularity):
    of = QuantizedConv2d if isinstance(layer, nn.Conv2d) else QuantizedLinear
    return of(layer, qparams, granularity=granularity).eval()


def signs(layer):
    """Weights of -1 and 1, as `binarize_network` leaves them."""
    return coded(layer, QParams(torch.tensor([[2.0]]), torch.tensor([[0.5]]), 2), PerTensor())


def sizes(layer):
    """A size for each output, as `xnor_network` leaves them."""
    granularity = PerChannel()
    weight = layer.weight.detach()
    qparams = choose_qparams(weight, bits=1, granularity=granularity, rule=binary)
    return coded(layer, qparams, granularity)


def ours(layer):
    return (BinaryLinear if isinstance(layer.layer, QuantizedLinear) else BinaryConv2d)(layer)


@pytest.mark.parametrize("shape", [(70,), (1, 70), (3, 70), (2, 3, 70), (0, 70)])
def test_linear_of_plain_signs_is_exact(shape):
    layer, x = FewBitInput(signs(linear()), Signs()), torch.randn(shape, generator=gen(1))
    torch.testing.assert_close(ours(layer)(x), layer(x).detach(), rtol=0, atol=0)


def test_linear_with_sizes_of_weights_and_inputs():
    x = torch.randn(4, 70, generator=gen(1))
    for layer in (FewBitInput(sizes(linear()), Signs()), Xnor(sizes(linear()))):
        torch.testing.assert_close(ours(layer)(x), layer(x).detach(), **CLOSE)


CONVS = {
    "plain": {},
    "padded": {"padding": 1},
    "wide border": {"padding": 4},
    "uneven": {"kernel": (2, 5), "stride": (3, 2), "padding": (0, 2)},
    "dilated": {"dilation": (1, 2), "padding": 2},
    "pointwise": {"kernel": 1},
    "same": {"kernel": (4, 3), "padding": "same"},
    "wrapped": {"padding": 1, "padding_mode": "circular", "bias": False},
    "many channels": {"c_in": 130, "padding": 1},
    "a whole word": {"c_in": 64, "padding": 1, "stride": 2},
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_conv_of_plain_signs_is_exact_and_of_sizes_close(options):
    x = torch.randn(2, options.get("c_in", 6), 9, 8, generator=gen(2))
    plain = FewBitInput(signs(conv(**options)), Signs())
    y = ours(plain)(x)
    torch.testing.assert_close(y, plain(x).detach(), rtol=0, atol=0)
    assert y.is_contiguous()
    for layer in (FewBitInput(sizes(conv(**options)), Signs()), Xnor(sizes(conv(**options)))):
        torch.testing.assert_close(ours(layer)(x), layer(x).detach(), **CLOSE)


@settings(deadline=None, max_examples=30, database=None)
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    c_in=st.integers(1, 70),
)
def test_conv_of_any_geometry(kernel, stride, padding, dilation, c_in):
    form = {"stride": stride, "padding": padding, "dilation": dilation}
    layer = FewBitInput(signs(conv(c_in, 3, kernel, **form)), Signs())
    x = torch.randn(2, c_in, 10, 11, generator=gen(2))
    torch.testing.assert_close(ours(layer)(x), layer(x).detach(), rtol=0, atol=0)


def test_zero_and_minus_zero_are_positive_and_infinity_is_a_sign():
    layer = FewBitInput(signs(linear(4)), Signs())
    x = torch.tensor([[0.0, -0.0, torch.inf, -torch.inf]])
    torch.testing.assert_close(ours(layer)(x), layer(x).detach(), rtol=0, atol=0)


def test_a_size_of_zero_gives_the_bias():
    layer = linear()
    layer.weight.data[1] = 0
    layer = Xnor(sizes(layer))
    x = torch.randn(2, 70, generator=gen())
    torch.testing.assert_close(ours(layer)(x)[:, 1], layer.layer.bias[1].detach().expand(2))


def test_an_image_alone_and_images_in_another_order():
    layer = FewBitInput(signs(conv(padding=1)), Signs())
    x = torch.randn(2, 9, 8, 6, generator=gen()).permute(0, 3, 1, 2)
    torch.testing.assert_close(ours(layer)(x), layer(x).detach(), rtol=0, atol=0)
    torch.testing.assert_close(ours(layer)(x[0]), layer(x[0]).detach(), rtol=0, atol=0)
    assert ours(layer)(x[:0]).shape == (0, 5, 9, 8)


def test_it_counts_one_bit_a_weight():
    cost = ours(Xnor(sizes(linear()))).cost((3, 70))
    assert (cost.macs, cost.params) == (3 * 70 * 5, 70 * 5 + 5)
    assert cost.weight_bits == 70 * 5 + 32 * (5 + 5)
    assert cost.traffic_bytes == 4 * 3 * (70 + 5) + cost.weight_bits // 8
    kernel = ours(Xnor(sizes(conv(padding=1))))
    assert kernel.cost((2, 6, 9, 8)).macs == 2 * 5 * 9 * 8 * 6 * 9
    assert isinstance(kernel, Costed)


def test_it_is_copied_saved_and_loaded():
    x = torch.randn(1, 6, 5, 5, generator=gen())
    layer = ours(FewBitInput(signs(conv(padding=1)), Signs()))
    other = ours(FewBitInput(signs(conv(padding=1)), Signs()))
    other.words.zero_()
    assert not other(x).equal(layer(x))
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other(x), layer(x), rtol=0, atol=0)
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x), rtol=0, atol=0)
    assert layer.to("meta")(x.to("meta")).shape == (1, 5, 5, 5)


def thirds(layer):
    return coded(layer, QParams(torch.tensor([[1.0]]), torch.tensor([[1.0]]), 3), PerTensor())


def by_group(layer):
    qparams = choose_qparams(layer.weight.detach(), bits=1, granularity=PerGroup(35), rule=binary)
    return coded(layer, qparams, PerGroup(35))


UNFIT = {
    "three levels": FewBitInput(thirds(linear()), Signs()),
    "inputs of two bits": FewBitInput(signs(linear()), UnitLevels(2)),
    "sizes within a row": Xnor(by_group(linear())),
    "float weights": Xnor(linear()),
    "groups": Xnor(sizes(conv(groups=1, c_in=4, c_out=4))),
}
UNFIT["groups"].layer.groups = 2


@pytest.mark.parametrize("layer", UNFIT.values(), ids=UNFIT)
def test_other_layers_are_refused(layer):
    assert sign_weight(layer) is None
    kind = BinaryConv2d if isinstance(layer.layer, QuantizedConv2d) else BinaryLinear
    message = "layer must have inputs and weights of signs|layer inside must be a QuantizedLinear"
    with pytest.raises((ValueError, TypeError), match=message):
        kind(layer)


def test_another_kind_is_named():
    words = "BinaryLinear: layer must be a FewBitInput or Xnor|Type-check error"
    with pytest.raises(TypeError, match=words):  # the last are the shape checker's
        BinaryLinear(linear())
    with pytest.raises(TypeError, match="BinaryConv2d: layer inside must be a QuantizedConv2d"):
        BinaryConv2d(Xnor(sizes(linear())))


def test_a_wrong_input_or_mode_is_named():
    fast = ours(Xnor(sizes(linear())))
    with pytest.raises(ValueError, match="BinaryLinear: input must have 70 features last"):
        fast(torch.zeros(2, 5))
    with pytest.raises(ValueError, match=r"sign_words: x must have signs, got nan"):
        fast(torch.full((1, 70), torch.nan))
    with pytest.raises(ValueError, match="BinaryLinear: mode must be evaluation"):
        fast.train()(torch.zeros(2, 70))
    images = ours(Xnor(sizes(conv())))
    with pytest.raises(ValueError, match="BinaryConv2d: input must be images of 6 channels"):
        images(torch.zeros(1, 5, 9, 9))
    with pytest.raises(ValueError, match=r"BinaryConv2d: .* at least as large as the kernel"):
        images(torch.zeros(1, 6, 2, 9))
