"""What a convolution is apart from its weight: how its window moves, and what the border is."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class ConvForm:
    """The form of a convolution, for a layer that holds its weight in another way than torch does.

    `take_form` copies it from a convolution; `convolve` then does what that did.
    """

    def take_form(self, layer: "nn.Conv2d | ConvForm") -> None:
        """Take over channels, strides, paddings and groups.

        Args:
            layer: The convolution to stand for.
        """
        self.in_channels, self.out_channels = layer.in_channels, layer.out_channels
        self.kernel_size, self.stride = pair(layer.kernel_size), pair(layer.stride)
        self.padding, self.dilation, self.groups = layer.padding, pair(layer.dilation), layer.groups
        self.padding_mode = layer.padding_mode
        # widths of the border, last axis first, as functional.pad takes them
        is_form = isinstance(layer, ConvForm)
        self.border = layer.border if is_form else list(layer._reversed_padding_repeated_twice)

    def convolve(
        self,
        x: Float[Tensor, "*n c_in h w"],
        weight: Float[Tensor, "..."],
        bias: Float[Tensor, " c_out"] | None,
    ) -> Float[Tensor, "*n c_out p q"]:
        """The convolution of an input with a weight.

        Args:
            x: The input.
            weight: A weight of this form.
            bias: One for each output, or none.
        """
        padding = self.padding
        if self.padding_mode != "zeros":  # functional.conv2d knows no other border
            x, padding = functional.pad(x, self.border, mode=self.padding_mode), 0
        return functional.conv2d(x, weight, bias, self.stride, padding, self.dilation, self.groups)

    def y_shape(self, x_shape: tuple[int, ...], weight_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the output, by torch's own rules: nothing is computed.

        Args:
            x_shape: The input's shape.
            weight_shape: The weight's.
        """
        x, weight = (torch.empty(shape, device="meta") for shape in (x_shape, weight_shape))
        return tuple(self.convolve(x, weight, None).shape)


def pair(sides: tuple[int, ...] | int) -> tuple[int, int]:
    """One number for both directions, or one for each, as two.

    >>> pair(3), pair((1, 2))
    ((3, 3), (1, 2))
    """
    down, right = (sides, sides) if isinstance(sides, int) else sides
    return down, right
