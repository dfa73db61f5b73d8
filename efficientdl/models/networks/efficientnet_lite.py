"""EfficientNet-Lite0: EfficientNet-B0 without what integer arithmetic does badly."""

from collections import OrderedDict
from functools import partial
from typing import NamedTuple

from torch import nn

from efficientdl import _check
from efficientdl.models.initialise import seeded
from efficientdl.models.layers import (
    InvertedResidual,
    conv_norm_activation,
    pointwise_conv,
    standard_conv,
)


class Stage(NamedTuple):
    """A row of the paper's Table 1.

    Attributes:
        expansion: How many times the middle is wider than the input.
        kernel: Side of the depthwise kernels.
        c_out: Channels that the stage gives.
        depth: Its blocks.
        stride: Of the first of them.
    """

    expansion: int
    kernel: int
    c_out: int
    depth: int
    stride: int


STAGES = (
    Stage(1, 3, 16, 1, 1),
    Stage(6, 3, 24, 2, 2),
    Stage(6, 5, 40, 2, 2),
    Stage(6, 3, 80, 3, 2),
    Stage(6, 5, 112, 3, 1),
    Stage(6, 5, 192, 4, 2),
    Stage(6, 3, 320, 1, 1),
)
STEM, LAST, DROPPED = 32, 1280, 0.2
EPS, MOMENTUM = 1e-3, 0.01  # of batch norm, as released


def efficientnet_lite0_layers(classes: int) -> nn.Sequential:
    """EfficientNet-Lite0 layer by layer."""
    _check.whole("efficientnet_lite0", "classes", classes, 1)
    stem = standard_conv(3, STEM, stride=2)
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv1=conv_norm_activation(stem, nn.ReLU6))
    channels = STEM
    for i, stage in enumerate(STAGES, start=1):
        layers[f"stage{i}"] = _stage(channels, stage)
        channels = stage.c_out
    layers |= OrderedDict(
        last=conv_norm_activation(pointwise_conv(channels, LAST), nn.ReLU6),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=nn.Dropout(DROPPED),
        fc=nn.Linear(LAST, classes),
    )
    model = nn.Sequential(layers)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps, module.momentum = EPS, MOMENTUM
    return model


def _stage(c_in: int, stage: Stage) -> nn.Sequential:
    blocks = []
    for k in range(stage.depth):
        block = InvertedResidual(
            c_in if k == 0 else stage.c_out,
            stage.c_out,
            hidden=stage.expansion * (c_in if k == 0 else stage.c_out),
            kernel=stage.kernel,
            stride=stage.stride if k == 0 else 1,
        )
        blocks.append(block)
    return nn.Sequential(*blocks)


def efficientnet_lite0(*, classes: int = 1000, seed: int) -> nn.Module:
    """EfficientNet-Lite0: sixteen inverted residuals, found by a search, made for integers.

    It is EfficientNet-B0 without squeeze-and-excitation, and with ReLU6 for Swish: a bounded
    activation keeps its range in eight bits. `efficientdl.models.pretrained` has its weights.

    Args:
        classes: Outputs of the last layer.
        seed: Draws the weights.

    >>> sum(p.numel() for p in efficientnet_lite0(seed=0).parameters())
    4652008

    Source: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
    Networks", ICML 2019, Table 1; Liu, "Higher accuracy on vision models with EfficientNet-Lite",
    TensorFlow Blog, 2020.
    """
    return seeded(partial(efficientnet_lite0_layers, classes), seed=seed)
