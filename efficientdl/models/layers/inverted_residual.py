"""The inverted residual, brick of MobileNetV2 and V3: narrow, wide, narrow again."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.convolutions import depthwise_conv, pointwise_conv
from efficientdl.models.layers.squeeze_excitation import SqueezeExcitation


class InvertedResidual(nn.Module):
    """Expand the channels, filter each one depthwise, project back, and add the input.

    A depthwise convolution is weak but cheap: its cost grows linearly with its channels, so it is
    given many. What travels between blocks, and is kept by the skip connection, stays narrow. The
    projection has no activation, because a ReLU on few channels loses what it cuts off.

    Args:
        c_in: Channels that come in.
        c_out: Channels that go out.
        hidden: Channels in the middle; where they equal `c_in`, nothing is expanded.
        kernel: Side of the depthwise kernel.
        stride: Of the depthwise convolution. The input is added where it has the output's shape.
        activation: `nn.ReLU6` in V2; `nn.ReLU` or `nn.Hardswish` in V3.
        squeezed: Width of a squeeze-and-excitation after the depthwise convolution; 0 for none.

    >>> block = InvertedResidual(16, 24, hidden=96, stride=2)
    >>> [name for name, _ in block.named_children()]
    ['expand', 'depthwise', 'project']

    Source: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", CVPR 2018, section 3, Table 1; the survey's section 2.5; lab 01.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        hidden: int,
        kernel: int = 3,
        stride: int = 1,
        activation: type[nn.Module] = nn.ReLU6,
        squeezed: int = 0,
    ) -> None:
        super().__init__()
        _check.whole("InvertedResidual", "hidden", hidden, 1)
        self.adds_input = stride == 1 and c_in == c_out
        self.expand = None
        if hidden != c_in:
            self.expand = conv_norm_activation(pointwise_conv(c_in, hidden), activation)
        depthwise = depthwise_conv(hidden, kernel=kernel, stride=stride)
        self.depthwise = conv_norm_activation(depthwise, activation)
        self.squeeze_excitation = SqueezeExcitation(hidden, squeezed) if squeezed else None
        self.project = conv_norm_activation(pointwise_conv(hidden, c_out), None)

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out p q"]:
        y = x if self.expand is None else self.expand(x)
        y = self.depthwise(y)
        if self.squeeze_excitation is not None:
            y = self.squeeze_excitation(y)
        y = self.project(y)
        return x + y if self.adds_input else y
