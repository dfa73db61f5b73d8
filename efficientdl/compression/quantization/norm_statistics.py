"""What batch norm knows of the data, kept while it is folded into the weights before it."""

from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer, demand_floats
from efficientdl.compression.quantization.dataflow import Dataflow, Step, dataflow
from efficientdl.compression.quantization.fold import fold_batch_norm, norm_pairs
from efficientdl.costs.trace import tensors
from efficientdl.models.layers.folded import Norm
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear

PRODUCTS = ("convolution", "addmm", "mm")


class NormStatistics(NamedTuple):
    """Mean and spread of each channel that a layer gives, after the batch norm folded into it.

    Attributes:
        mean: The norm's shift, `beta`.
        std: The size of the norm's scale, `|gamma|`.
    """

    mean: Float[Tensor, " c_out"]
    std: Float[Tensor, " c_out"]


class Folded(NamedTuple):
    """A model without batch norm, and what its batch norms knew.

    Attributes:
        model: A copy; an `nn.Identity` stands where each norm stood.
        statistics: By the name of the layer that a norm was folded into.
    """

    model: nn.Module
    statistics: Mapping[str, NormStatistics]


def fold_with_statistics(caller: str, model: nn.Module, x: Float[Tensor, "n ..."]) -> Folded:
    """Fold every batch norm into the layer before it, and keep what it says of the data.

    `W' = W gamma / sigma`, `b' = (b - mu) gamma / sigma + beta`: in float the same function. What
    the folded layer gives had, in training, the mean `beta` and the standard deviation `|gamma|`.

    Args:
        caller: Who asks, for the error.
        model: A model whose weights are in linear layers, convolutions and batch norms.
        x: An example of its input, to find what stands behind what.

    Raises:
        BadValue: A batch norm stands behind no layer of its own; a layer is used twice, or is one
            that has weights and is neither linear nor a convolution of pictures.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval()
    >>> x = torch.ones(4, 2)
    >>> folded, statistics = fold_with_statistics("example", model, x)
    >>> bool((folded(x) - model(x)).abs().max() < 1e-6), statistics["0"].mean.tolist()
    (True, [0.0, 0.0, 0.0])
    """
    demand_layers(caller, model, dataflow(caller, model, x))
    pairs = norm_pairs(caller, model, x)
    statistics = {layer: _statistics(model.get_submodule(norm)) for norm, layer in pairs.items()}
    return Folded(fold_batch_norm(model, x).model, statistics)


def _statistics(norm: nn.Module) -> NormStatistics:
    assert isinstance(norm, Norm), "pairs are of these"
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None, "pairs have statistics"
    assert variance is not None, "pairs have statistics"
    beta = torch.zeros_like(mean) if norm.bias is None else norm.bias.detach().clone()
    gamma = torch.ones_like(variance) if norm.weight is None else norm.weight.detach().abs()
    return NormStatistics(beta, gamma)


def demand_layers(caller: str, model: nn.Module, flow: Dataflow) -> None:
    """Demand that all weights are in linear layers, convolutions and batch norms, used once."""
    held = {id(p) for p in model.parameters()}
    seen: set[str] = set()
    for step in flow.steps:
        module = model if step.layer == "(model)" else model.get_submodule(step.layer)
        if step.name in PRODUCTS:
            ours = isinstance(module, FloatLayer | QuantizedLinear | QuantizedConv2d)
            if not ours:
                _refuse(caller, "must multiply in Linear and Conv2d layers alone", step)
            demand_floats(caller, step.layer, module)  # pyright: ignore[reportArgumentType]
            if step.layer in seen:
                _refuse(caller, "must use each layer once", step)
            seen.add(step.layer)
        elif step.name != "native_batch_norm" and any(
            id(t) in held for t in tensors(step.args, step.kwargs)
        ):
            _refuse(caller, f"must not hold weights that {step.name} takes", step)
    if not seen:
        _check.fail(caller, "model", "must have a Linear or Conv2d layer", type(model).__name__)


def _refuse(caller: str, rule: str, step: Step) -> NoReturn:
    _check.fail(caller, "model", f"{rule}, in layer", step.layer)
