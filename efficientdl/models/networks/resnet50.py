"""ResNet-50: fifty layers, made trainable by adding each block's input to its output."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import Bottleneck, conv_norm_activation, standard_conv

# Table 1, 50-layer column: width of the bottlenecks, how many, stride of the first.
STAGES = {"conv2": (64, 3, 1), "conv3": (128, 4, 2), "conv4": (256, 6, 2), "conv5": (512, 3, 2)}


def resnet50_layers(classes: int) -> nn.Sequential:
    """ResNet-50 layer by layer, in the form with the stride in the 3x3 convolutions (v1.5)."""
    _check.whole("resnet50", "classes", classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_norm_activation(standard_conv(3, 64, 7, stride=2)),
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
    )
    channels = 64
    for name, (width, depth, stride) in STAGES.items():
        blocks = [Bottleneck(channels, width, stride=stride)]
        channels = 4 * width
        blocks += [Bottleneck(channels, width) for _ in range(depth - 1)]
        layers[name] = nn.Sequential(*blocks)
    layers |= OrderedDict(
        pool5=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, classes)
    )
    return nn.Sequential(layers)


@technique(
    "arch-resnet50",
    paper="He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, 2016",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=25_557_032, macs=4_089_184_256),
)
def resnet50(*, classes: int = 1000, seed: int) -> nn.Module:
    """ResNet-50: bottlenecks with skip connections.

    A block that has nothing to add can answer zero, so depth stops hurting. The survey's 25.5 M
    weights leave out those of batch norm; with them there are 25.6 M.

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: He et al., CVPR 2016, Table 1; the survey's Table 1; lab 01.
    """
    return seeded(partial(resnet50_layers, classes), seed=seed)
