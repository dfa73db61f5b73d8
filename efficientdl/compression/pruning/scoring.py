"""What every way of pruning by score shares: the layers, and their scores."""

from collections.abc import Mapping
from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer, demand_floats, weight_layers
from efficientdl.compression.pruning.statistics import collect, wanted, wide
from efficientdl.fit.training import Examples, Loss
from efficientdl.protocols import Criterion


def own_copy(
    caller: str, model: nn.Module, options: Mapping[str, object]
) -> tuple[nn.Module, dict[str, FloatLayer]]:
    """A copy of the model, and those of its layers that are to be pruned.

    Of layers that share a weight the first is listed, and stands for all of them.

    Args:
        caller: Who asks, for the error.
        model: The model, which is not changed.
        options: What each layer is to be pruned to, by name.

    Raises:
        BadValue: One of the layers is quantized, has no weights, or holds one that is no finite
            number; or layers that share a weight are to be pruned differently.
    """
    ours = deepcopy(model)
    layers: dict[str, FloatLayer] = {}
    owners: dict[int, str] = {}
    for name, layer in weight_layers(caller, ours).items():
        if name not in options:
            continue
        layer = demand_floats(caller, name, layer)
        owner = owners.setdefault(id(layer.weight), name)
        if owner == name:
            layers[name] = layer
        elif options[owner] != options[name]:
            rule = f"must be told the same as {name!r}, whose weight it shares"
            told = (options[owner], options[name])
            _check.fail(caller, f"layer {owner!r}", rule, told)
    for name, layer in layers.items():
        weight = layer.weight.detach()
        if not weight.numel():
            rule = f"must hold weights in layer {name!r}"
            _check.fail(caller, "model", rule, tuple(weight.shape))
        if not bool(weight.isfinite().all()):
            bad = float(weight[~weight.isfinite()][0])
            _check.fail(caller, "model", f"must hold finite weights in layer {name!r}", bad)
    return ours, layers


def score_layers(
    caller: str,
    model: nn.Module,
    layers: Mapping[str, FloatLayer],
    criterion: Criterion,
    *,
    data: Examples | None,
    loss: Loss = cross_entropy,
) -> dict[str, Float[Tensor, "..."]]:
    """The score of every weight of these layers, with the statistics that the criterion asks for.

    Args:
        caller: Who asks, for the error.
        model: The network that the layers stand in.
        layers: The layers to score.
        criterion: How much a weight is worth keeping.
        data: Inputs and labels; None where the criterion asks for nothing.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    Raises:
        BadValue: A statistic needs data that is not given; or the scores do not fit.
    """
    statistics = wanted(caller, criterion)
    known: Mapping[str, Mapping[str, Tensor]] = {name: {} for name in layers}
    if statistics:
        if data is None:
            rule = f"must be given: the criterion asks for {', '.join(statistics)}"
            _check.fail(caller, "data", rule, data)
        if not (isinstance(data, tuple | list) and len(data) == 2):
            raise _check.BadKind(f"{caller}: data must be (x, y), got {_check.show(data)}")
        known = collect(caller, model, list(layers), statistics=statistics, data=data, loss=loss)
    return {
        name: _score(caller, name, wide(layer.weight.detach()), criterion, known[name])
        for name, layer in layers.items()
    }


def _score(
    caller: str, name: str, weight: Tensor, criterion: Criterion, known: Mapping[str, Tensor]
) -> Tensor:
    scores = criterion(weight, **known)
    if scores.shape != weight.shape:
        rule = f"must give layer {name!r} scores of its weight's shape {tuple(weight.shape)}"
        _check.fail(caller, "criterion", rule, tuple(scores.shape))
    if bool(scores.isnan().any()):
        rule = f"must give layer {name!r} scores that are numbers"
        _check.fail(caller, "criterion", rule, float("nan"))
    return scores
