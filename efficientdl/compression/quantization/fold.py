"""Batch norm folded into the layer before it: in inference, both are one product."""

from collections import Counter
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer, put
from efficientdl.compression.quantization.dataflow import Step, dataflow
from efficientdl.costs.count import count
from efficientdl.models.layers.folded import Norm, folded_weight
from efficientdl.protocols import Result

_PRODUCTS = ("convolution", "addmm", "mm")
_NORM = "native_batch_norm"


def fold_batch_norm(model: nn.Module, x: Float[Tensor, "n ..."]) -> Result:
    """Fold every batch norm into the layer before it; the function of inference stays the same.

    Behind a layer `w x + b`, batch norm with its running statistics gives `gamma (w x + b - mu) /
    sigma + beta`, which is a layer again: `w' = w gamma / sigma`, `b' = beta + (b - mu) gamma /
    sigma`. An identity stays in its place. What is folded can be fine-tuned, but no statistics
    are kept any more.

    Args:
        model: A trained network. Which norm stands behind which layer is seen in a run.
        x: An example of its input; its values do not matter.

    Raises:
        BadValue: A batch norm stands behind something else, or behind a layer whose output is
            used elsewhere too; or it keeps no running statistics.

    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    >>> folded, report = fold_batch_norm(model.eval(), torch.zeros(1, 1, 3, 3))
    >>> folded[1], report.total.params
    (Identity(), 40)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 3.2, equation 14; the survey's section
    2.3; lab 04.
    """
    pairs = norm_pairs("fold_batch_norm", model, x)
    ours = deepcopy(model)
    new: dict[str, nn.Module] = {}
    with torch.no_grad():
        for norm_name, layer_name in pairs.items():
            layer, norm = ours.get_submodule(layer_name), ours.get_submodule(norm_name)
            assert isinstance(layer, FloatLayer), "pairs are of these"
            assert isinstance(norm, Norm), "pairs are of these"
            new[layer_name] = with_weight(layer, *folded_weight(layer.weight, layer.bias, norm))
            new[norm_name] = nn.Identity().train(norm.training)
    folded = put(ours, new)
    return Result(folded, count(folded, x))


def with_weight(
    layer: FloatLayer, weight: Float[Tensor, "..."], bias: Float[Tensor, "..."] | None
) -> FloatLayer:
    """A copy of a layer with another weight and bias, each as trainable as it was.

    Args:
        layer: The layer; a mask is copied with it.
        weight: Its new weight.
        bias: Its new bias, or None.
    """
    copy = deepcopy(layer)
    copy.weight = nn.Parameter(weight.detach().clone(), requires_grad=layer.weight.requires_grad)
    had = layer.weight if layer.bias is None else layer.bias
    if bias is not None:
        copy.bias = nn.Parameter(bias.detach().clone(), requires_grad=had.requires_grad)
    return copy


def norm_pairs(caller: str, model: nn.Module, x: Float[Tensor, "n ..."]) -> dict[str, str]:
    """The layer that each batch norm can be folded into: `{norm: layer}`, in order of use.

    Args:
        caller: Who asks, for the error.
        model: The model; it runs as in inference.
        x: An example of its input.

    Raises:
        BadValue: A batch norm cannot be folded.
    """
    flow = dataflow(caller, model, x)
    steps = {step.number: step for step in flow.steps}
    modules = dict(model.named_modules())
    uses = Counter(step.layer for step in flow.steps if step.name in (*_PRODUCTS, _NORM))
    pairs: dict[str, str] = {}
    for step in flow.steps:
        norm = modules.get(step.layer)
        if step.name != _NORM or not _is_norm(caller, step, norm):
            continue
        before = steps.get(step.values()[0])
        foldable = (
            before is not None
            and before.name in _PRODUCTS
            and before.shape == step.x_shape
            and isinstance(modules.get(before.layer), FloatLayer)
            and flow.n_uses[before.number] == 1
            and uses[before.layer] == uses[step.layer] == 1
        )
        if not foldable:
            rule = "must have each batch norm alone behind a Linear or Conv2d layer; not so layer"
            _check.fail(caller, "model", rule, step.layer)
        pairs[step.layer] = before.layer  # pyright: ignore[reportOptionalMemberAccess]
    return pairs


def _is_norm(caller: str, step: Step, module: nn.Module | None) -> bool:
    """Whether this is a batch norm; instance norm is computed by the same operation."""
    if isinstance(module, nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d):
        return False
    mean = step.args[3]
    if not isinstance(module, Norm) or mean is None:
        rule = "must have batch norms with running statistics alone, as modules; not so layer"
        _check.fail(caller, "model", rule, step.layer)
    return True
