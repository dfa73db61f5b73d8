"""MobileNetV2: inverted residuals, in any width."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import (
    InvertedResidual,
    conv_norm_activation,
    pointwise_conv,
    standard_conv,
)

# Table 2: expansion t, output channels c, repeats n, stride s of the first repeat.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def scaled(channels: float, *, multiple: int = 8) -> int:
    """Round a scaled channel count to a multiple of 8, never down by more than a tenth.

    >>> scaled(24 * 1.4), scaled(24 * 0.35)
    (32, 8)
    """
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded if rounded >= 0.9 * channels else rounded + multiple


def mobilenet_v2_layers(classes: int, *, width: float = 1.0) -> nn.Sequential:
    """MobileNetV2 layer by layer, all channels scaled by `width`.

    The last convolution is never made narrower than 1280.
    """
    _check.whole("mobilenet_v2", "classes", classes, 1)
    _check.in_range("mobilenet_v2", "width", width, 0.05, 10)
    channels = scaled(32 * width)
    stem = standard_conv(3, channels, stride=2)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=conv_norm_activation(stem, nn.ReLU6))
    for i, (expansion, c, depth, first_stride) in enumerate(STAGES, start=1):
        c_out, blocks = scaled(c * width), []
        for k in range(depth):
            hidden, stride = expansion * channels, first_stride if k == 0 else 1
            blocks.append(InvertedResidual(channels, c_out, hidden=hidden, stride=stride))
            channels = c_out
        layers[f"stage{i}"] = nn.Sequential(*blocks)
    features = scaled(1280 * max(1.0, width))
    last = pointwise_conv(channels, features)
    layers |= OrderedDict(
        last=conv_norm_activation(last, nn.ReLU6),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(features, classes),
    )
    return nn.Sequential(layers)


@technique(
    "arch-mobilenet-v2",
    paper="Sandler, Howard, Zhu, Zhmoginov and Chen, MobileNetV2: Inverted Residuals and Linear "
    "Bottlenecks, 2018",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=3_504_872, macs=300_774_272),
)
def mobilenet_v2(*, classes: int = 1000, width: float = 1.0, seed: int) -> nn.Module:
    """MobileNetV2: seventeen inverted residuals, their wide middles made cheap by depthwise layers.

    Width 1.4 is the survey's second row: 6.06 M weights without batch norm and 582 M MACs, as
    Google's table of checkpoints says; the 6.9 M and 585 M that the paper and the survey print do
    not belong to the network that was released.

    Args:
        classes: Outputs of the last layer.
        width: Scales the channels of every layer.
        seed: Draws the weights.

    Source: Sandler et al., CVPR 2018, Table 2; the survey's section 2.5, Table 1; lab 01.
    """
    return seeded(partial(mobilenet_v2_layers, classes, width=width), seed=seed)
