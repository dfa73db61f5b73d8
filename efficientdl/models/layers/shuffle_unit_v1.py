"""ShuffleNetV1's brick: pointwise group convolutions, with a channel shuffle between them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.channel_shuffle import channel_shuffle
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.convolutions import depthwise_conv, pointwise_conv


class ShuffleUnitV1(nn.Module):
    """A bottleneck whose pointwise convolutions are grouped, so the shuffle must mix the groups.

    In small networks nearly all MACs are pointwise; grouping divides them by `groups`. At stride
    1 the input is added; at stride 2 it is averaged and stacked beside the branch, which then has
    only the missing channels to make.

    Args:
        c_in: Channels that come in.
        c_out: Channels that go out; the bottleneck has a quarter of them.
        groups: Of the pointwise convolutions.
        stride: 1, with `c_in == c_out`, or 2.
        first_groups: Of the first pointwise convolution where it differs: the very first unit has
            too few channels to group them.

    Source: Zhang et al., "ShuffleNet", CVPR 2018, section 3.2, Figure 2; the survey's section
    2.5; lab 01.
    """

    def __init__(
        self, c_in: int, c_out: int, *, groups: int, stride: int, first_groups: int | None = None
    ) -> None:
        super().__init__()
        _check.one_of("ShuffleUnitV1", "stride", stride, (1, 2))
        if stride == 1 and c_in != c_out:
            _check.fail("ShuffleUnitV1", "c_out", f"must be c_in = {c_in} at stride 1", c_out)
        width = c_out // 4
        branch_out = c_out - c_in if stride == 2 else c_out
        reduce = pointwise_conv(c_in, width, groups=first_groups or groups)
        self.groups = groups
        self.reduce = conv_norm_activation(reduce)
        self.depthwise = conv_norm_activation(depthwise_conv(width, stride=stride), None)
        self.expand = conv_norm_activation(pointwise_conv(width, branch_out, groups=groups), None)
        self.shortcut = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None
        self.activation = nn.ReLU()

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out p q"]:
        y = channel_shuffle(self.reduce(x), self.groups)
        y = self.expand(self.depthwise(y))
        if self.shortcut is None:
            return self.activation(x + y)
        return self.activation(torch.cat([self.shortcut(x), y], dim=1))
