"""Ranges of activations that batch norm tells: quantized inputs without a single example.

A norm leaves each channel near a normal distribution of mean `beta` and spread `gamma`, so its
values lie in `beta - n gamma .. beta + n gamma` almost surely. What stands between the norm and
the next layer cuts that range, keeps it, or adds two of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import torch

from efficientdl import _check
from efficientdl.compression.quantization.dataflow import Dataflow, Step
from efficientdl.compression.quantization.equalize import keeps_channels
from efficientdl.compression.quantization.norm_statistics import PRODUCTS, NormStatistics
from efficientdl.costs.trace import MODEL
from efficientdl.tensors import QParams, affine_between

Range = tuple[float, float]


@dataclass(frozen=True)
class NormRanges:
    """How to quantize activations by what batch norm tells of them.

    Attributes:
        inputs: The least and the largest value that the network itself takes: `(0, 1)` for a
            picture, or what is left of that once it is normalized.
        bits: Bits of an activation, 1..16.
        reach: `n`, how many spreads from its mean a channel reaches; the paper takes 6.

    >>> NormRanges((0.0, 1.0)).levels((0.0, 51.0)).scale.item()
    0.20000000298023224

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, on the ranges of activations; the survey's section 2.3; lab 04.
    """

    inputs: Range
    bits: int = 8
    reach: float = 6.0

    def __post_init__(self) -> None:
        _check.whole("NormRanges", "bits", self.bits, 1, 16)
        if not 0 < _check.number("NormRanges", "reach", self.reach) < inf:
            _check.fail("NormRanges", "reach", "must be above 0 and finite", self.reach)
        pair = self.inputs
        known = len(pair) == 2 and all(
            isfinite(_check.number("NormRanges", "inputs", v)) for v in pair
        )
        if not known or not pair[0] < pair[1]:
            rule = "must be two finite numbers, the lower first"
            _check.fail("NormRanges", "inputs", rule, pair)

    def of(self, known: NormStatistics) -> Range:
        """The range of a layer whose output has these statistics."""
        low = (known.mean - self.reach * known.std).min()
        high = (known.mean + self.reach * known.std).max()
        return float(low), float(high)

    def levels(self, ends: Range) -> QParams:
        """Levels over a range, zero among them."""
        low, high = (torch.tensor([[end]]) for end in ends)
        return affine_between(low, high, bits=self.bits)


def expected_ranges(
    flow: Dataflow, statistics: Mapping[str, NormStatistics], ranges: NormRanges
) -> dict[str, Range]:
    """The range of what goes into each layer, where a norm or the network's input tells it.

    A ReLU cuts it, a pool or a reshape keeps it, a sum adds both ends, and channels side by side
    have the range of them all. What a layer without a norm gives is not known.

    Args:
        flow: What a model without batch norm computes.
        statistics: What its norms knew, by the layer that each was folded into.
        ranges: The range of the input, and how far a channel reaches.
    """
    known: dict[int, Range | None] = {0: ranges.inputs}
    found = {}
    for step in flow.steps:
        given = [known.get(value) for value in step.values()]
        if step.name in PRODUCTS:
            if given[0] is not None:
                found["" if step.layer == MODEL else step.layer] = given[0]
            told = statistics.get(step.layer)
            known[step.number] = None if told is None else ranges.of(told)
        else:
            known[step.number] = _after(step, given)
    return found


def _after(step: Step, given: Sequence[Range | None]) -> Range | None:
    """The range behind an operation; None where it is not known."""
    ends = [pair for pair in given if pair is not None]
    if not ends or len(ends) < len(given):
        return None
    (low, high), name = ends[0], step.name
    if name in ("relu", "hardtanh"):
        least, largest = (0.0, inf) if name == "relu" else step.args[1:3]
        return min(max(low, least), largest), max(min(high, largest), least)
    if name == "add" and len(ends) == 2 and not step.kwargs:
        return low + ends[1][0], high + ends[1][1]
    if name == "cat" and len(ends) == len(step.args[0]):
        return min(pair[0] for pair in ends), max(pair[1] for pair in ends)
    padded = name == "avg_pool2d" and any(step.args[3:4] and step.args[3])
    if padded:  # its border of zeros counts
        return min(low, 0.0), max(high, 0.0)
    return (low, high) if keeps_channels(step) else None
