"""Squeeze-and-excitation: let the whole image decide how loud each channel is."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.models.layers.convolutions import pointwise_conv


class SqueezeExcitation(nn.Module):
    """Scale each channel by a number in 0..1 computed from all channels' averages.

    The averages pass two pointwise convolutions on a single pixel, so the block costs parameters
    but hardly a MAC.

    Args:
        channels: How many it scales.
        squeezed: How many the narrow layer in between has.

    Source: Hu, Shen and Sun, "Squeeze-and-Excitation Networks", CVPR 2018, section 3; the hard
    sigmoid as in Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = pointwise_conv(channels, squeezed, bias=True)
        self.activation = nn.ReLU()
        self.excite = pointwise_conv(squeezed, channels, bias=True)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        squeezed = self.activation(self.squeeze(self.pool(x)))
        return x * self.gate(self.excite(squeezed))
