"""MobileNetV1: a VGG whose 3x3 convolutions are split into depthwise and pointwise."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import conv_norm_activation, depthwise_separable, standard_conv

# Table 1: output channels and stride of the thirteen depthwise separable convolutions.
BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)


def mobilenet_v1_layers(classes: int) -> nn.Sequential:
    """MobileNetV1 layer by layer."""
    _check.whole("mobilenet_v1", "classes", classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_norm_activation(standard_conv(3, 32, stride=2))
    )
    channels = 32
    for i, (width, stride) in enumerate(BLOCKS, start=1):
        layers[f"block{i}"] = depthwise_separable(channels, width, stride=stride)
        channels = width
    layers |= OrderedDict(
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, classes)
    )
    return nn.Sequential(layers)


@technique(
    "arch-mobilenet-v1",
    paper="Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto and Adam, MobileNets: "
    "Efficient Convolutional Neural Networks for Mobile Vision Applications, 2017",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=4_231_976, macs=568_740_352),
)
def mobilenet_v1(*, classes: int = 1000, seed: int) -> nn.Module:
    """MobileNetV1: one standard convolution, then thirteen depthwise separable ones.

    95 % of its MACs are pointwise convolutions, which are plain matrix products. (The survey's
    section 2.5 says that 1280 features reach the last layer; here, as in the paper, it is 1024.)

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: Howard et al., 2017, Table 1; the survey's section 2.5, Table 1; lab 01.
    """
    return seeded(partial(mobilenet_v1_layers, classes), seed=seed)
