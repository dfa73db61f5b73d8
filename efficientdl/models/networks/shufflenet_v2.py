"""ShuffleNetV2: designed by the clock, not by counting MACs."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import (
    ShuffleUnitV2,
    conv_norm_activation,
    pointwise_conv,
    standard_conv,
)

# Table 5: output channels of stages 2, 3 and 4 and of the last convolution, for each width.
CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
DEPTHS = {"stage2": 4, "stage3": 8, "stage4": 4}
STEM = 24


def shufflenet_v2_layers(classes: int, *, width: float = 1.5) -> nn.Sequential:
    """ShuffleNetV2 layer by layer, in one of the four widths of the paper."""
    _check.whole("shufflenet_v2", "classes", classes, 1)
    _check.one_of("shufflenet_v2", "width", width, CHANNELS)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_norm_activation(standard_conv(3, STEM, stride=2)),
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
    )
    *stages, features = CHANNELS[width]
    channels = STEM
    for c_out, (name, depth) in zip(stages, DEPTHS.items(), strict=True):
        units = [ShuffleUnitV2(channels, c_out, stride=2)]
        units += [ShuffleUnitV2(c_out, c_out, stride=1) for _ in range(depth - 1)]
        layers[name] = nn.Sequential(*units)
        channels = c_out
    layers |= OrderedDict(
        conv5=conv_norm_activation(pointwise_conv(channels, features)),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        fc=nn.Linear(features, classes),
    )
    return nn.Sequential(layers)


@technique(
    "arch-shufflenet-v2",
    paper="Ma, Zhang, Zheng and Sun, ShuffleNet V2: Practical Guidelines for Efficient CNN "
    "Architecture Design, 2018",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=3_503_624, macs=295_759_392),
)
def shufflenet_v2(*, classes: int = 1000, width: float = 1.5, seed: int) -> nn.Module:
    """ShuffleNetV2: half of the channels pass by untouched in every unit.

    The published 299 M and 591 M MACs (widths 1.5 and 2) are 1 % more than the convolutions and
    the linear layer do: 299 comes out when batch norm counts as one operation for each element,
    591 when it counts as two, and no one rule gives all four published sizes.

    Args:
        classes: Outputs of the last layer.
        width: 0.5, 1, 1.5 or 2, a column of the paper's table.
        seed: Draws the weights.

    Source: Ma et al., ECCV 2018, Table 5; the survey's section 2.5, Table 1; lab 01.
    """
    return seeded(partial(shufflenet_v2_layers, classes, width=width), seed=seed)
