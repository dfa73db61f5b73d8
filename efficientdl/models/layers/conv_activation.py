"""Convolution, activation: how networks were built before batch norm."""

from collections import OrderedDict

from torch import nn


def conv_activation(conv: nn.Conv2d) -> nn.Sequential:
    """Follow a convolution by a ReLU.

    >>> list(dict(conv_activation(nn.Conv2d(3, 8, 3)).named_children()))
    ['conv', 'activation']

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional
    Neural Networks", NeurIPS 2012, section 3.1.
    """
    return nn.Sequential(OrderedDict(conv=conv, activation=nn.ReLU()))
