"""Fewer MACs is not less latency: find the pairs that show it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import nn

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.costs.count import count
from efficientdl.costs.latency import Comparison, Latency, compare
from efficientdl.costs.trace import Inputs, arguments


@dataclass(frozen=True)
class Disagreement:
    """Two models that MACs and the clock put in different order.

    Attributes:
        fewer_macs: The one with fewer MACs, which takes longer.
        faster: The one that takes less time, though it has more MACs.
        macs: MACs of the one and of the other.
        latencies: Latency of the one and of the other.
    """

    fewer_macs: str
    faster: str
    macs: tuple[int, int]
    latencies: tuple[Latency, Latency]

    def __str__(self) -> str:
        times_macs = self.macs[1] / self.macs[0]
        times_slower = self.latencies[0].median_s / self.latencies[1].median_s
        return (
            f"{self.fewer_macs} has {times_macs:.2f} times fewer MACs than {self.faster}"
            f" and takes {times_slower:.2f} times as long"
        )


def disagreements(macs: Mapping[str, int], latencies: Mapping[str, Latency]) -> list[Disagreement]:
    """The pairs whose order by MACs is not their order by latency, the plainest first.

    A pair counts only where the measurements stand apart: a quarter of the samples of the one may
    not reach into those of the other.

    >>> slow, fast = Latency((9.0, 9.0)), Latency((4.0, 4.0))
    >>> [str(pair) for pair in disagreements({"a": 100, "b": 200}, {"a": slow, "b": fast})]
    ['a has 2.00 times fewer MACs than b and takes 2.25 times as long']
    """
    if macs.keys() != latencies.keys():
        rule = "must name the same models"
        _check.fail("disagreements", "macs and latencies", rule, [list(macs), list(latencies)])
    found = []
    for pair in combinations(macs, 2):
        fewer, more = sorted(pair, key=macs.__getitem__)
        apart = latencies[fewer].low_s > latencies[more].high_s
        if macs[fewer] < macs[more] and apart:
            taken = (latencies[fewer], latencies[more])
            found.append(Disagreement(fewer, more, (macs[fewer], macs[more]), taken))
    plain = lambda d: d.latencies[0].median_s / d.latencies[1].median_s  # noqa: E731
    return sorted(found, key=plain, reverse=True)


def _inference(model: nn.Module, x: Inputs) -> Callable[[], object]:
    def call() -> object:
        with torch.inference_mode():
            return model(*arguments(x))

    return call


@technique(
    "cost-macs-vs-latency",
    paper="Zoph, Vasudevan, Shlens, Le, Learning Transferable Architectures for Scalable Image "
    "Recognition, 2018",
    survey="3.2, Fig. 7",
    lab="01_costs",
    kind=Measure(),
)
def macs_against_latency(
    models: Mapping[str, tuple[nn.Module, Inputs]],
    *,
    measure: Callable[[Mapping[str, Callable[[], object]]], Comparison] = compare,
) -> list[Disagreement]:
    """Count and time several models, and return the pairs that MACs put in the wrong order.

    MACs tell nothing of memory traffic, of layers that do none and still take time, of how well a
    shape fills the processor, of the time to start a layer. Where a network has fewer MACs because
    it has more and thinner layers, it may well be the slower one.

    Args:
        models: `{name: (model, x)}`. They are timed in evaluation mode and get their mode back.
        measure: Times functions that take turns; one thread and 20 turns where it is left out.

    Source: Zoph, Vasudevan, Shlens, Le, "Learning Transferable Architectures", 2018, which the
        survey times in section 3.2, Figure 7; lab 01.
    """
    if len(models) < 2:
        _check.fail("macs_against_latency", "models", "must be two or more", list(models))
    macs = {name: count(model, x).total.macs or 0 for name, (model, x) in models.items()}
    modes = [(m, m.training) for model, _ in models.values() for m in model.modules()]
    try:
        for model, _ in models.values():
            model.eval()
        taken = measure({name: _inference(model, x) for name, (model, x) in models.items()})
    finally:
        for module, training in modes:
            module.training = training
    return disagreements(macs, taken.latencies)
