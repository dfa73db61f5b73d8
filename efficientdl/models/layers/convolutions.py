"""The standard convolution and the three cheap ones: pointwise, group and depthwise.

A convolution has one weight for every input channel, output channel and place in its kernel, and
uses each of them once for every output pixel. Its cost is that product, so it can be made cheaper
in two ways: a smaller kernel, or fewer input channels for each output channel.

All of them pad so that stride 1 keeps the size of the map. They have no bias unless it is asked
for, because batch norm, which follows most of them, has one of its own.
"""

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Layer, technique


def standard_conv(
    c_in: int, c_out: int, kernel: int = 3, *, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Build the convolution that the cheap ones replace: every output sees every input channel.

    It costs `kernel**2 * c_in * c_out` MACs for each output pixel.

    >>> standard_conv(16, 32).weight.shape
    torch.Size([32, 16, 3, 3])

    Source: the survey's section 2.5; lab 01.
    """
    return group_conv(c_in, c_out, kernel=kernel, groups=1, stride=stride, bias=bias)


def pointwise_conv(
    c_in: int, c_out: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Build a 1x1 convolution: it mixes channels and leaves neighbouring pixels alone.

    `K**2` times cheaper than a K x K convolution. It cannot see shapes, so it works beside
    layers that can.

    >>> pointwise_conv(16, 32).weight.shape
    torch.Size([32, 16, 1, 1])

    Source: the survey's section 2.5; lab 01.
    """
    return group_conv(c_in, c_out, kernel=1, groups=groups, stride=stride, bias=bias)


@technique(
    "conv-pointwise-group-depthwise",
    paper="Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto and Adam, MobileNets: "
    "Efficient Convolutional Neural Networks for Mobile Vision Applications, 2017; Zhang, Zhou, "
    "Lin and Sun, ShuffleNet, 2018",
    survey="2.5",
    lab="01_costs",
    kind=Layer(
        options={"groups": 4},
        identity={"groups": 1},
        mac_ratio=lambda c_in, c_out, *, groups: float(groups),  # noqa: ARG005
    ),
)
def group_conv(
    c_in: int, c_out: int, *, kernel: int = 3, groups: int, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Pointwise, group and depthwise convolution in one: a kernel size and a number of groups.

    The channels are split into G groups, and each group is convolved by itself: an output channel
    sees `c_in / G` input channels, so weights and MACs shrink G times. Nothing passes between the
    groups; ShuffleNet's channel shuffle mends that. The two extremes have their own names:
    `pointwise_conv` shrinks the kernel instead, `K**2` times, and `depthwise_conv` goes as far as
    one group for each channel, `c_in` times.

    Args:
        c_in: Input channels, a multiple of `groups`.
        c_out: Output channels, a multiple of `groups`.
        kernel: Side of the kernel, odd.
        groups: How many; 1 is the standard convolution.
        stride: Step between outputs.
        bias: Whether each output channel has one.

    >>> group_conv(16, 32, groups=4).weight.shape
    torch.Size([32, 4, 3, 3])

    Source: Howard et al., "MobileNets", 2017, section 3.1; Zhang et al., "ShuffleNet", CVPR 2018,
    section 3.1; the survey's section 2.5; lab 01.
    """
    _check.divides("group_conv", "groups", groups, "c_in", c_in)
    _check.divides("group_conv", "groups", groups, "c_out", c_out)
    _check.whole("group_conv", "kernel", kernel, 1)
    if kernel % 2 == 0:
        _check.fail("group_conv", "kernel", "must be odd, so that it has a centre", kernel)
    padding = kernel // 2
    return nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=bias)


def depthwise_conv(
    channels: int, *, kernel: int = 3, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Build a depthwise convolution: one filter for each channel, seeing that channel alone.

    `channels` times cheaper than a standard convolution of the same kernel. It sees shapes and
    does not mix channels, the other half of what `pointwise_conv` does.

    >>> depthwise_conv(16).weight.shape
    torch.Size([16, 1, 3, 3])

    Source: Howard et al., "MobileNets", 2017, section 3.1; the survey's section 2.5; lab 01.
    """
    return group_conv(channels, channels, kernel=kernel, groups=channels, stride=stride, bias=bias)
