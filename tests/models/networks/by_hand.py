"""Counting with pencil and paper: the oracle for parameters and MACs.

A layer is what the paper's table says of it, and nothing here looks at a network.
"""

from typing import NamedTuple, Self

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Count(NamedTuple):
    params: int
    macs: int

    def __add__(self, other: Self) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self)(self.params + other.params, self.macs + other.macs)

    def __mul__(self, times: int) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self)(self.params * times, self.macs * times)


def conv(kernel, c_in, c_out, side, *, groups=1, norm=True, bias=False) -> Count:
    """A convolution with an output of `side` x `side`; batch norm has two weights a channel."""
    weights = kernel * kernel * (c_in // groups) * c_out
    return Count(weights + 2 * c_out * norm + c_out * bias, weights * side * side)


def biased(kernel, c_in, c_out, side, *, groups=1) -> Count:
    """A convolution of the time before batch norm."""
    return conv(kernel, c_in, c_out, side, groups=groups, norm=False, bias=True)


def linear(c_in, c_out) -> Count:
    return Count(c_in * c_out + c_out, c_in * c_out)


def counted(model: nn.Module, side: int) -> Count:
    """What torch counts: the parameters, and half of what it calls flops."""
    model = model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, 3, side, side, device="meta"))
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return Count(sum(p.numel() for p in model.parameters()), flops // 2)


def norm_params(model: nn.Module) -> int:
    """Parameters of the batch norms, which some papers leave out."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    return sum(p.numel() for m in norms for p in m.parameters())
