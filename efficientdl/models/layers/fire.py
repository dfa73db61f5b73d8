"""The fire module, SqueezeNet's brick."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.models.layers.conv_activation import conv_activation
from efficientdl.models.layers.convolutions import pointwise_conv, standard_conv


class Fire(nn.Module):
    """Squeeze to few channels, then expand by 1x1 and 3x3 convolutions side by side.

    The dear 3x3 convolution sees only the few squeezed channels, and half of the outputs come
    from the 1x1 convolution, nine times cheaper.

    Args:
        c_in: Channels that come in.
        squeeze: Channels of the squeeze layer.
        expand: Channels of each of the two expand layers; `2 * expand` go out.

    Source: Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, "SqueezeNet", 2016, section 3.2;
    the survey's section 2.5; lab 01.
    """

    def __init__(self, c_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = conv_activation(pointwise_conv(c_in, squeeze, bias=True))
        self.expand1x1 = conv_activation(pointwise_conv(squeeze, expand, bias=True))
        self.expand3x3 = conv_activation(standard_conv(squeeze, expand, bias=True))

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        x = self.squeeze(x)
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1)
