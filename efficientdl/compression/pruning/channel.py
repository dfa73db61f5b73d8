"""Channel pruning: whole channels leave the network, and with them weights, MACs and time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer, for_each
from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.masks import mask_of
from efficientdl.compression.pruning.schedules import check_sparsity
from efficientdl.compression.pruning.scopes import Scope, per_layer
from efficientdl.compression.pruning.scoring import score_layers
from efficientdl.compression.pruning.statistics import wanted
from efficientdl.compression.pruning.structure import (
    Gone,
    Group,
    Slice,
    cut_exactly,
    demand_groups,
    demand_values,
)
from efficientdl.costs.count import count
from efficientdl.costs.trace import Inputs
from efficientdl.fit.training import Examples, Loss
from efficientdl.protocols import Criterion, Policy, Result
from efficientdl.tensors import PerGroup


@technique(
    "prune-channel",
    paper="Li, Kadav, Durdanovic, Samet and Graf, Pruning Filters for Efficient ConvNets, 2017; "
    "Fang, Ma, Song, Mi and Wang, DepGraph: Towards Any Structural Pruning, 2023",
    survey="2.1, Fig. 3",
    lab="02_pruning",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.25}, {"sparsity": 0.75}),
    ),
)
def prune_channels(
    model: nn.Module,
    x: Shaped[Tensor, "..."],
    *,
    sparsity: Policy[float],
    criterion: Criterion = magnitude,
    scope: Scope = per_layer,
    round_to: int = 1,
    data: Examples | None = None,
    loss: Loss = cross_entropy,
) -> Result:
    """Channel pruning: cut whole channels out, so that dense kernels have less to do.

    `channel_groups` says what must go together, across skip connections, concatenations, depthwise
    and group convolutions; each unit of a group is scored by the sum over its slices of the L2
    norm of the criterion's scores, and the lowest go. What is left is a smaller network of
    ordinary layers. It is held to the masked one on `x`: same output, or an error.

    The sparsity is the share of *channels* that go, neither of weights nor of MACs: a layer that
    loses half of its channels on both sides keeps a quarter of its weights. The report's note says
    what it came to, and `report.ratio(count(model, x))` how many times fewer of each.

    Args:
        model: Any model that runs on `x`, its weights in floats.
        x: An example of its input, batch first.
        sparsity: Share of the units that go, 0..1 without 1, in every group or by group's name.
        criterion: How much a weight is worth keeping.
        scope: Within what units are ranked: `per_layer`, each group by itself, or `globally`, where
            what counts is the score over the mean of its group: layers differ in the size of their
            weights, and a group that runs through many sums over more. A group always keeps one.
        round_to: Each group keeps a multiple of this many units, where it has as many: hardware
            likes widths of 8.
        data: Inputs and labels, for criteria that ask for more than the weight.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    Raises:
        BadValue: No channel can go; an operation has no rule; a weight is not a number; the
            criterion asks for a statistic and there is no data.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1))
    >>> smaller, report = prune_channels(model, torch.zeros(1, 3, 5, 5), sparsity=0.75)
    >>> smaller[0].out_channels, smaller[2].in_channels, report.total.params
    (2, 2, 68)

    Source: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3; the groups
    as in Fang et al., "DepGraph", CVPR 2023, section 3.3; the survey's section 2.1,
    "Channel-based pruning"; lab 02.
    """
    _check.whole("prune_channels", "round_to", round_to, 1)
    groups = {group.name: group for group in demand_groups("prune_channels", model, x)}
    shares = for_each("prune_channels", "sparsity", sparsity, groups)
    check_sparsity("prune_channels", shares)
    demand_values("prune_channels", model)
    chosen = [groups[name] for name in shares]
    scores = unit_scores("prune_channels", model, chosen, criterion, data=data, loss=loss)
    scores = {name: score / (score.mean() or 1.0) for name, score in scores.items()}
    everyone = {name: torch.ones_like(score, dtype=torch.bool) for name, score in scores.items()}
    masks = scope(scores, everyone, shares, PerGroup(1))
    gone = {name: _going(scores[name], mask, round_to) for name, mask in masks.items()}
    return cut("prune_channels", model, x, list(groups.values()), gone, before=model)


def unit_scores(
    caller: str,
    model: nn.Module,
    groups: Sequence[Group],
    criterion: Criterion,
    *,
    data: Examples | None = None,
    loss: Loss = cross_entropy,
) -> dict[str, Float[Tensor, "_"]]:
    """How much each unit of each group is worth: the L2 norms of its slices' scores, summed.

    Biases and batch norm do not count: they are no weights of a product.

    Args:
        caller: Who asks, for the error.
        model: Where the weights are.
        groups: Of this model.
        criterion: Scores single weights.
        data: Inputs and labels; None where the criterion asks for nothing.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    >>> from efficientdl.compression.pruning.structure import channel_groups
    >>> model = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
    >>> nothing = model[0].weight.data.copy_(torch.tensor([[3.0], [1.0]]))
    >>> nothing = model[1].weight.data.copy_(torch.tensor([[4.0, 0.0]]))
    >>> groups = channel_groups(model, torch.zeros(1, 1))
    >>> unit_scores("doctest", model, groups, magnitude)["0"].tolist()
    [7.0, 1.0]
    """
    used = {s.weight for group in groups for s in group.slices}
    weights = {n: p.detach() for n, p in model.named_parameters() if p.ndim > 1 and n in used}
    owners = {name: model.get_submodule(name.rpartition(".")[0]) for name in weights}
    layers = {
        name.rpartition(".")[0]: layer
        for name, layer in owners.items()
        if isinstance(layer, FloatLayer) and layer.weight is model.get_parameter(name)
    }
    found = score_layers(caller, model, layers, criterion, data=data, loss=loss)
    scores = {_weight_of(name): mask_of(layers[name]) * score for name, score in found.items()}
    others = {name: weight for name, weight in weights.items() if name not in scores}
    scores |= _scored_alone(caller, others, criterion)
    return {
        group.name: torch.stack([
            _norms(scores[s.weight], s) for s in group.slices if s.weight in weights
        ]).sum(dim=0)
        for group in groups
    }


def _weight_of(layer: str) -> str:
    return f"{layer}.weight" if layer else "weight"


def _scored_alone(
    caller: str, weights: Mapping[str, Tensor], criterion: Criterion
) -> dict[str, Tensor]:
    """Scores of weights of other layers, as transposed convolutions, by the weight alone."""
    asked = ", ".join(wanted(caller, criterion))
    scores = {}
    for name, weight in weights.items():
        if asked:
            rule = (
                f"must ask for nothing where a weight is not of a Linear or Conv2d layer: {asked}"
            )
            _check.fail(caller, "criterion", rule, name)
        scores[name] = criterion(weight)
        if scores[name].shape != weight.shape:
            rule = f"must give {name!r} scores of its shape {tuple(weight.shape)}"
            _check.fail(caller, "criterion", rule, tuple(scores[name].shape))
    return scores


def _norms(scores: Tensor, s: Slice) -> Float[Tensor, "_"]:
    """The L2 norm of what each unit holds of a weight."""
    squares = scores.double().movedim(s.axis, 0).flatten(1).square().sum(dim=1)
    unit = [i for i, places in enumerate(s.places) for _ in places]
    places = [place for places in s.places for place in places]
    sums = squares.new_zeros(len(s.places))
    return sums.index_add(0, torch.tensor(unit, device=sums.device), squares[places]).sqrt()


def cut(
    caller: str,
    model: nn.Module,
    x: Inputs,
    groups: Sequence[Group],
    gone: Gone,
    *,
    before: nn.Module,
) -> Result:
    """Cut units out, hold the smaller model to the masked one, count it, and say what it came to.

    Args:
        caller: Who asks, for the error.
        model: The model to cut a copy of.
        x: What to compare on.
        groups: The model's groups.
        gone: `{group name: units that go}`.
        before: The model as it was, for the note.
    """
    smaller = cut_exactly(caller, model, groups, gone, x)
    report, old = count(smaller, x), count(before, x).total
    total = sum(len(group) for group in groups if group.name in gone)
    n_gone = sum(len(units) for units in gone.values())
    note = (
        f"removed {_percent(n_gone, total)} of the channels of {len(gone)} group"
        f"{'s' * (len(gone) != 1)} ({n_gone:,} of {total:,}), which leaves "
        f"{_percent(report.total.params, old.params)} of the parameters and "
        f"{_percent(report.total.macs, old.macs)} of the MACs"
    )
    return Result(smaller, replace(report, note=note))


def n_going(share: float, n_units: int) -> int:
    """How many units a share is: the nearest number, the lower of two, and never all.

    Args:
        share: 0..1.
        n_units: How many there are.

    >>> n_going(0.5, 4), n_going(0.5, 5), n_going(1.0, 5)
    (2, 2, 4)
    """
    return min(n_units - 1, ceil(share * n_units - 0.5))


def _percent(part: int | None, whole: int | None) -> str:
    return f"{100 * (part or 0) / (whole or 1):.3g} %"


def _going(scores: Tensor, stays: Tensor, round_to: int) -> list[int]:
    n_units = len(scores)
    n_stays = max(1, int(stays.sum()))
    n_stays = min(n_units, -(-n_stays // round_to) * round_to)
    best_first = scores.argsort(descending=True, stable=True)
    return sorted(best_first[n_stays:].tolist())
