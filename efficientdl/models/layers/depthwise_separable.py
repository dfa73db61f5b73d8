"""The depthwise separable convolution, MobileNetV1's brick."""

from collections import OrderedDict

from torch import nn

from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.convolutions import depthwise_conv, pointwise_conv


def depthwise_separable(c_in: int, c_out: int, *, stride: int = 1) -> nn.Sequential:
    """Split a 3x3 convolution in two: depthwise sees shapes, pointwise mixes channels.

    For each output pixel that is `9 * c_in + c_in * c_out` MACs instead of `9 * c_in * c_out`:
    `1 / c_out + 1 / 9` of the cost, which is 8 to 9 times less in a wide layer.

    >>> list(dict(depthwise_separable(8, 16).named_children()))
    ['depthwise', 'pointwise']

    Source: Howard et al., "MobileNets", 2017, section 3.1; the survey's section 2.5; lab 01.
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=conv_norm_activation(depthwise_conv(c_in, stride=stride)),
            pointwise=conv_norm_activation(pointwise_conv(c_in, c_out)),
        )
    )
