"""Networks of the zoo and inputs for them whose numbers say whether two ways compute the same.

On zeros, and with the norms of birth, hardly anything of a network reaches its outputs: a layer
that is wrong, or left out, would pass for a right one.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from efficientdl import models

Way = Callable[[nn.Module, Tensor], nn.Module]
CALIBRATED_ON = 2  # images: the last norms see a hundred pixels of each channel


def network(name: str, way: Way | None = None) -> nn.Module:
    """A network in evaluation mode, whose norms have drawn factors and know what comes in.

    What a pruned network computes fades from layer to layer, unless its own norms bring it back.

    Args:
        name: One of `models.names()`.
        way: `f(network, x) -> network` prunes it before its norms see anything.
    """
    made, x = models.build(name, seed=0).eval(), images(name, batch=CALIBRATED_ON)
    made = made if way is None else way(made, x)
    generator = torch.Generator().manual_seed(1)
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(0.5, 1.5, generator=generator)
            norm.bias.normal_(0, 0.2, generator=generator)
            norm.train().momentum = 1.0  # what this one batch shows
        made(x)
    for norm in norms:
        norm.eval().momentum = 0.1
    return made


def images(name: str, *, batch: int = 1) -> Tensor:
    """Normal noise in the shape that a network takes.

    Args:
        name: One of `models.names()`.
        batch: How many images.
    """
    shape = models.example(name, batch=batch, device="meta").shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))
