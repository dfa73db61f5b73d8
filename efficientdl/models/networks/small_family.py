"""The small family: eighteen networks for one task that parameters, MACs and memory rank apart.

All have a stem, three stages that double the channels, the picture halved on the way from 28 to 4
pixels, an average over what is left of it, and a classifier. They differ in four choices, and each
choice pays in another coin:

- the *block*: a dense 3x3 convolution, a depthwise separable one, or an inverted residual;
- the *width* of the first stage;
- the *depth*, blocks in a stage;
- *early* or *late*: whether the stem halves the picture, or the first stage after it. Late, the
  same weights see finer detail, for some more MACs and several times the activation memory.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from efficientdl.models.entry import Entry
from efficientdl.models.layers.conv_norm_activation import conv_norm_activation
from efficientdl.models.layers.depthwise_separable import depthwise_separable
from efficientdl.models.layers.inverted_residual import InvertedResidual


def _dense(c_in: int, c_out: int, stride: int) -> nn.Module:
    conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
    return conv_norm_activation(conv)


def _separable(c_in: int, c_out: int, stride: int) -> nn.Module:
    return depthwise_separable(c_in, c_out, stride=stride)


def _inverted(c_in: int, c_out: int, stride: int) -> nn.Module:
    return InvertedResidual(c_in, c_out, hidden=4 * c_in, stride=stride, activation=nn.ReLU)


BLOCKS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "dense": _dense,
    "separable": _separable,
    "inverted": _inverted,
}


@dataclass(frozen=True)
class Member:
    """One network of the family.

    Attributes:
        block: What its stages are made of, a key of `BLOCKS`.
        width: Channels of the first stage; the second has twice, the third four times as many.
        depth: Blocks in a stage.
        early: Whether the stem halves the picture.

    >>> Member("dense", 16, 1, early=True).name
    'dense_w16_d1_early'
    """

    block: str
    width: int
    depth: int
    early: bool

    @property
    def name(self) -> str:
        """Its name in the registry: the four choices."""
        return f"{self.block}_w{self.width}_d{self.depth}_{'early' if self.early else 'late'}"

    def layers(self, classes: int = 10) -> nn.Sequential:
        """The network, of torch's layers."""
        stem = nn.Conv2d(1, self.width, 3, stride=1 + self.early, padding=1, bias=False)
        layers: OrderedDict[str, nn.Module] = OrderedDict(stem=conv_norm_activation(stem))
        c_in = self.width
        for stage in range(3):
            c_out = self.width * 2**stage
            for block in range(self.depth):
                stride = 2 if not block and (stage or not self.early) else 1
                name = f"stage{stage + 1}_block{block + 1}"
                layers[name] = BLOCKS[self.block](c_in, c_out, stride)
                c_in = c_out
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["classifier"] = nn.Linear(c_in, classes)
        return nn.Sequential(layers)


MEMBERS = (
    Member("dense", 4, 1, early=False),
    Member("dense", 6, 1, early=False),
    Member("dense", 8, 1, early=True),
    Member("dense", 8, 1, early=False),
    Member("dense", 12, 1, early=True),
    Member("dense", 12, 1, early=False),
    Member("dense", 16, 1, early=True),
    Member("dense", 16, 1, early=False),
    Member("dense", 24, 1, early=True),
    Member("separable", 8, 1, early=False),
    Member("separable", 16, 1, early=True),
    Member("separable", 16, 1, early=False),
    Member("separable", 24, 2, early=True),
    Member("separable", 32, 1, early=True),
    Member("separable", 32, 1, early=False),
    Member("inverted", 4, 1, early=False),
    Member("inverted", 8, 1, early=True),
    Member("inverted", 8, 1, early=False),
)

NETWORKS = {m.name: Entry(m.layers, resolution=28, channels=1, classes=10) for m in MEMBERS}
