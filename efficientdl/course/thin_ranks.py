"""The challenge of lab 03: a rank for each large layer of LeNet-5, and the judge of a choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from efficientdl import _check, costs, datasets, fit, models
from efficientdl.compression.lowrank import factorize_svd
from efficientdl.course.exercise import Limit, Verdict
from efficientdl.report import Cost

NETWORK, DATA = "lenet_5_mnist", "mnist"


@dataclass(frozen=True)
class Thin:
    """LeNet-5 with some layers factorized, measured.

    Attributes:
        accuracy: On the part of the data that was asked for, 0..1.
        params: Of the whole network.
        macs: Of one image.
    """

    accuracy: float
    params: int
    macs: int


def measure(ranks: Mapping[str, int], part: str) -> Thin:
    """Cut the layers named to these ranks by truncated SVD, and measure what is left.

    Args:
        ranks: By layer; a layer that is not named stays as it is.
        part: `val` to choose by, `test` to be judged by.
    """
    model, data = models.trained(NETWORK), datasets.load(DATA)
    thin, report = factorize_svd(model, data.val.x[:1], rank=ranks)
    total = report.total
    accuracy = fit.evaluate(thin, getattr(data, part))
    return Thin(accuracy, total.params or 0, total.macs or 0)


def dense() -> Cost:
    """What the network costs as it is."""
    return costs.count(models.trained(NETWORK), datasets.load(DATA).val.x[:1]).total


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Measure the ranks on the test part and hold each figure against its limit.

    Args:
        artefact: `{"ranks": {layer: rank}}`.
        budget: Limits named by the figures of `Thin`.
    """
    ranks = artefact.get("ranks")
    if artefact.keys() != {"ranks"} or not isinstance(ranks, Mapping):
        rule = "must be {'ranks': {layer: rank}}"
        _check.fail("submit", "artefact", rule, dict(artefact))
    found = measure(ranks, "test")
    return Verdict(tuple(limit.measure(getattr(found, limit.name)) for limit in budget))
