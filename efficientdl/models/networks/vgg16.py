"""VGG-16: nothing but 3x3 convolutions."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import standard_conv

# Table 1, column D: channels and number of the convolutions before each pooling.
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def vgg16_layers(classes: int) -> nn.Sequential:
    """VGG-16 layer by layer, with the paper's names: conv3_1 is the first of the third stage."""
    _check.whole("vgg16", "classes", classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for stage, (width, depth) in enumerate(STAGES, start=1):
        for i in range(1, depth + 1):
            layers[f"conv{stage}_{i}"] = standard_conv(channels, width, bias=True)
            layers[f"relu{stage}_{i}"] = nn.ReLU()
            channels = width
        layers[f"pool{stage}"] = nn.MaxPool2d(2)
    layers |= OrderedDict(
        flatten=nn.Flatten(),
        fc6=nn.Linear(512 * 7 * 7, 4096),
        relu6=nn.ReLU(),
        drop6=nn.Dropout(0.5),
        fc7=nn.Linear(4096, 4096),
        relu7=nn.ReLU(),
        drop7=nn.Dropout(0.5),
        fc8=nn.Linear(4096, classes),
    )
    return nn.Sequential(layers)


@technique(
    "arch-vgg16",
    paper="Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image "
    "Recognition, 2015",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=138_357_544, macs=15_470_264_320),
)
def vgg16(*, classes: int = 1000, seed: int) -> nn.Module:
    """VGG-16: two or three 3x3 convolutions in a row in place of one large one.

    Two 3x3 convolutions see as far as one 5x5 with 18 weights instead of 25, and have a ReLU
    more. It is the heaviest network of the table, and the plainest.

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: Simonyan and Zisserman, ICLR 2015, Table 1, column D; the survey's Table 1; lab 01.
    """
    return seeded(partial(vgg16_layers, classes), seed=seed)
