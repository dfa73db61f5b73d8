"""MobileNetV3-Large: found by search, finished by hand."""

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
from efficientdl.models.networks.mobilenet_v2 import scaled

RE, HS = nn.ReLU, nn.Hardswish

# Table 1: kernel, expansion size, output channels, squeeze-and-excitation, nonlinearity, stride.
BLOCKS = (
    (3, 16, 16, False, RE, 1),
    (3, 64, 24, False, RE, 2),
    (3, 72, 24, False, RE, 1),
    (5, 72, 40, True, RE, 2),
    (5, 120, 40, True, RE, 1),
    (5, 120, 40, True, RE, 1),
    (3, 240, 80, False, HS, 2),
    (3, 200, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 480, 112, True, HS, 1),
    (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2),
    (5, 960, 160, True, HS, 1),
    (5, 960, 160, True, HS, 1),
)


def mobilenet_v3_large_layers(classes: int) -> nn.Sequential:
    """MobileNetV3-Large layer by layer; the pooling comes before the last wide layer."""
    _check.whole("mobilenet_v3_large", "classes", classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_norm_activation(standard_conv(3, 16, stride=2), HS)
    )
    channels = 16
    for i, (kernel, hidden, c_out, excited, activation, stride) in enumerate(BLOCKS, start=1):
        layers[f"block{i}"] = InvertedResidual(
            channels,
            c_out,
            hidden=hidden,
            kernel=kernel,
            stride=stride,
            activation=activation,
            squeezed=scaled(hidden / 4) if excited else 0,
        )
        channels = c_out
    layers |= OrderedDict(
        last=conv_norm_activation(pointwise_conv(channels, 960), HS),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        features=nn.Linear(960, 1280),
        activation=nn.Hardswish(),
        drop=nn.Dropout(0.2),
        fc=nn.Linear(1280, classes),
    )
    return nn.Sequential(layers)


@technique(
    "arch-mobilenet-v3",
    paper="Howard, Sandler, Chu, Chen, Chen, Tan, Wang, Zhu, Pang, Vasudevan, Le and Adam, "
    "Searching for MobileNetV3, 2019",
    survey="3.2, Table 3",
    lab="01_costs",
    kind=Network(resolution=224, params=5_483_032, macs=216_589_760),
)
def mobilenet_v3_large(*, classes: int = 1000, seed: int) -> nn.Module:
    """MobileNetV3-Large: inverted residuals with squeeze-and-excitation and hard-swish.

    The wide layer before the classifier works on one pixel instead of 49, because the average is
    taken before it. Counted, the network has 217 M MACs, as Google's table of checkpoints says; the
    paper and the survey print 219 M. (Read to the letter, the first line of the paper's table
    expands 16 channels to 16, which would make 219.8 M; the released network leaves that out.)

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: Howard et al., ICCV 2019, Table 1; the survey's section 3.2, Table 3; lab 01.
    """
    return seeded(partial(mobilenet_v3_large_layers, classes), seed=seed)
