"""Accuracy against cost: what buys most for least stands at the upper left."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from efficientdl import _check
from efficientdl.viz.figure import Axis, Figure
from efficientdl.viz.series import Points, Series


class Candidate(NamedTuple):
    """One network of a trade-off.

    Attributes:
        name: Written beside its bubble.
        cost: Along x.
        accuracy: Along y, in percent.
        area: What the bubble's area stands for.
        group: Those of one group look alike.
    """

    name: str
    cost: float
    accuracy: float
    area: float = 1.0
    group: str = "networks"


def tradeoff(
    title: str,
    candidates: Sequence[Candidate],
    *,
    cost: Axis,
    area_label: str = "",
    limits: Mapping[str, float] | None = None,
) -> Figure:
    """Networks as labelled bubbles, accuracy over cost.

    Args:
        title: Of the figure.
        candidates: The networks.
        cost: The axis of what they cost; log where it spans powers of ten.
        area_label: What the bubbles' areas are; empty for points of one size.
        limits: Lower and upper end of the accuracy axis, `low` and `high`.

    >>> zoo = [Candidate("small", 300.0, 72.0), Candidate("large", 4000.0, 76.0)]
    >>> tradeoff("Table 1", zoo, cost=Axis("MACs", "M", log=True)).alt
    'large is the most accurate, 76 %; small is the cheapest, at 72 %.'
    """
    if not candidates:
        _check.fail("tradeoff", "candidates", "must not be empty", candidates)
    groups = list(dict.fromkeys(c.group for c in candidates))
    members = [[c for c in candidates if c.group == group] for group in groups]
    best = max(candidates, key=lambda c: c.accuracy)
    least = min(candidates, key=lambda c: c.cost)
    ends = dict(limits or {})
    series: list[Series] = [
        _bubbles(g, own, area_label) for g, own in zip(groups, members, strict=True)
    ]
    return Figure(
        title,
        cost,
        Axis("Top-1 accuracy", "%", low=ends.get("low"), high=ends.get("high")),
        tuple(series),
        alt=f"{best.name} is the most accurate, {best.accuracy:.3g} %; "
        f"{least.name} is the cheapest, at {least.accuracy:.3g} %.",
        height=420,
    )


def _bubbles(group: str, members: Sequence[Candidate], area_label: str) -> Points:
    return Points(
        group,
        [c.cost for c in members],
        [c.accuracy for c in members],
        labels=[c.name for c in members],
        areas=[c.area for c in members] if area_label else (),
        area_label=area_label,
    )
