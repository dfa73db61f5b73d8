"""Linear and convolution layers whose weight stands in codes that are not evenly spaced."""

from copy import deepcopy

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.stored_weight import dense_kernel_cost
from efficientdl.report import Cost
from efficientdl.tensors import Storage, storage_bits


class Coded(nn.Module):
    """What these layers share: a shape, a mask, and a float kernel for the weight decoded.

    A layer of this kind says what its codes stand for (`decoded`), how many bits one takes
    (`bits`), what else is stored (`side_bits`), and what its bias is.

    Args:
        layer: The layer to stand for; a masked one hands its mask on.
    """

    mask: Bool[Tensor, "..."] | None

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        super().__init__()
        _check.kind(type(self).__name__, "layer", layer, (nn.Linear, nn.Conv2d))
        masked = isinstance(layer, MaskedLinear | MaskedConv2d)
        self.register_buffer("mask", layer.mask.clone() if masked else None)
        self.weight_shape = tuple(layer.weight.shape)
        self._form = (_form_of(layer),)  # in a tuple: it is no layer of the network

    @property
    def bits(self) -> int:
        """Bits of one code."""
        raise NotImplementedError

    @property
    def side_bits(self) -> int:
        """Bits of what turns codes into values."""
        raise NotImplementedError

    def decoded(self) -> Float[Tensor, "..."]:
        """The weight that the codes stand for."""
        raise NotImplementedError

    def bias_bits(self) -> int:
        """Bits of the bias, 0 for none."""
        raise NotImplementedError

    def bias_value(self) -> Float[Tensor, "c_out"] | None:
        """The bias as it is added."""
        raise NotImplementedError

    @property
    def weight(self) -> Float[Tensor, "..."]:
        """The weight that the codes stand for; what the mask drops is exactly zero."""
        weight = self.decoded()
        return weight if self.mask is None else weight * self.mask

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives with that weight."""
        return self._apply_weight(input, self.weight, self.bias_value())

    def storage(self) -> Storage:
        """Codes in the smallest form, index bits included, and what turns them into values."""
        every = torch.ones(self.weight_shape, dtype=torch.bool)
        values = storage_bits(every if self.mask is None else self.mask, value_bits=self.bits)
        return values._replace(bits=values.bits + self.side_bits)

    def cost(self, x_shape: tuple[int, ...]) -> Cost:
        """Dense MACs in float; the weight's bits are those of codes, indices and scales."""
        x, weight = (torch.empty(s, device="meta") for s in (x_shape, self.weight_shape))
        return dense_kernel_cost(
            tuple(self._apply_weight(x, weight, None).shape),
            weight_shape=self.weight_shape,
            weight_bits=self.storage().bits,
            bias_bits=self.bias_bits(),
        )

    def extra_repr(self) -> str:
        return f"{'x'.join(map(str, self.weight_shape))}, bits={self.bits}"

    def _apply_weight(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        (form,) = self._form
        if isinstance(form, nn.Conv2d):
            return form._conv_forward(x, weight, bias)
        return functional.linear(x, weight, bias)


def _form_of(layer: nn.Linear | nn.Conv2d) -> nn.Linear | nn.Conv2d:
    """The layer's strides and paddings, with no weight in it."""
    forget = {id(t): None for t in [*layer.parameters(), *layer.buffers()]}
    form = deepcopy(layer, forget)  # pyright: ignore[reportArgumentType]
    form._forward_hooks.clear()
    form._forward_pre_hooks.clear()
    return form
