"""SqueezeNet: AlexNet's accuracy in a fiftieth of its weights."""

from collections import OrderedDict
from functools import partial

from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Network, technique
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import Fire, conv_activation

# Table 1: input channels, squeeze, expand (of each kind). A pooling follows fire4 and fire8.
FIRES = {
    "fire2": (96, 16, 64),
    "fire3": (128, 16, 64),
    "fire4": (128, 32, 128),
    "fire5": (256, 32, 128),
    "fire6": (256, 48, 192),
    "fire7": (384, 48, 192),
    "fire8": (384, 64, 256),
    "fire9": (512, 64, 256),
}


def _halve() -> nn.MaxPool2d:
    """The pooling that halves a map, rounding up, as Caffe does."""
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def squeezenet_layers(classes: int) -> nn.Sequential:
    """SqueezeNet 1.0 layer by layer, with the paddings that its authors' Caffe file has."""
    _check.whole("squeezenet", "classes", classes, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=conv_activation(nn.Conv2d(3, 96, 7, stride=2)),  # 227 -> 111
        pool1=_halve(),  # 111 -> 55
    )
    for name, (channels, squeeze, expand) in FIRES.items():
        layers[name] = Fire(channels, squeeze, expand)
        if name in {"fire4", "fire8"}:
            layers[f"pool{name[-1]}"] = _halve()  # 55 -> 27 -> 13
    layers |= OrderedDict(
        drop9=nn.Dropout(0.5),
        conv10=conv_activation(nn.Conv2d(512, classes, 1, padding=1)),  # 13 -> 15
        pool10=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
    )
    return nn.Sequential(layers)


@technique(
    "arch-squeezenet",
    paper="Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, SqueezeNet: AlexNet-level accuracy "
    "with 50x fewer parameters and <0.5MB model size, 2016",
    survey="2.5, Table 1",
    lab="01_costs",
    kind=Network(resolution=227, params=1_248_424, macs=861_339_936),
)
def squeezenet(*, classes: int = 1000, seed: int) -> nn.Module:
    """SqueezeNet: eight fire modules and no linear layer at all.

    It has few weights, yet more MACs than AlexNet, because its maps stay large for long. The
    survey's 1700 M are operations, two for each MAC. The padding of conv10 adds a rim of zeros
    around its map, as the authors' file does; the MACs on that rim are counted.

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    Source: Iandola et al., 2016, Table 1, and the authors' SqueezeNet v1.0 `train_val.prototxt`;
    the survey's section 2.5, Table 1; lab 01.
    """
    return seeded(partial(squeezenet_layers, classes), seed=seed)
