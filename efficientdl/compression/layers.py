"""Find the layers that hold weights, give each its option, and put others in their place."""

from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from efficientdl import _check
from efficientdl.models.layers.coded import Coded
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear
from efficientdl.protocols import Policy

V = TypeVar("V")
FloatLayer = nn.Linear | nn.Conv2d
WeightLayer = FloatLayer | QuantizedLinear | QuantizedConv2d | SharedLinear | SharedConv2d | Coded


def weight_layers(caller: str, model: nn.Module) -> dict[str, WeightLayer]:
    """The linear layers and convolutions of a model, by name, masked and quantized ones too.

    A layer that is used under two names is listed under the first. The linear layer inside torch's
    attention is not listed: attention reads its weight and never calls it, so another layer in its
    place would not be heard.

    Args:
        caller: Who asks, for the error.
        model: Where to look; a layer by itself has the name "".

    Raises:
        BadKind: It is no model.
        BadValue: It has none of them.

    >>> list(weight_layers("prune", nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))))
    ['0', '2']
    """
    _check.kind(caller, "model", model, nn.Module)
    inner = {id(m.out_proj) for m in model.modules() if isinstance(m, nn.MultiheadAttention)}
    named = model.named_modules()
    found = {n: m for n, m in named if isinstance(m, WeightLayer) and id(m) not in inner}
    if not found:
        rule = "must have a Linear or Conv2d layer"
        _check.fail(caller, "model", rule, type(model).__name__)
    return found


def demand_floats(caller: str, name: str, layer: WeightLayer) -> FloatLayer:
    """The layer, when its weights are floats, masked or not.

    Raises:
        BadValue: It holds integer codes, or shapes alone.
    """
    if not isinstance(layer, FloatLayer):
        rule = f"must not be quantized yet: layer {name!r} holds codes"
        _check.fail(caller, "model", rule, type(layer).__name__)
    if layer.weight.is_meta:
        rule = f"must hold values: layer {name!r} is on the meta device, which has shapes alone"
        _check.fail(caller, "model", rule, type(layer).__name__)
    return layer


def for_each(
    caller: str, option: str, policy: Policy[V], layers: Mapping[str, object]
) -> dict[str, V]:
    """The value of an option for each layer that it concerns.

    A mapping concerns the layers that it names, and leaves the others alone; any other value
    concerns them all.

    Args:
        caller: Who asks, for the error.
        option: What the option is called, for the error.
        policy: One value, or `{layer name: value}`.
        layers: The layers there are, by name.

    >>> for_each("prune", "sparsity", 0.5, {"conv": 0, "head": 0})
    {'conv': 0.5, 'head': 0.5}
    >>> for_each("prune", "sparsity", {"head": 0.9}, {"conv": 0, "head": 0})
    {'head': 0.9}
    """
    if not isinstance(policy, Mapping):
        return dict.fromkeys(layers, policy)
    for name in policy:
        _check.one_of(caller, f"layer named in {option}", name, layers)
    return {name: policy[name] for name in layers if name in policy}


def put(model: nn.Module, layers: Mapping[str, nn.Module]) -> nn.Module:
    """Put new layers in the places of old ones, in every place that an old one stands in.

    It changes the model given, which is therefore a copy that the caller owns, and returns it, or
    the new layer where that was the whole model.

    Args:
        model: The model to change.
        layers: The new layers, by the names of the old ones.
    """
    if "" in layers:
        return layers[""]
    new = {id(model.get_submodule(name)): layer for name, layer in layers.items()}
    for parent in list(model.modules()):
        for child_name, child in list(parent._modules.items()):  # a child under two names, twice
            if id(child) in new:
                setattr(parent, child_name, new[id(child)])
    return model
