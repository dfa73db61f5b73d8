"""Layers that compute on whole numbers alone: int8 codes in, int32 sums, int8 codes out.

A code `q` stands for `S (q - Z)`: the scale `S` is a float, known before the network runs and
never needed while it does; the zero point `Z` is the code of 0.0. A product of two codes then has
the scale `S_w S_x`, the bias is a whole number of such steps, and one fixed-point factor
`M = S_w S_x / S_y` leads to the codes of the output. A ReLU costs nothing: its output has no code
below zero's, so the saturation that a byte needs anyway does its work.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int8, Int32
from torch import Tensor

from efficientdl import _check
from efficientdl.kernels.low_bit.int8_conv_codes import (
    FilterCodes,
    int8_conv_codes,
    pack_requantize,
)
from efficientdl.kernels.low_bit.int8_filters import pack_filters
from efficientdl.kernels.low_bit.int8_requantize import Requantize
from efficientdl.kernels.window import Window
from efficientdl.models.layers.activation_codes import (
    ActivationCodes,
    KeepsCodes,
    whole_zero_points,
)
from efficientdl.models.layers.kernel_form import KernelForm
from efficientdl.report import Cost
from efficientdl.tensors import Granularity, PerChannel, QParams, quantize
from efficientdl.tensors.affine import as_signed
from efficientdl.tensors.fixed_point import FACTOR_BITS, fixed_point

_PER_CHANNEL: Granularity = PerChannel()
SUM_BITS = 32  # of a bias, and of what products are added up in


class Geometry(NamedTuple):
    """How a window moves over a picture.

    Attributes:
        kernel: Its height and width.
        stride: Pixels from one place to the next.
        padding: Pixels put on each side, above and below, left and right.
        dilation: Pixels from one tap to the next.
        groups: Into how many groups the channels fall.
    """

    kernel: Sequence[int]
    stride: Sequence[int] = (1, 1)
    padding: Sequence[int] = (0, 0)
    dilation: Sequence[int] = (1, 1)
    groups: int = 1

    @property
    def window(self) -> Window:
        """How it moves, for a kernel."""
        stride, padding, dilation = (
            (pair[0], pair[1]) for pair in (self.stride, self.padding, self.dilation)
        )
        return Window(stride, padding, dilation)

    def windows(self, x: Int8[Tensor, "n c h w"], *, border: int) -> Int8[Tensor, "n c p q r s"]:
        """Every place of the window, as a view of the padded codes.

        Args:
            x: Codes of a picture.
            border: The code to pad with: that of zero for a sum, the least for a maximum.
        """
        (up, left), (down, across) = self.padding, self.dilation
        n, c, h, w = x.shape
        padded = x.new_full((n, c, h + 2 * up, w + 2 * left), border)  # pad would take a float
        padded[:, :, up : up + h, left : left + w] = x
        height, width = ((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        windows = padded.unfold(2, height, self.stride[0]).unfold(3, width, self.stride[1])
        return windows[..., ::down, ::across]


class IntegerProduct(KeepsCodes):
    """What integer linear layers and convolutions share: codes, int32 biases and factors.

    With `x` and `w` the codes, `sum (w - Z_w)(x - Z_x)` is
    `sum w x - Z_w sum x - Z_x sum (w - Z_w)`: the first sum is one of bytes, the second needs no
    weights, and the last is known in advance and stands in the bias. The kernel multiplies steps
    `w - Z_w`, which is the first two at once, and makes codes of sums as soon as they are there.

    Args:
        weight: The weight in float, `c_out` first.
        bias: The bias in float, or none.
        qparams: Its scales, one or one for each channel; zero must be a level.
        x: What the codes of the input stand for.
        y: What those of the output stand for, and which of them the activation lets through.

    Raises:
        BadValue: Zero is not a level, or a sum could leave 32 bits.
    """

    kept: ClassVar[tuple[str, ...]] = ("x", "y")
    codes: Int8[Tensor, "c_out ..."]
    weight_zero_point: Int32[Tensor, " c_out"]
    bias: Int32[Tensor, " c_out"]
    multiplier: Int32[Tensor, " c_out"]
    shift: Int32[Tensor, " c_out"]
    groups = 1

    def __init__(
        self,
        weight: Float[Tensor, "c_out ..."],
        bias: Float[Tensor, " c_out"] | None,
        *,
        qparams: QParams,
        x: ActivationCodes,
        y: ActivationCodes,
    ) -> None:
        super().__init__()
        signed = as_signed(qparams)
        zero_point = whole_zero_points(signed).expand(len(weight))
        scale = signed.scale.double().flatten().expand(len(weight))
        rows = QParams(scale[:, None], zero_point[:, None].double(), signed.n_levels, signed.lowest)
        codes = quantize(weight.detach().double(), rows, granularity=_PER_CHANNEL)
        steps = codes.flatten(1).to(torch.int64) - zero_point[:, None]
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        whole_bias = (bias.detach().double() / (scale * x.scale)).round()  # eq. 11
        _demand_room(steps, whole_bias, x)
        ahead = whole_bias.to(torch.int64) - x.zero_point * steps.sum(dim=1)  # eq. 7, known ahead
        factor = fixed_point(scale * x.scale / y.scale)  # eq. 5
        self.x, self.y, self.bits = x, y, signed.bits
        self._packed = KernelForm(_packed_of)
        self.register_buffer("codes", codes)
        self.register_buffer("weight_zero_point", zero_point.to(torch.int32))
        self.register_buffer("bias", ahead.to(torch.int32))
        self.register_buffer("multiplier", factor.multiplier)
        self.register_buffer("shift", factor.shift)

    def packed(self) -> FilterCodes:
        """Filters and factors as the kernel reads them; made anew where a tensor has changed."""
        tensors = self.codes, self.weight_zero_point, self.bias, self.multiplier, self.shift
        return self._packed.of(*tensors, self.groups, self.x, self.y)

    def convolved(self, x: Int8[Tensor, "n c_in h w"], window: Window) -> Int8[Tensor, "n c p q"]:
        """The codes of the output, the channels of a pixel side by side in memory.

        Args:
            x: Codes of the input.
            window: How the window moves.
        """
        zero_points = np.full(len(x), self.x.zero_point, np.int32)
        y = int8_conv_codes(x.numpy(force=True), self.packed(), window, zero_points)
        return torch.from_numpy(y).to(x.device)

    def stored_cost(self, macs: int) -> Cost:
        """Codes, biases, factors, and zero points where a channel has one."""
        n_channels = len(self.codes)
        zero_points = self.bits if bool(self.weight_zero_point.any()) else 0
        side = n_channels * (SUM_BITS + FACTOR_BITS + zero_points)
        return Cost(
            params=self.codes.numel() + n_channels,
            macs=macs,
            weight_bits=self.bits * self.codes.numel() + side,
        )

    def extra_repr(self) -> str:
        return f"{'x'.join(map(str, self.codes.shape))}, bits={self.bits}"


class IntegerLinear(IntegerProduct):
    """A linear layer on codes.

    >>> x = ActivationCodes(0.5, 0)
    >>> qparams = QParams(torch.tensor([[0.25]]), torch.tensor([[127.0]]), 255)
    >>> layer = IntegerLinear(torch.tensor([[1.0, -0.5]]), None, qparams=qparams, x=x, y=x)
    >>> layer(torch.tensor([[10, 4]], dtype=torch.int8))  # 1.0 * 5.0 - 0.5 * 2.0 = 4.0
    tensor([[8]], dtype=torch.int8)
    """

    def forward(self, x: Int8[Tensor, "n c_in"]) -> Int8[Tensor, "n c_out"]:
        if x.is_meta:
            return x.new_empty(len(x), len(self.codes))
        column = x.t()[None, :, :, None]  # a picture of one column, an example each pixel
        return self.convolved(column, Window())[0, :, :, 0].t()

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Integer MACs, and what is stored."""
        return self.stored_cost(x_shape[0] * self.codes.numel())


