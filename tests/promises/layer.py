"""Promises of layers: `Block(c_in, c_out, *, options)`, standing for a standard convolution.

The standard one has the same kernel (`kernel` in the options, 3 where there is none), pads so
that the size of the map stays, and has no bias.
"""

import math

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from efficientdl.catalogue import Options, Technique

C_IN, C_OUT, SIDE = 16, 32, 10


def standard(technique: Technique) -> nn.Conv2d:
    kernel = technique.kind.options.get("kernel", 3)
    return nn.Conv2d(C_IN, C_OUT, kernel, padding=kernel // 2, bias=False)


def built(technique: Technique, options: Options) -> nn.Module:
    """The block, with weights that do not depend on the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return technique.call(C_IN, C_OUT, **options).eval()


def macs(module: nn.Module) -> int:
    """MACs by torch's own counter, which counts two operations for each."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(torch.zeros(1, C_IN, SIDE, SIDE))
    return counter.get_total_flops() // 2


def gives_the_standard_shape(technique: Technique) -> None:
    x = torch.randn(2, C_IN, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    ours = built(technique, technique.kind.options)(x)
    assert ours.shape == (2, C_OUT, SIDE, SIDE), f"gave {tuple(ours.shape)}"
    assert bool(ours.isfinite().all()), "gave an output that is not finite"


def has_the_mac_ratio_of_its_closed_form(technique: Technique) -> None:
    options = technique.kind.options
    measured = macs(standard(technique)) / macs(built(technique, options))
    stated = technique.kind.mac_ratio(C_IN, C_OUT, **options)
    assert math.isclose(measured, stated, rel_tol=1e-12), f"states {stated}, has {measured}"


def is_the_standard_layer_at_its_identity(technique: Technique) -> None:
    if technique.kind.identity is None:
        return
    options = {**technique.kind.options, **technique.kind.identity}
    ours, theirs = built(technique, options).double(), standard(technique).double()
    assert macs(ours.float()) == macs(theirs.float()), "has another cost at its identity"
    mine, other = list(ours.parameters()), list(theirs.parameters())
    assert [p.shape for p in mine] == [p.shape for p in other], "has other weights"
    with torch.no_grad():
        for parameter, value in zip(mine, other, strict=True):
            parameter.copy_(value)
    x = torch.randn(2, C_IN, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    error = float((ours(x) - theirs(x)).detach().abs().max())
    # 1e-5 of outputs of size 1: float32 sums of some hundred terms in another order
    assert error <= 1e-5, f"its output is {error} away at its identity"


def has_a_right_gradient(technique: Technique) -> None:
    block = built(technique, technique.kind.options).double()
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(1, C_IN, 3, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    right = torch.autograd.gradcheck(block, (x,), fast_mode=True, raise_exception=False)
    assert right, "its gradient is not that of its output"


PROMISES = [
    gives_the_standard_shape,
    has_the_mac_ratio_of_its_closed_form,
    is_the_standard_layer_at_its_identity,
    has_a_right_gradient,
]
