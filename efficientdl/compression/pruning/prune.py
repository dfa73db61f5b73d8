"""Prune by score: the weights that matter least become zero and stay zero."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import (
    FloatLayer,
    demand_floats,
    for_each,
    put,
    weight_layers,
)
from efficientdl.compression.pruning.criteria import magnitude
from efficientdl.compression.pruning.scopes import Scope, per_layer
from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.protocols import Criterion, Policy, Result
from efficientdl.tensors import Granularity, PerGroup


@technique(
    "prune-fine-grained",
    paper="Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural "
    "Networks, 2015",
    survey="2.1, Fig. 3",
    lab="00_start_here",
    kind=Compressor(
        identity={"sparsity": 0.0},
        stronger=({"sparsity": 0.5}, {"sparsity": 0.9}),
    ),
)
def prune(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    sparsity: Policy[float],
    criterion: Criterion = magnitude,
    granularity: Granularity = PerGroup(1),
    scope: Scope = per_layer,
) -> Result:
    """Fine-grained pruning: zero the weights of lowest score, each one by itself.

    Linear layers and convolutions become masked ones, so the zeros survive training. Biases stay.
    What is pruned already stays pruned and counts towards the sparsity: `prune` twice at 0.5 is
    once at 0.5. The report counts fewer weight bits, with the bits that say where the remaining
    weights stand, and as many MACs as before: a dense kernel multiplies by zeros too.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        sparsity: Share of zeros, 0..1, of every layer, or `{layer name: share}`.
        criterion: How much a weight is worth keeping.
        granularity: Which weights go together; `PerGroup(1)` is each alone.
        scope: Within what they are ranked: `per_layer`, or `globally` over the whole model.

    Raises:
        BadValue: A layer is quantized; there is none to prune; or the scores do not fit.

    >>> model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> pruned, report = prune(model, torch.zeros(1, 8), sparsity=0.75)
    >>> int(pruned[0].weight.count_nonzero()), int(model[0].weight.count_nonzero())
    (8, 32)

    Source: Han et al., "Learning both Weights and Connections for Efficient Neural Networks",
    NeurIPS 2015, section 3; the survey's section 2.1, "Fine-grained pruning"; lab 00.
    """
    every = weight_layers("prune", model)
    shares = for_each("prune", "sparsity", sparsity, every)
    for share in shares.values():
        _check.in_range("prune", "sparsity", share, 0, 1)
    ours = deepcopy(model)
    layers = {
        name: demand_floats("prune", name, layer)
        for name, layer in weight_layers("prune", ours).items()
        if name in shares
    }
    scores = {name: _score(name, layer.weight, criterion) for name, layer in layers.items()}
    kept = {name: _kept(layer) for name, layer in layers.items()}
    masks = scope(scores, kept, shares, granularity)
    pruned = put(ours, {name: _masked(layers[name], mask) for name, mask in masks.items()})
    return Result(pruned, count(pruned, x))


def _score(name: str, weight: Tensor, criterion: Criterion) -> Tensor:
    scores = criterion(weight.detach())
    if scores.shape != weight.shape:
        rule = f"must give layer {name!r} scores of its weight's shape {tuple(weight.shape)}"
        _check.fail("prune", "criterion", rule, tuple(scores.shape))
    return scores


def _kept(layer: FloatLayer) -> Tensor:
    if isinstance(layer, MaskedLinear | MaskedConv2d):
        return layer.mask
    return torch.ones_like(layer.weight, dtype=torch.bool)


def _masked(layer: FloatLayer, mask: Tensor) -> MaskedLinear | MaskedConv2d:
    with torch.no_grad():
        layer.weight.mul_(mask)  # the layer belongs to our own copy of the model
    if isinstance(layer, nn.Conv2d):
        return MaskedConv2d(layer, mask)
    return MaskedLinear(layer, mask)
