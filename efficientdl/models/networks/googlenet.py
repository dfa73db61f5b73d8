"""GoogLeNet: nine inception modules."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import (
    Inception,
    InceptionWidths,
    conv_activation,
    pointwise_conv,
    standard_conv,
)

# Table 1: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj. A pooling follows 3b and 4e.
TABLE_1 = {
    "3a": InceptionWidths(64, 96, 128, 16, 32, 32),
    "3b": InceptionWidths(128, 128, 192, 32, 96, 64),
    "4a": InceptionWidths(192, 96, 208, 16, 48, 64),
    "4b": InceptionWidths(160, 112, 224, 24, 64, 64),
    "4c": InceptionWidths(128, 128, 256, 24, 64, 64),
    "4d": InceptionWidths(112, 144, 288, 32, 64, 64),
    "4e": InceptionWidths(256, 160, 320, 32, 128, 128),
    "5a": InceptionWidths(256, 160, 320, 32, 128, 128),
    "5b": InceptionWidths(384, 192, 384, 48, 128, 128),
}


def _halve() -> nn.MaxPool2d:
    """The pooling that halves a map, rounding up, as Caffe does."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def googlenet_layers(classes: int) -> nn.Sequential:
    """GoogLeNet layer by layer, without the two auxiliary classifiers, used only in training."""
    _check.whole("googlenet", "classes", classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_activation(standard_conv(3, 64, 7, stride=2, bias=True)),
        pool1=_halve(),
        conv2_reduce=conv_activation(pointwise_conv(64, 64, bias=True)),
        conv2=conv_activation(standard_conv(64, 192, bias=True)),
        pool2=_halve(),
    )
    channels = 192
    for name, widths in TABLE_1.items():
        layers[f"inception{name}"] = Inception(channels, widths)
        channels = widths.c_out
        if name in {"3b", "4e"}:
            layers[f"pool{name[0]}"] = _halve()
    layers |= OrderedDict(
        pool5=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        drop=nn.Dropout(0.4),
        fc=nn.Linear(channels, classes),
    )
    return nn.Sequential(layers)


@technique(
    "arch-googlenet",
    paper="Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich, Going "
    "Deeper with Convolutions, 2015",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=6_998_552, macs=1_582_671_872),
)
def googlenet(*, classes: int = 1000, seed: int) -> nn.Module:
    """GoogLeNet: inception modules, and an average in place of huge linear layers.

    Nearly nine times fewer weights than AlexNet, and more accurate. The survey prints 6.8 M
    weights and 1550 M MACs; counting the network of the paper's own table gives 7.0 M and 1583 M,
    because that table's columns of sizes and operations do not add up to what its widths say.
    Local response normalization is left out, as in `alexnet`.

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: Szegedy et al., CVPR 2015, Table 1; the survey's Table 1; lab 01.
    """
    return seeded(partial(googlenet_layers, classes), seed=seed)
