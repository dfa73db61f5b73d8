"""The small family of lab 01's challenge: every network's figures, and the judge of a choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from efficientdl import _check, costs, datasets, fit, models
from efficientdl.course.exercise import Limit, Verdict
from efficientdl.models.networks.small_family import MEMBERS

DATA = "fashion_mnist"
FIGURES = ("weight_bytes", "activation_bytes", "macs")


def names() -> tuple[str, ...]:
    """The networks to choose from."""
    return tuple(member.name for member in MEMBERS)


@dataclass(frozen=True)
class Candidate:
    """One network of the family, measured.

    Attributes:
        name: In the registry of `models`.
        accuracy: On the part of the data that was asked for, 0..1.
        weight_bytes: The weights, in float32.
        activation_bytes: Peak while it infers one image.
        macs: Of one image.
    """

    name: str
    accuracy: float
    weight_bytes: int
    activation_bytes: int
    macs: int


@cache
def measure(name: str, part: str) -> Candidate:
    """Measure one network of the family.

    Args:
        name: One of `names()`.
        part: `val` to choose by, `test` to be judged by.
    """
    _check.one_of("submit", "network", name, names())
    model, data = models.trained(name), datasets.load(DATA)
    x = models.example(name)
    report = costs.count(model, x)
    return Candidate(
        name,
        accuracy=fit.evaluate(model, getattr(data, part)),
        weight_bytes=(report.total.weight_bits or 0) // 8,
        activation_bytes=costs.peak_activation_bytes(model, x),
        macs=report.total.macs or 0,
    )


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Measure the chosen network on the test part and hold each figure against its limit.

    Args:
        artefact: `{"network": name}`.
        budget: Limits named by the figures of `Candidate`.
    """
    if artefact.keys() != {"network"}:
        _check.fail("submit", "artefact", "must be {'network': name}", dict(artefact))
    found = measure(artefact["network"], "test")
    return Verdict(tuple(limit.measure(getattr(found, limit.name)) for limit in budget))
