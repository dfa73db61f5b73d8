"""First weights: every parameter and buffer of a network, drawn from one seed.

A network is first made on torch's meta device, where tensors have shapes and no memory. Counting
needs no more. To run it, `seeded` gives it memory and fills all of it, layer by layer in order,
from a generator of its own: torch's global generator is neither read nor moved, and the same seed
gives the same network.
"""

from collections.abc import Callable
from itertools import chain
from typing import TypeVar

import torch
from torch import nn

from efficientdl import _check

M = TypeVar("M", bound=nn.Module)

# Their `reset_parameters` draws nothing: ones and zeros, running statistics included.
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)
_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def outline(make: Callable[[], M]) -> M:
    """Make a module on the meta device: shapes and names, no memory, in milliseconds.

    >>> outline(lambda: nn.Linear(10**6, 10**6)).weight.device
    device(type='meta')
    """
    with torch.device("meta"):
        return make()


def seeded(make: Callable[[], M], *, seed: int) -> M:
    """Make a module whose weights depend on the seed alone.

    Convolutions are drawn as He et al. do, with a variance of 2 / fan-in, which keeps the scale of
    the signal through a ReLU; linear layers with 1 / fan-in, so that no depth blows it up. Biases
    are zero, norms are the identity.

    >>> layer = seeded(lambda: nn.Linear(4, 2), seed=0)
    >>> bool((layer.weight == seeded(lambda: nn.Linear(4, 2), seed=0).weight).all())
    True

    Raises:
        BadValue: A layer has parameters and no rule here to fill them.

    Source: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, section 2.2; LeCun,
    Bottou, Orr and Mueller, "Efficient BackProp", 1998, section 4.6.
    """
    _check.whole("seeded", "seed", seed, 0, 2**63 - 1)
    model = outline(make).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for name, layer in model.named_modules():
        if any(True for _ in chain(layer.parameters(recurse=False), layer.buffers(recurse=False))):
            _fill(name, layer, generator)
    return model


def _fill(name: str, layer: nn.Module, generator: torch.Generator) -> None:
    if isinstance(layer, _NORMS):
        layer.reset_parameters()
    elif isinstance(layer, (*_CONVS, nn.Linear)):
        after_it = "linear" if isinstance(layer, nn.Linear) else "relu"
        nn.init.kaiming_normal_(layer.weight, nonlinearity=after_it, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    else:
        rule = "must be a convolution, linear or a norm; no other kind has a rule for first weights"
        _check.fail("seeded", f"layer {name!r}", rule, type(layer).__name__)
