"""A network trained on ImageNet, real photographs, and how often a small version says the same.

No labelled photographs ship, so no accuracy is measured: a small network is held against the
float one. Crops overlap, so what decides is the mean of each of the six pictures, in pairs.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.headlines import above_zero, differences
from benchmarks.headlines.trainings import SIZES
from efficientdl.compression.quantization import fold_batch_norm, quantize_weights
from efficientdl.costs import count
from efficientdl.datasets.photographs import CALIBRATION, EVALUATION, Crops, photograph_crops
from efficientdl.models.pretrained import prepare, pretrained
from efficientdl.tensors import Granularity

NETWORK = "efficientnet_lite0"
EVERY, EXAMPLES, BATCH = 3, 24, 8  # every third crop: 125 of them
SURE = 0.5  # the float network's probability of its first answer


class Kept(NamedTuple):
    """What is kept of the float network's answers.

    Attributes:
        same: Share of crops with the same first answer, in percent.
        sure: The same of the crops of which the float network was sure.
        divergence: Mean KL divergence from the float network's probabilities, in nats.
        by_picture: `same` of each photograph by itself.
    """

    same: float
    sure: float
    divergence: float
    by_picture: tuple[float, ...]


Row = tuple[Kept, float]  # what is kept, and the size of the weights in megabytes


@cache
def network() -> nn.Module:
    """The float network; it is not to be changed."""
    return pretrained(NETWORK)


@cache
def folded() -> nn.Module:
    """The same without batch norm."""
    return fold_batch_norm(network(), calibration()[:1]).model


def crops() -> Crops:
    """What is reported on."""
    return _crops(SIZES["test"])


@cache
def _crops(share: float) -> Crops:
    x, names = photograph_crops(EVALUATION)
    every = ceil(EVERY / share)
    return Crops(prepare(x[::every]), names[::every])


def calibration() -> Tensor:
    """Crops of six other photographs, evenly over all."""
    return _calibration(SIZES["test"])


@cache
def _calibration(share: float) -> Tensor:
    x = photograph_crops(CALIBRATION).x
    rows = torch.linspace(0, len(x) - 1, max(6, ceil(share * EXAMPLES))).round().long()
    return prepare(x[rows])


def logits(model: nn.Module, x: Tensor) -> Tensor:
    """The scores of many pictures, some at a time."""
    with torch.inference_mode():
        return torch.cat([model(part) for part in x.split(BATCH)])


@cache
def _float_logits(_share: float) -> Tensor:
    return logits(network(), crops().x)


def kept(model: nn.Module) -> Kept:
    """Hold a network against the float one."""
    theirs, ours = _float_logits(SIZES["test"]), logits(model, crops().x)
    same = 100.0 * (ours.argmax(1) == theirs.argmax(1)).double()
    sure = theirs.softmax(1).amax(1) > SURE
    names = crops().names
    rows = {name: [i for i, n in enumerate(names) if n == name] for name in dict.fromkeys(names)}
    return Kept(
        float(same.mean()),
        float(same[sure].mean()),
        float(divergence(theirs, ours)),
        tuple(float(same[row].mean()) for row in rows.values()),
    )


def divergence(theirs: Tensor, ours: Tensor) -> Tensor:
    """Mean KL divergence of our probabilities from theirs, in nats."""
    reference = theirs.double().log_softmax(1)
    return (reference.exp() * (reference - ours.double().log_softmax(1))).sum(1).mean()


def keeps_more(ours: Kept, theirs: Kept) -> bool:
    """Whether the mean paired difference over the pictures is two standard errors above zero."""
    return above_zero(differences(ours.by_picture, theirs.by_picture))


def figures(rows: Mapping[str, Kept]) -> dict[str, Sequence[float]]:
    """The numbers of a headline."""
    columns = "columns: same answer in %, the same where float is sure, divergence in nats"
    by_picture = f"by picture: {', '.join(dict.fromkeys(crops().names))}"
    return (
        {columns: []}
        | {name: list(row[:3]) for name, row in rows.items()}
        | {by_picture: []}
        | {f"{name}, by picture, %": list(row.by_picture) for name, row in rows.items()}
    )


def said(rows: Mapping[str, Kept], sizes: Mapping[str, float] | None = None) -> str:
    """Agreement and divergence of each, in one line."""
    sizes = sizes or {}
    parts = [
        f"{name} {row.same:.1f} % ({row.divergence:.3f} nats"
        + (f", {sizes[name]:.2f} MB)" if name in sizes else ")")
        for name, row in rows.items()
    ]
    return f"{len(crops().names)} crops: " + "; ".join(parts)


def row(model: nn.Module) -> Row:
    """What a network keeps, and what it takes."""
    return kept(model), megabytes(model)


def megabytes(model: nn.Module) -> float:
    """What the weights are stored in: codes, indices, scales, biases."""
    return (count(model, crops().x[:1]).total.weight_bits or 0) / 8e6


def told(rows: Mapping[str, Row]) -> str:
    """Agreement, divergence and size of each, in one line."""
    return said({n: k for n, (k, _) in rows.items()}, {n: mb for n, (_, mb) in rows.items()})


def table(rows: Mapping[str, Row]) -> dict[str, Sequence[float]]:
    """The numbers of a headline, sizes among them."""
    return figures({n: k for n, (k, _) in rows.items()}) | {
        "MB, in the order of the rows": [mb for _, mb in rows.values()]
    }


@cache
def by_scales(granularity: Granularity, bits: int) -> Row:
    """Weights alone rounded, the usual way; several claims want it."""
    one = calibration()[:1]
    return row(quantize_weights(folded(), one, bits=bits, granularity=granularity).model)


def usual_probability() -> float:
    """The median over the crops of what float gives its first answer, in percent."""
    return 100 * float(_float_logits(SIZES["test"]).softmax(1).amax(1).median())
