"""Convolution, batch norm, activation: the brick of nearly every network since 2015."""

from collections import OrderedDict

from torch import nn


def conv_norm_activation(
    conv: nn.Conv2d, activation: type[nn.Module] | None = nn.ReLU
) -> nn.Sequential:
    """Follow a convolution by batch norm, and by an activation if there is to be one.

    Without an activation the brick is linear, as the last layer of a residual branch and the
    narrow end of an inverted residual are.

    >>> list(dict(conv_norm_activation(nn.Conv2d(3, 8, 3)).named_children()))
    ['conv', 'norm', 'activation']

    Source: Ioffe and Szegedy, "Batch Normalization", ICML 2015, section 3.2.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=conv, norm=nn.BatchNorm2d(conv.out_channels)
    )
    if activation is not None:
        layers["activation"] = activation()
    return nn.Sequential(layers)
