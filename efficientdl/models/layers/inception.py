"""The inception module, GoogLeNet's brick."""

from collections import OrderedDict
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.models.layers.conv_activation import conv_activation
from efficientdl.models.layers.convolutions import pointwise_conv, standard_conv


class InceptionWidths(NamedTuple):
    """One line of GoogLeNet's table: the channels of each convolution of a module."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int

    @property
    def c_out(self) -> int:
        """Channels of the four branches together."""
        return self.one + self.three + self.five + self.pool


def _reduced(c_in: int, reduce: int, c_out: int, kernel: int) -> nn.Sequential:
    """A large kernel on few channels: a 1x1 convolution thins them out first."""
    return nn.Sequential(
        OrderedDict(
            reduce=conv_activation(pointwise_conv(c_in, reduce, bias=True)),
            spatial=conv_activation(standard_conv(reduce, c_out, kernel, bias=True)),
        )
    )


class Inception(nn.Module):
    """Look with 1x1, 3x3 and 5x5 kernels and a pooling at once, and keep all four answers.

    Which kernel suits is left to training. The 1x1 convolutions before the large kernels make
    this affordable.

    Source: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke and Rabinovich, "Going
    Deeper with Convolutions", CVPR 2015, section 4, Figure 2b; lab 01.
    """

    def __init__(self, c_in: int, widths: InceptionWidths) -> None:
        super().__init__()
        w = widths
        self.branch1x1 = conv_activation(pointwise_conv(c_in, w.one, bias=True))
        self.branch3x3 = _reduced(c_in, w.three_reduce, w.three, kernel=3)
        self.branch5x5 = _reduced(c_in, w.five_reduce, w.five, kernel=5)
        self.branch_pool = nn.Sequential(
            OrderedDict(
                pool=nn.MaxPool2d(3, stride=1, padding=1),
                project=conv_activation(pointwise_conv(c_in, w.pool, bias=True)),
            )
        )

    def forward(self, x: Float[Tensor, "n c_in h w"]) -> Float[Tensor, "n c_out h w"]:
        branches = (self.branch1x1, self.branch3x3, self.branch5x5, self.branch_pool)
        return torch.cat([branch(x) for branch in branches], dim=1)
