"""A layer and the batch norm behind it as one product, as it will run once it is trained.

In inference batch norm multiplies each channel by `gamma / sigma`, which can as well be done to
the weights beforehand: `w gamma / sigma`. Those are the weights that get rounded, so those are
the weights that training must round.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear

Norm = nn.BatchNorm1d | nn.BatchNorm2d


def folded_weight(
    weight: Float[Tensor, "c_out ..."], bias: Float[Tensor, " c_out"] | None, norm: Norm
) -> tuple[Float[Tensor, "c_out ..."], Float[Tensor, " c_out"]]:
    """Weight and bias of a layer that does what layer and batch norm do in inference.

    `w gamma / sigma` and `beta + (b - mu) gamma / sigma`, where `mu` and `sigma` are the running
    statistics.

    Args:
        weight: The layer's weight, `c_out` first.
        bias: Its bias, if it has one.
        norm: The batch norm behind it, with running statistics.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2, equation 14; lab 04.
    """
    mean, variance = _statistics(norm)
    factor = _gain(norm, variance)
    bias = -mean if bias is None else bias - mean
    return weight * _per_row(factor, weight), _shift(norm, bias * factor)  # eq. 14


class Folded(nn.Module):
    """A layer and the batch norm behind it, computed as the product that they become.

    The weight is scaled by the running statistics, as in inference, and then rounded. In training
    the output is scaled by `sigma / sigma_batch` and shifted by the batch's mean, so that without
    rounding this is layer and batch norm exactly, gradients and running statistics included. While
    the norm is in evaluation mode its statistics are frozen.

    Args:
        layer: The layer; it is used, not copied.
        norm: The batch norm behind it, or None.
        rounding: `f(weight) -> weight`, done to the folded weight each time that it is used.

    >>> layer, norm = nn.Linear(3, 2), nn.BatchNorm1d(2)
    >>> both = Folded(layer, norm, rounding=lambda weight: weight)
    >>> x = torch.tensor([[0.0, 1.0, 2.0], [2.0, 0.0, 1.0]])
    >>> bool(torch.allclose(both(x), norm(layer(x)), atol=1e-5))
    True

    Source: Jacob et al., CVPR 2018, section 3.2; Krishnamoorthi, "Quantizing Deep Convolutional
    Networks for Efficient Inference: A Whitepaper", 2018, section 3.2.2; lab 04.
    """

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        norm: Norm | None,
        *,
        rounding: Callable[[Tensor], Tensor],
    ) -> None:
        super().__init__()
        _check.kind("Folded", "layer", layer, (nn.Linear, nn.Conv2d))
        self.layer, self.norm, self.rounding = layer, norm, rounding
        self.training = layer.training

    @property
    def dense_weight(self) -> Float[Tensor, "c_out ..."]:
        """The layer's weight before folding; what a mask drops is zero."""
        masked = isinstance(self.layer, MaskedLinear | MaskedConv2d)
        return self.layer.weight * self.layer.mask if masked else self.layer.weight  # pyright: ignore[reportOperatorIssue]

    def folded(self) -> tuple[Float[Tensor, "c_out ..."], Float[Tensor, " c_out"] | None]:
        """Weight and bias for inference, before rounding."""
        if self.norm is None:
            return self.dense_weight, self.layer.bias
        return folded_weight(self.dense_weight, self.layer.bias, self.norm)

    def forward(self, input: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """What layer and norm give with the rounded weight."""
        if self.norm is not None and self.norm.training:
            return self._in_training(input, self.norm)
        weight, bias = self.folded()
        return self._product(input, self.rounding(weight), bias)

    def _in_training(self, x: Tensor, norm: Norm) -> Tensor:
        plain = self._product(x, self.dense_weight, None)
        axes = [axis for axis in range(plain.ndim) if axis != 1]
        variance, mean = torch.var_mean(plain, dim=axes, correction=0)
        bias = self.layer.bias
        with torch.no_grad():  # its running statistics, by its own rule
            norm(plain if bias is None else plain + _per_channel(bias, plain))
        running = _statistics(norm)[1]
        weight, _ = folded_weight(self.dense_weight, None, norm)
        y = self._product(x, self.rounding(weight), None)
        correction = ((running + norm.eps) / (variance + norm.eps)).sqrt()
        shift = _shift(norm, -mean * _gain(norm, variance))  # the layer's bias cancels
        return y * _per_channel(correction, y) + _per_channel(shift, y)

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if isinstance(self.layer, nn.Conv2d):
            return self.layer._conv_forward(x, weight, bias)
        return functional.linear(x, weight, bias)


def _statistics(norm: Norm) -> tuple[Tensor, Tensor]:
    if norm.running_mean is None or norm.running_var is None:
        _check.fail("fold", "norm", "must have running statistics", norm)
    return norm.running_mean, norm.running_var


def _gain(norm: Norm, variance: Tensor) -> Tensor:
    """`gamma / sigma`; a norm without learned factors has 1."""
    gain = (variance + norm.eps).rsqrt()
    return gain if norm.weight is None else norm.weight * gain  # pyright: ignore[reportUnnecessaryComparison]


def _shift(norm: Norm, shift: Tensor) -> Tensor:
    return shift if norm.bias is None else norm.bias + shift  # pyright: ignore[reportUnnecessaryComparison]


def _per_row(values: Tensor, weight: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (weight.ndim - 1))


def _per_channel(values: Tensor, y: Tensor) -> Tensor:
    return values.reshape(1, -1, *[1] * (y.ndim - 2))
