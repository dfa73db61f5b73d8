"""Building blocks, one idea in each file.

A block that is a chain of layers is a function that returns `nn.Sequential`; a block with branches
is a class. Their children have names that read well in a report: `expand.conv`,
`depthwise.norm`. A block made by hand draws its first weights from torch's global generator, as
torch's own layers do; `efficientdl.models.seeded` draws them from a seed instead.
"""

from efficientdl.models.layers.bottleneck import Bottleneck
from efficientdl.models.layers.channel_shuffle import channel_shuffle
from efficientdl.models.layers.conv_activation import conv_activation
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.convolutions import (
    depthwise_conv,
    group_conv,
    pointwise_conv,
    standard_conv,
)
from efficientdl.models.layers.depthwise_separable import depthwise_separable
from efficientdl.models.layers.fire import Fire
from efficientdl.models.layers.inception import Inception, InceptionWidths
from efficientdl.models.layers.inverted_residual import InvertedResidual
from efficientdl.models.layers.shuffle_unit_v1 import ShuffleUnitV1
from efficientdl.models.layers.shuffle_unit_v2 import ShuffleUnitV2
from efficientdl.models.layers.squeeze_excitation import SqueezeExcitation

__all__ = [
    "Bottleneck",
    "Fire",
    "Inception",
    "InceptionWidths",
    "InvertedResidual",
    "ShuffleUnitV1",
    "ShuffleUnitV2",
    "SqueezeExcitation",
    "channel_shuffle",
    "conv_activation",
    "conv_norm_activation",
    "depthwise_conv",
    "depthwise_separable",
    "group_conv",
    "pointwise_conv",
    "standard_conv",
]
