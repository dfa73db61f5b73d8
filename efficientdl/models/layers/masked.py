"""Linear and convolution layers with a mask: the weights that it drops stay out for good.

The weight stays a dense parameter of its usual name, so that training, saving and hooks know it.
Every use multiplies it by the mask, which masks the gradient as well: a dropped weight is zero in
the forward pass and is not moved by the backward pass.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.stored_weight import bits_of, dense_kernel_cost
from efficientdl.report import Cost
from efficientdl.tensors import Storage, storage_bits


class MaskedLinear(nn.Linear):
    """A linear layer that uses only the weights that its mask keeps.

    It takes over the parameters of the layer that it is made from: give it a copy to keep that.

    Args:
        layer: The layer to take over.
        mask: True for each weight that stays.

    >>> layer = MaskedLinear(nn.Linear(2, 1, bias=False), torch.tensor([[True, False]]))
    >>> bool(layer(torch.tensor([[0.0, 5.0]])) == 0)
    True
    """

    mask: Bool[Tensor, "c_out c_in"]

    def __init__(self, layer: nn.Linear, mask: Bool[Tensor, "c_out c_in"]) -> None:
        # on the meta device nothing is allocated, and nothing drawn from the global generator
        bias = layer.bias is not None
        super().__init__(layer.in_features, layer.out_features, bias, device="meta")
        _take_over(self, layer, mask)

    def forward(self, input: Float[Tensor, "*batch c_in"]) -> Float[Tensor, "*batch c_out"]:
        return functional.linear(input, self.weight * self.mask, self.bias)

    def train(self, mode: bool = True) -> "MaskedLinear":
        """Change the mode; in evaluation mode dropped weights are stored as zeros.

        In evaluation torch's Transformer layers read this weight themselves, without the mask.
        """
        if not mode:
            self.weight.data.mul_(self.mask)
        return super().train(mode)

    def storage(self) -> Storage:
        """The smallest form that holds the weights that stay, index bits included."""
        return storage_bits(self.mask, value_bits=8 * self.weight.element_size())

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs, since a dense kernel does them all; weights stored without their zeros."""
        return _cost(self, (*x_shape[:-1], self.out_features))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {_kept(self.mask)}"


class MaskedConv2d(nn.Conv2d):
    """A convolution that uses only the weights that its mask keeps.

    It takes over the parameters of the layer that it is made from: give it a copy to keep that.

    Args:
        layer: The layer to take over.
        mask: True for each weight that stays.

    >>> conv = nn.Conv2d(1, 1, 3, bias=False)
    >>> layer = MaskedConv2d(conv, torch.zeros(1, 1, 3, 3, dtype=torch.bool))
    >>> layer(torch.ones(1, 1, 3, 3))
    tensor([[[[0.]]]], grad_fn=<ConvolutionBackward0>)
    """

    mask: Bool[Tensor, "c_out c_in r s"]

    def __init__(self, layer: nn.Conv2d, mask: Bool[Tensor, "c_out c_in r s"]) -> None:
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # pyright: ignore[reportArgumentType]
            layer.stride,  # pyright: ignore[reportArgumentType]
            layer.padding,  # pyright: ignore[reportArgumentType]
            layer.dilation,  # pyright: ignore[reportArgumentType]
            layer.groups,
            layer.bias is not None,
            layer.padding_mode,
            device="meta",
        )
        _take_over(self, layer, mask)

    def forward(self, input: Float[Tensor, "*n c_in h w"]) -> Float[Tensor, "*n c_out p q"]:
        return self._conv_forward(input, self.weight * self.mask, self.bias)

    def storage(self) -> Storage:
        """The smallest form that holds the weights that stay, index bits included."""
        return storage_bits(self.mask, value_bits=8 * self.weight.element_size())

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs, since a dense kernel does them all; weights stored without their zeros."""
        x = torch.empty(x_shape, device="meta", dtype=self.weight.dtype)  # torch's own shape rules
        y = self._conv_forward(x, self.weight.to("meta"), None)
        return _cost(self, tuple(y.shape))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {_kept(self.mask)}"


Masked = MaskedLinear | MaskedConv2d


def _take_over(masked: Masked, layer: nn.Linear | nn.Conv2d, mask: Tensor) -> None:
    caller = type(masked).__name__
    if mask.shape != layer.weight.shape:
        rule = f"must have the weight's shape {tuple(layer.weight.shape)}"
        _check.fail(caller, "mask", rule, tuple(mask.shape))
    masked.weight = layer.weight
    masked.bias = layer.bias  # pyright: ignore[reportAttributeAccessIssue]
    masked.register_buffer("mask", mask.clone())
    masked.training = layer.training


def _cost(masked: Masked, y_shape: tuple[int, ...]) -> Cost:
    return dense_kernel_cost(
        y_shape,
        weight_shape=tuple(masked.weight.shape),
        weight_bits=masked.storage().bits,
        bias_bits=bits_of(masked.bias),
    )


def _kept(mask: Tensor) -> str:
    return f"kept={int(mask.count_nonzero())} of {mask.numel()}"
