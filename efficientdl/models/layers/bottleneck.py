"""The bottleneck, brick of the deeper ResNets: wide, narrow, wide again."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.convolutions import pointwise_conv, standard_conv


class Bottleneck(nn.Module):
    """Reduce the channels, filter them by 3x3, restore four times as many, and add the input.

    The 3x3 convolution, the dear one, works where the network is narrow. Its stride is that of
    the block (ResNet "v1.5"): the paper's first form put it into the first 1x1 convolution, which
    then never saw three quarters of the pixels.

    Args:
        c_in: Channels that come in.
        width: Channels in the middle; `4 * width` go out.
        stride: Of the 3x3 convolution. Where the shape changes, a 1x1 convolution brings the
            input to it.

    Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
    Figure 5; lab 01.
    """

    def __init__(self, c_in: int, width: int, *, stride: int = 1) -> None:
        super().__init__()
        c_out = 4 * width
        self.reduce = conv_norm_activation(pointwise_conv(c_in, width))
        self.spatial = conv_norm_activation(standard_conv(width, width, stride=stride))
        self.restore = conv_norm_activation(pointwise_conv(width, c_out), None)
        self.shortcut = None
        if stride != 1 or c_in != c_out:
            self.shortcut = conv_norm_activation(pointwise_conv(c_in, c_out, stride=stride), None)
        self.activation = nn.ReLU()

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out p q"]:
        y = self.restore(self.spatial(self.reduce(x)))
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return self.activation(shortcut + y)