class IntegerConv2d(IntegerProduct):
    """A convolution on codes, grouped and depthwise ones too; its border is the code of zero.

    Args:
        weight: The filters in float.
        bias: The bias in float, or none.
        geometry: How the window moves.
        qparams: The weight's scales, one or one for each channel.
        x: What the codes of the input stand for.
        y: What those of the output stand for.
    """

    def __init__(
        self,
        weight: Float[Tensor, "c_out c_in r s"],
        bias: Float[Tensor, " c_out"] | None,
        geometry: Geometry,
        *,
        qparams: QParams,
        x: ActivationCodes,
        y: ActivationCodes,
    ) -> None:
        super().__init__(weight, bias, qparams=qparams, x=x, y=y)
        self.geometry, self.groups = geometry, geometry.groups

    def forward(self, x: Int8[Tensor, "n c_in h w"]) -> Int8[Tensor, "n c_out p q"]:
        if x.is_meta:
            return x.new_empty(self._y_shape(tuple(x.shape)))
        return self.convolved(x, self.geometry.window)

    def _y_shape(self, x_shape: tuple[int, ...]) -> tuple[int, ...]:
        x = torch.empty(x_shape, dtype=torch.int8, device="meta")
        n, _, p, q, _, _ = self.geometry.windows(x, border=0).shape
        return n, len(self.codes), p, q

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Integer MACs, and what is stored."""
        n, _, p, q = self._y_shape(x_shape)
        return self.stored_cost(n * p * q * self.codes.numel())


def _packed_of(
    codes: Tensor,
    weight_zero_point: Tensor,
    bias: Tensor,
    multiplier: Tensor,
    shift: Tensor,
    groups: int,
    x: ActivationCodes,
    y: ActivationCodes,
) -> FilterCodes:
    steps = codes.flatten(1).to(torch.int64) - weight_zero_point[:, None]
    bias = (bias + x.zero_point * steps.sum(dim=1)).to(torch.int32)  # as it is in eq. 11
    codes = codes if codes.ndim == 4 else codes[:, :, None, None]
    numbers = (t.numpy(force=True) for t in (codes, weight_zero_point, bias, multiplier, shift))
    weight, zeros, biases, multipliers, shifts = numbers
    filters = pack_filters(weight, zeros, groups=groups, farthest=_farthest(x))
    to = Requantize(biases, multipliers, shifts, *y[1:])
    return pack_requantize(filters, to)


def _farthest(x: ActivationCodes) -> int:
    return max(x.highest - x.zero_point, x.zero_point - x.lowest, 1)


def _demand_room(steps: Tensor, bias: Tensor, x: ActivationCodes) -> None:
    """Demand that no sum leaves 32 bits, whatever the input."""
    largest = float((steps.abs().sum(dim=1).double() * _farthest(x) + bias.abs()).max())
    if largest >= 2.0 ** (SUM_BITS - 1):
        rule = "must have sums that fit into 32 bits"
        _check.fail("integer_only", "layer", rule, f"up to {largest:.3g}")
