"""Layers that see their input in one bit, or in a few."""

from math import ceil, prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.models.layers.stored_weight import bits_of, dense_kernel_cost
from efficientdl.report import Cost
from efficientdl.tensors import binarize, dorefa_activation

Inner = nn.Linear | nn.Conv2d | Reweighted | QuantizedLinear | QuantizedConv2d


class Signs(nn.Module):
    """Each number's sign, with the straight-through gradient of `binarize`."""

    bits = 1

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """+1 or -1, +1 for zero."""
        return binarize(input)


class UnitLevels(nn.Module):
    """Each number cut to 0..1 and rounded to one of `2**bits` levels: DoReFa's activation.

    Args:
        bits: Bits of a code, 1..16.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        _check.whole("UnitLevels", "bits", bits, 1, 16)
        self.bits = bits

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The nearest level."""
        return dorefa_activation(input, bits=self.bits)

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


class FewBitInput(nn.Module):
    """A layer whose input passes through a rule that leaves few bits of it.

    Args:
        layer: The layer; it is used, not copied.
        rule: `Signs()` or `UnitLevels(bits)`.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = layer.weight.data.fill_(1.0)
    >>> FewBitInput(layer, Signs())(torch.tensor([[0.2, -7.0]])).item()
    0.0
    """

    def __init__(self, layer: Inner, rule: Signs | UnitLevels) -> None:
        super().__init__()
        self.layer, self.rule = layer, rule
        self.training = layer.training
        rule.train(layer.training)

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives for the input in few bits."""
        return self.layer(self.rule(input))

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The layer's cost; its input is kept and moved in packed codes, its output in float."""
        own = _own_cost(self.layer, x_shape)
        n_out = prod(_y_shape(self.layer, x_shape))
        activations = ceil(prod(x_shape) * self.rule.bits / 8) + n_out * _float_bytes(self.layer)
        return Cost(
            params=own.params,
            macs=own.macs,
            weight_bits=own.weight_bits,
            activation_bytes=activations,
            traffic_bytes=activations + ceil((own.weight_bits or 0) / 8),
        )


class Xnor(nn.Module):
    """A layer on the signs of its input, scaled by how large the input is: XNOR-Net's.

    `y = (sign(I) * alpha sign(W)) K`. The map `K` is the mean magnitude over the channels of the
    input, averaged over the window of each output; in a linear layer, one number for each row.
    In a grouped convolution each group has its own. Its sums are no MACs, as a pooling's are not.

    Args:
        layer: The layer with its weight behind the rule `alpha sign(W)`; it is used, not copied.
            Its bias is added after the scaling.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = layer.weight.data.fill_(0.5)
    >>> Xnor(layer)(torch.tensor([[3.0, 1.0]])).item()  # signs 1 and 1; mean magnitude 2
    2.0

    Source: Rastegari, Ordonez, Redmon and Farhadi, "XNOR-Net", ECCV 2016, section 3.2, eq. 11.
    """

    def __init__(self, layer: Inner) -> None:
        super().__init__()
        self.layer, self.training = layer, layer.training

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives for the signs, times the map."""
        signs, weight, bias = binarize(input), self.layer.weight, _bare(self.layer).bias
        if _is_linear(self.layer):
            y = functional.linear(signs, weight) * self.sizes(input)  # eq. 11
            return y if bias is None else y + bias
        y = _convolve(_form(self.layer), signs, weight) * self.sizes(input)  # eq. 11
        return y if bias is None else y + bias[:, None, None]

    def sizes(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The map `K`, for each output or broadcasting to it."""
        size = input.abs()
        if _is_linear(self.layer):
            return size.mean(dim=-1, keepdim=True)
        form = _form(self.layer)
        mean = size.unflatten(-3, (form.groups, -1)).mean(dim=-3)  # A of section 3.2
        area = prod(form.kernel_size)
        box = mean.new_full((form.groups, 1, *form.kernel_size), 1 / area)  # k of section 3.2
        windows = _convolve(form, mean, box)
        return windows.repeat_interleave(form.out_channels // form.groups, dim=-3)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """The layer's cost; the map needs the input whole, so that counts as it comes."""
        return _own_cost(self.layer, x_shape)


def _bare(layer: Inner) -> nn.Linear | nn.Conv2d | QuantizedLinear | QuantizedConv2d:
    return layer.layer if isinstance(layer, Reweighted) else layer


def _is_linear(layer: Inner) -> bool:
    return isinstance(_bare(layer), nn.Linear | QuantizedLinear)


def _form(layer: Inner) -> nn.Conv2d | QuantizedConv2d:
    bare = _bare(layer)
    assert isinstance(bare, nn.Conv2d | QuantizedConv2d), "linear layers are handled before"
    return bare


def _convolve(form: nn.Conv2d | QuantizedConv2d, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(form, QuantizedConv2d):
        return form.convolve(x, weight, None)
    return form._conv_forward(x, weight, None)


def _float_bytes(layer: Inner) -> int:
    bare = _bare(layer)
    return bare.weight.element_size()


def _y_shape(layer: Inner, x_shape: tuple[int, ...]) -> tuple[int, ...]:
    bare = _bare(layer)
    if isinstance(bare, nn.Linear | QuantizedLinear):
        return (*x_shape[:-1], bare.out_features)
    weight = torch.empty(tuple(bare.weight.shape), device="meta")  # shapes only: torch's own rules
    return tuple(_convolve(bare, torch.empty(x_shape, device="meta"), weight).shape)


def _own_cost(layer: Inner, x_shape: tuple[int, ...]) -> Cost:
    bare = _bare(layer)
    if isinstance(bare, QuantizedLinear | QuantizedConv2d):
        return bare.cost(x_shape)
    return dense_kernel_cost(
        _y_shape(bare, x_shape),
        weight_shape=tuple(bare.weight.shape),
        weight_bits=bits_of(bare.weight),
        bias_bits=bits_of(bare.bias),
    )
