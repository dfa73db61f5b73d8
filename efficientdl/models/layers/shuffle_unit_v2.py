"""ShuffleNetV2's brick: split the channels, work on half of them, shuffle."""

from collections import OrderedDict

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.channel_shuffle import channel_shuffle
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.convolutions import depthwise_conv, pointwise_conv


class ShuffleUnitV2(nn.Module):
    """Keep half of the channels as they are, work on the other half, and shuffle the two.

    Nothing is grouped and nothing is added, because both cost memory traffic that MACs do not
    show. At stride 2 there is no half to keep: both branches see the whole input.

    Args:
        c_in: Channels that come in.
        c_out: Channels that go out, half of them from each branch.
        stride: 1, with `c_in == c_out`, or 2.

    Source: Ma, Zhang, Zheng and Sun, "ShuffleNet V2: Practical Guidelines for Efficient CNN
    Architecture Design", ECCV 2018, section 3, Figure 3; the survey's section 2.5; lab 01.
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int) -> None:
        super().__init__()
        _check.one_of("ShuffleUnitV2", "stride", stride, (1, 2))
        _check.divides("ShuffleUnitV2", "the number of halves", 2, "c_out", c_out)
        if stride == 1 and c_in != c_out:
            _check.fail("ShuffleUnitV2", "c_out", f"must be c_in = {c_in} at stride 1", c_out)
        half = c_out // 2
        seen = half if stride == 1 else c_in
        self.shortcut = None
        if stride == 2:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    depthwise=conv_norm_activation(depthwise_conv(c_in, stride=2), None),
                    pointwise=conv_norm_activation(pointwise_conv(c_in, half)),
                )
            )
        self.reduce = conv_norm_activation(pointwise_conv(seen, half))
        self.depthwise = conv_norm_activation(depthwise_conv(half, stride=stride), None)
        self.expand = conv_norm_activation(pointwise_conv(half, half))

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out p q"]:
        if self.shortcut is None:
            kept, worked = x.chunk(2, dim=1)
        else:
            kept, worked = self.shortcut(x), x
        y = self.expand(self.depthwise(self.reduce(worked)))
        return channel_shuffle(torch.cat([kept, y], dim=1), groups=2)
