"""ShuffleNetV1: pointwise group convolutions and channel shuffles."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import ShuffleUnitV1, conv_norm_activation, standard_conv

# Table 1, column g = 3, for each width: channels of the stem, output channels of the stages. The
# stem is as the authors' code has it: not 36 at width 1.5, but 24, which gives the published 292 M.
GROUPS = 3
CHANNELS = {
    0.5: (12, 120, 240, 480),
    1.0: (24, 240, 480, 960),
    1.5: (24, 360, 720, 1440),
    2.0: (48, 480, 960, 1920),
}
DEPTHS = {"stage2": 4, "stage3": 8, "stage4": 4}


def shufflenet_v1_layers(classes: int, *, width: float = 1.5) -> nn.Sequential:
    """ShuffleNetV1 with three groups, layer by layer, in one of the four widths of the paper."""
    _check.whole("shufflenet_v1", "classes", classes, 1)
    _check.one_of("shufflenet_v1", "width", width, CHANNELS)
    channels, *stages = CHANNELS[width]
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_norm_activation(standard_conv(3, channels, stride=2)),
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
    )
    for c_out, (name, depth) in zip(stages, DEPTHS.items(), strict=True):
        # The stem has too few channels to group them.
        first = 1 if name == "stage2" else GROUPS
        units = [ShuffleUnitV1(channels, c_out, groups=GROUPS, stride=2, first_groups=first)]
        units += [ShuffleUnitV1(c_out, c_out, groups=GROUPS, stride=1) for _ in range(depth - 1)]
        layers[name] = nn.Sequential(*units)
        channels = c_out
    layers |= OrderedDict(
        pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), fc=nn.Linear(channels, classes)
    )
    return nn.Sequential(layers)


@technique(
    "arch-shufflenet-v1",
    paper="Zhang, Zhou, Lin and Sun, ShuffleNet: An Extremely Efficient Convolutional Neural "
    "Network for Mobile Devices, 2018",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=224, params=3_442_168, macs=292_443_552),
)
def shufflenet_v1(*, classes: int = 1000, width: float = 1.5, seed: int) -> nn.Module:
    """ShuffleNetV1: bottlenecks whose pointwise convolutions are grouped, then shuffled.

    With three groups the pointwise convolutions cost a third, so the network can afford wider
    maps for the same MACs.

    Args:
        classes: Outputs of the last layer.
        width: 0.5, 1, 1.5 (the survey's row) or 2 times the channels of the paper's table.
        seed: Draws the weights.

    Source: Zhang et al., CVPR 2018, Table 1; the survey's section 2.5, Table 1; lab 01.
    """
    return seeded(partial(shufflenet_v1_layers, classes, width=width), seed=seed)
