"""Layers of signs on the kernel of signs: an exclusive or and a count in the place of products."""

from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.kernels import pack_signs
from efficientdl.kernels.low_bit import SignPanels, pack_sign_panels, sign_words, xnor_gemm
from efficientdl.kernels.window import Window
from efficientdl.models.layers.conv_form import ConvForm
from efficientdl.models.layers.few_bit_input import FewBitInput, Signs, Xnor
from efficientdl.models.layers.kernel_form import (
    KernelForm,
    demand_features,
    demand_images,
    demand_inference,
)
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.sparse_layer import drops_weights
from efficientdl.models.layers.stored_weight import bits_of
from efficientdl.report import Cost

SignLayer = FewBitInput | Xnor

_WORD = 64  # signs


class SignWeight(NamedTuple):
    """A weight of two levels of opposite sign.

    Attributes:
        words: The signs as bits, a row for each output, each place of the kernel in whole words.
        size: How large the two levels are, for each output.
        bias: What is added to each output, if anything is.
        shape: Shape of the dense weight, `c_out` first.
    """

    words: Int64[Tensor, "c_out words"]
    size: Float[Tensor, " c_out"]
    bias: Float[Tensor, " c_out"] | None
    shape: tuple[int, ...]


class SignKernel(nn.Module):
    """What both layers share: signs in words, a size for each output, and a bias, all buffers.

    Args:
        layer: The layer to stand for: signs in, signs as weights.
    """

    words: Int64[Tensor, "c_out words"]
    size: Float[Tensor, " c_out"]
    bias: Float[Tensor, " c_out"] | None

    def __init__(self, layer: SignLayer) -> None:
        super().__init__()
        found = sign_weight(layer)
        if found is None:
            rule = "must have inputs and weights of signs, one size for each output, no groups"
            _check.fail(type(self).__name__, "layer", rule, layer)
        self.weight_shape = found.shape
        self.scales_input = isinstance(layer, Xnor)
        self.register_buffer("words", found.words)
        self.register_buffer("size", found.size)
        self.register_buffer("bias", found.bias)
        self._panels = KernelForm(_panels_of)
        self.eval()

    @property
    def n_terms(self) -> int:
        """How many products one output is the sum of."""
        return prod(self.weight_shape[1:])

    def sums(self, rows: np.ndarray) -> Float[Tensor, "m c_out"]:
        """The sums of sign products, exact whole numbers as floats.

        Args:
            rows: Words of the inputs' signs. What fills up a word has the same bits as in the
                weight's, and is counted as alike: it is taken off.
        """
        panels = self._panels.of(self.words)
        filled_up = panels.k - self.n_terms
        return torch.from_numpy(xnor_gemm(rows, panels)).float() - filled_up

    def sign_cost(self, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Cost:
        """The MACs, of one bit each; bits as stored; signs in and floats out as traffic."""
        n_bias = 0 if self.bias is None else len(self.bias)
        weight_bits = prod(self.weight_shape) + bits_of(self.size) + bits_of(self.bias)
        return Cost(
            params=prod(self.weight_shape) + n_bias,
            macs=prod(y_shape) * self.n_terms,
            weight_bits=weight_bits,
            traffic_bytes=4 * (prod(x_shape) + prod(y_shape)) + weight_bits // 8,
        )

    def extra_repr(self) -> str:
        return "x".join(map(str, self.weight_shape))


class BinaryLinear(SignKernel):
    """A linear layer of signs times signs, for inference: 64 products in a word.

    `y = a (n - 2 popcount(sign(x) xor W)) + b`, times the mean magnitude of each input where that
    is what the layer does (XNOR-Net). The sums are exact: where weights are -1 and 1 the outputs
    are those of the layer, bit for bit. No gradient comes back.

    Args:
        layer: A linear layer behind signs, its weight in two levels, which stays as it was.

    Raises:
        BadValue: It is none; called in training mode, or with an input of another dtype, device
            or width, or one that is no number.

    >>> from efficientdl.tensors import PerTensor, binary, choose_qparams
    >>> linear = nn.Linear(70, 2)
    >>> qparams = choose_qparams(linear.weight, bits=1, granularity=PerTensor(), rule=binary)
    >>> layer = Xnor(QuantizedLinear(linear, qparams, granularity=PerTensor()))
    >>> x = torch.linspace(-1, 2, 70)[None]
    >>> torch.allclose(BinaryLinear(layer)(x), layer(x), atol=1e-5)
    True

    Source: Rastegari, Ordonez, Redmon and Farhadi, "XNOR-Net", ECCV 2016, section 3.2; Courbariaux
    et al., "Binarized Neural Networks", 2016, section 3; the survey's section 2.3; lab 13.
    """

    def __init__(self, layer: SignLayer) -> None:
        _check.kind("BinaryLinear", "layer", layer, (FewBitInput, Xnor))
        _check.kind("BinaryLinear", "layer inside", layer.layer, QuantizedLinear)
        super().__init__(layer)
        self.out_features, self.in_features = self.weight_shape

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        demand_inference(self, input, torch.float32)
        demand_features(self, input, self.in_features)
        y_shape = (*input.shape[:-1], self.out_features)
        if input.is_meta or not prod(y_shape):
            return input.new_empty(y_shape)
        x = input.detach().reshape(-1, self.in_features)
        y = self.sums(sign_words(x.numpy())) * self.size
        if self.scales_input:
            y *= x.abs().mean(dim=-1, keepdim=True)  # eq. 11
        return (y if self.bias is None else y + self.bias).reshape(y_shape)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs of the dense shape, of one bit each."""
        return self.sign_cost(x_shape, (*x_shape[:-1], self.out_features))


class BinaryConv2d(ConvForm, SignKernel):
    """A convolution of signs with signs, for inference: 64 channels in a word.

    Each pixel becomes the words of its channels' signs; the windows of words are the rows of a
    product of signs. The border is of zeros, which have no sign: it is taken as -1, and what that
    adds to the sums at the rim is taken off. No gradient comes back.

    Args:
        layer: A convolution behind signs, its weight in two levels, which stays as it was.

    Raises:
        BadValue: It is none, or has groups; called in training mode, or with an input of another
            dtype or device, of other channels, or one that is no number.

    Source: Rastegari, Ordonez, Redmon and Farhadi, "XNOR-Net", ECCV 2016, section 3.2; the survey's
    section 2.3; lab 13.
    """

    def __init__(self, layer: SignLayer) -> None:
        _check.kind("BinaryConv2d", "layer", layer, (FewBitInput, Xnor))
        inner = layer.layer
        _check.kind("BinaryConv2d", "layer inside", inner, QuantizedConv2d)
        assert isinstance(inner, QuantizedConv2d)
        super().__init__(layer)
        self.take_form(inner)
        self._border_sums = KernelForm(_sums_of_border)

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        demand_inference(self, input, torch.float32)
        demand_images(self, input, self.in_channels)
        y_shape = self._output_shape(tuple(input.shape))
        if input.is_meta or not prod(y_shape):
            return input.new_empty(y_shape)
        x = input.detach().reshape(-1, *input.shape[-3:])
        n, (c_out, p, q) = len(x), y_shape[-3:]
        y = self.sums(self._windows(x)).reshape(n, p, q, c_out).permute(0, 3, 1, 2)
        if any(self.border) and self.padding_mode == "zeros":
            form = self.border, self.stride, self.dilation
            y = y + self._border_sums.of(self.words, self.weight_shape, x.shape[2:], form)
        y = y * self.size[:, None, None]
        if self.scales_input:
            y = y * self._input_sizes(x)
        if self.bias is not None:
            y = y + self.bias[:, None, None]
        return y.contiguous().reshape(y_shape)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The MACs of the dense shape, of one bit each."""
        return self.sign_cost(x_shape, self._output_shape(x_shape))

    def _output_shape(self, x_shape: tuple[int, ...]) -> tuple[int, ...]:
        *batch, _, height, width = x_shape
        left, right, top, bottom = self.border
        padded = height + top + bottom, width + left + right
        window = Window(self.stride, (0, 0), self.dilation)
        p, q = window.outputs("BinaryConv2d", padded, self.kernel_size)
        return (*batch, self.out_channels, p, q)

    def _windows(self, x: Tensor) -> np.ndarray:
        """The signs under each window, a row of words for each output."""
        if self.padding_mode != "zeros":
            x = functional.pad(x, self.border, mode=self.padding_mode)
        n, c_in, h, w = x.shape
        pixels = x.permute(0, 2, 3, 1).reshape(-1, c_in).contiguous()
        words = sign_words(pixels.numpy()).view(np.int64).reshape(n, h, w, -1)
        if self.padding_mode == "zeros":
            left, right, top, bottom = self.border
            words = np.pad(words, ((0, 0), (top, bottom), (left, right), (0, 0)))  # signs of -1
        (r, s), (down, across) = self.kernel_size, self.dilation
        tall, wide = (r - 1) * down + 1, (s - 1) * across + 1
        seen = np.lib.stride_tricks.sliding_window_view(words, (tall, wide), axis=(1, 2))
        seen = seen[:, :: self.stride[0], :: self.stride[1], :, ::down, ::across]
        rows = seen.transpose(0, 1, 2, 4, 5, 3)  # n p q r s words
        return rows.reshape(-1, r * s * words.shape[-1]).view(np.uint64)

    def _input_sizes(self, x: Tensor) -> Float[Tensor, "n 1 p q"]:
        """The map `K`: mean magnitude over the channels, averaged under each window."""
        mean = x.abs().mean(dim=1, keepdim=True)
        area = prod(self.weight_shape[2:])
        box = mean.new_full((1, 1, *self.weight_shape[2:]), 1 / area)
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        mean = functional.pad(mean, self.border, mode=mode)
        return functional.conv2d(mean, box, None, self.stride, 0, self.dilation)


def sign_weight(layer: nn.Module) -> SignWeight | None:
    """The weight of a layer that multiplies signs by signs; None where it does something else.

    Args:
        layer: Any layer.

    >>> sign_weight(nn.Linear(2, 2)) is None
    True
    """
    if not isinstance(layer, FewBitInput | Xnor):
        return None
    if isinstance(layer, FewBitInput) and not isinstance(layer.rule, Signs):
        return None
    inner = layer.layer
    if not isinstance(inner, QuantizedLinear | QuantizedConv2d) or drops_weights(inner):
        return None
    if inner.n_levels != 2 or inner.scale.dtype != torch.float32:
        return None
    if isinstance(inner, QuantizedConv2d) and inner.groups != 1:
        return None
    weight = inner.weight.detach()
    size = weight.abs().flatten(1).amax(dim=1)
    if not torch.equal(weight.abs(), size.reshape(-1, *[1] * (weight.ndim - 1)).expand_as(weight)):
        return None
    upper = inner.codes > inner.lowest  # the code, not the value: a size may be zero
    words = _words_of(torch.where(upper, 1.0, -1.0))
    bias = None if inner.bias is None else inner.bias.detach().clone()
    return SignWeight(words, size, bias, tuple(weight.shape))


def _words_of(signs: Float[Tensor, "c_out c_in ..."]) -> Int64[Tensor, "c_out words"]:
    """Signs as bits; the channels of each place of the kernel begin a word."""
    by_place = signs.flatten(2).movedim(1, -1) if signs.ndim > 2 else signs
    rows = pack_signs(by_place.reshape(-1, signs.shape[1]).numpy())
    return torch.from_numpy(rows.view(np.int64).reshape(len(signs), -1).copy())


def _sums_of_border(
    words: Int64[Tensor, "c_out words"],
    shape: tuple[int, ...],
    size: tuple[int, ...],
    form: tuple[list[int], tuple[int, int], tuple[int, int]],
) -> Float[Tensor, "1 c_out p q"]:
    """What a border of -1 takes from the sums of an image: the weights that meet it."""
    (c_out, c_in, *kernel), (border, stride, dilation) = shape, form
    bits = (words.reshape(c_out, *kernel, -1, 1) >> torch.arange(_WORD)) & 1
    signs = (2.0 * bits.flatten(-2)[..., :c_in] - 1).sum(dim=-1)[:, None]
    outside = functional.pad(torch.zeros(1, 1, *size), border, value=1.0)
    return functional.conv2d(outside, signs, None, stride, 0, dilation)


def _panels_of(words: Int64[Tensor, "c_out words"]) -> SignPanels:
    rows = words.numpy().view(np.uint64)
    return pack_sign_panels(rows, _WORD * rows.shape[1])
