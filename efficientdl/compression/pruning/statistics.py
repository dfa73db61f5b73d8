"""Statistics: what criteria may ask to know about a layer, gathered from examples.

A criterion asks by naming a keyword-only argument; `wanted` reads its signature, `collect` gathers
those statistics and no others. All run in evaluation mode, on a copy, a few examples at a time,
in single precision or better. A weight that several layers share is looked at in all its uses.

- `grad`: gradient of the mean loss.
- `hessian_diagonal`: second derivative of the mean loss in each weight by itself, as the
  Gauss-Newton matrix has it; see `curvature` for what that leaves out.
- `inverse_hessian_diagonal`: of the layer's Hessian, `H = 2 X X^T / n`; see `layer_hessian`.
- `input_norm`: L2 norm of what each weight is multiplied by, over all examples.
- `activations`: outputs of the layer, one channel a column.
- `sensitivity_variance`: variance over examples of the outputs' gradients, mean over outputs.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from types import BuiltinFunctionType

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import WeightLayer, demand_floats, weight_layers
from efficientdl.compression.pruning.curvature import hessian_diagonal, sensitivity_variance
from efficientdl.compression.pruning.layer_hessian import BLOCK, inverses, layer_hessians
from efficientdl.compression.pruning.recording import input_columns, output_columns, recording
from efficientdl.fit.modes import evaluating
from efficientdl.fit.training import Examples, Loss
from efficientdl.protocols import Criterion

Layers = Mapping[str, WeightLayer]
PerLayer = dict[str, Tensor]
BATCH = 64  # examples at a time, and fewer where each is large:
VALUES = 2**18  # of input at a time, which bounds the memory of unfolded patches
HALVES = (torch.float16, torch.bfloat16)


def wanted(caller: str, criterion: Criterion) -> list[str]:
    """The statistics that a criterion names: its keyword-only arguments without a default.

    Args:
        caller: Who asks, for the error.
        criterion: The criterion; one whose statistic is already bound, by `partial`, asks no more.

    Raises:
        BadValue: It names something that nobody gathers.

    >>> from efficientdl.compression.pruning.criteria import magnitude, taylor
    >>> wanted("prune", magnitude), wanted("prune", taylor)
    ([], ['grad'])
    """
    if isinstance(criterion, BuiltinFunctionType):  # as torch's own, whose arguments are not told
        return []
    parameters = inspect.signature(criterion).parameters.values()
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    for keyword in keywords:
        _check.one_of(caller, "statistic named by criterion", keyword.name, STATISTICS)
    return [keyword.name for keyword in keywords]


def collect(
    caller: str,
    model: nn.Module,
    names: list[str],
    *,
    statistics: list[str],
    data: Examples,
    loss: Loss,
) -> dict[str, PerLayer]:
    """These statistics of these layers: `{layer name: {statistic: tensor}}`.

    Args:
        caller: Who asks, for the error.
        model: The network; it is not changed.
        names: The layers.
        statistics: Keys of `STATISTICS`.
        data: Inputs and labels, or targets.
        loss: `f(output, y) -> scalar`, the mean over a batch.

    Raises:
        BadValue: There is no example, or one holds a NaN; or a layer is never called as a module.

    >>> x = torch.tensor([[3.0, 0.0], [4.0, 1.0]])
    >>> layer, asked = nn.Linear(2, 1), ["input_norm"]
    >>> collect("prune", layer, [""], statistics=asked, data=(x, x), loss=torch.dist)
    {'': {'input_norm': tensor([5., 1.])}}
    """
    _check.same_length(caller, **{"data x": data[0], "data y": data[1]})  # pyright: ignore[reportArgumentType]
    _check.whole(caller, "number of data examples", len(data[0]), 1)
    demand_finite(caller, "data x", data[0])
    ours = deepcopy(model)
    if any(parameter.dtype in HALVES for parameter in ours.parameters()):
        ours = ours.float()  # squares of small numbers would be zero
        data = (wide(data[0]), wide(data[1]))
    layers = {n: layer for n, layer in weight_layers(caller, ours).items() if n in names}
    with torch.enable_grad(), evaluating(ours):
        for parameter in ours.parameters():
            parameter.requires_grad_(True)
        gathered = {s: STATISTICS[s](caller, ours, layers, data, loss) for s in statistics}
    return {n: {s: by_layer[n] for s, by_layer in gathered.items()} for n in names}


def batches(data: Examples) -> Iterator[Examples]:
    """The examples, a few at a time."""
    n = max(1, min(BATCH, VALUES // max(1, data[0][0].numel())))
    yield from zip(data[0].split(n), data[1].split(n), strict=True)


def demand_finite(caller: str, name: str, x: Tensor) -> None:
    """Demand inputs without NaN or infinity: every statistic would inherit them."""
    if not bool(x.isfinite().all()):
        _check.fail(caller, name, "must hold finite numbers", float(x[~x.isfinite()][0]))


def wide(x: Tensor) -> Tensor:
    """The tensor in single precision, where it is in half."""
    return x.float() if x.dtype in HALVES else x


def _grad(caller: str, model: nn.Module, layers: Layers, data: Examples, loss: Loss) -> PerLayer:
    weights = {name: demand_floats(caller, name, layer).weight for name, layer in layers.items()}
    total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for x, y in batches(data):
        value = loss(model(x), y) * (len(x) / len(data[0]))  # so that the sum is the mean
        grads = torch.autograd.grad(value, list(weights.values()), materialize_grads=True)
        for name, grad in zip(weights, grads, strict=True):
            total[name] += grad
    return total


def _hessian_diagonal(
    caller: str, model: nn.Module, layers: Layers, data: Examples, loss: Loss
) -> PerLayer:
    return hessian_diagonal(caller, model, layers, batches(data), loss=loss)


def _sensitivity_variance(
    caller: str, model: nn.Module, layers: Layers, data: Examples, _: Loss
) -> PerLayer:
    return sensitivity_variance(caller, model, layers, batches(data))


def _inverse_hessian_diagonal(
    caller: str, model: nn.Module, layers: Layers, data: Examples, _: Loss
) -> PerLayer:
    hessians = layer_hessians(caller, model, layers, (x for x, _y in batches(data)), block=BLOCK)
    found = {}
    for name, layer in layers.items():
        diagonals = [h.diagonal(dim1=-2, dim2=-1) for h in inverses(caller, hessians[name])]
        found[name] = _as_weight(layer, torch.cat(diagonals, dim=1))
    return found


@torch.no_grad()
def _input_norm(caller: str, model: nn.Module, layers: Layers, data: Examples, _: Loss) -> PerLayer:
    squares: PerLayer = {}
    for x, _y in batches(data):
        with recording(caller, model, layers) as calls:
            model(x)
        for name, found in calls.items():
            for call in found:
                here = input_columns(call.layer, call.x).square().sum(dim=(1, 2))
                squares[name] = squares[name] + here if name in squares else here
    return {name: _as_weight(layers[name], square.sqrt()) for name, square in squares.items()}


@torch.no_grad()
def _activations(
    caller: str, model: nn.Module, layers: Layers, data: Examples, _: Loss
) -> PerLayer:
    seen: dict[str, list[Tensor]] = {name: [] for name in layers}
    for x, _y in batches(data):
        with recording(caller, model, layers) as calls:
            model(x)
        for name, found in calls.items():
            for call in found:
                y = output_columns(call.layer, call.y)
                seen[name].append(y.permute(1, 2, 0, 3).flatten(2).flatten(0, 1))
    return {name: torch.cat(parts) for name, parts in seen.items()}


def _as_weight(layer: WeightLayer, by_group: Tensor) -> Tensor:
    """Figures of each group's `k` inputs, in a shape that broadcasts against the weight."""
    shape = tuple(layer.weight.shape)
    if len(by_group) == 1:
        return by_group.reshape(shape[1:])
    return by_group.repeat_interleave(shape[0] // len(by_group), dim=0).reshape(shape)


Gather = Callable[[str, nn.Module, Layers, Examples, Loss], PerLayer]
STATISTICS: dict[str, Gather] = {
    "grad": _grad,
    "hessian_diagonal": _hessian_diagonal,
    "inverse_hessian_diagonal": _inverse_hessian_diagonal,
    "input_norm": _input_norm,
    "activations": _activations,
    "sensitivity_variance": _sensitivity_variance,
}
