"""Weights of few bits, trained: what the methods that do this share.

While a network trains, a layer keeps its weight in float, and uses what a rule makes of it
(`Reweighted`); the gradient passes the rule straight through, or as the method says. Afterwards
the float weight goes, and codes take its place.
"""

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from math import isfinite

import torch
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer, demand_floats, put, weight_layers
from efficientdl.compression.quantization.quantizable import demand_bits, demand_input
from efficientdl.costs.count import count
from efficientdl.fit.plan import Hook, Training
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import Granularity, QParams

FLOAT = 32  # bits at which a number stays as it is
Wrap = Callable[[str, FloatLayer], nn.Module]
Unwrap = Callable[[nn.Module], nn.Module]


class WeightRule(nn.Module):
    """A rule for a weight whose values have evenly spaced levels.

    Attributes:
        granularity: Which weights share a scale.
    """

    granularity: Granularity

    def forward(self, weight: Tensor) -> Tensor:
        """The weight as it is used, with its gradient."""
        raise NotImplementedError

    def qparams(self, weight: Tensor) -> QParams:
        """The levels of what `forward` gives."""
        raise NotImplementedError


def chosen(
    caller: str,
    option: str,
    bits: Policy[int],
    model: nn.Module,
    x: Tensor,
    *,
    known: Collection[int],
) -> dict[str, tuple[FloatLayer, int]]:
    """The layers that are to get few bits, with their bits.

    As `demand_bits`; those that are to have 32 bits stay floats, and are left out.

    Args:
        caller: Who asks, for the error.
        option: What the option is called, for the error.
        bits: Bits of a weight, or `{layer name: bits}`.
        model: Where the layers are.
        x: An example of its input.
        known: The numbers of bits that are allowed beside 32.

    Raises:
        BadKind: The bits are no whole number.
        BadValue: The bits are others, a layer cannot be quantized, or the input does not fit.

    >>> model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    >>> list(chosen("example", "bits", {"1": 2}, model, torch.zeros(1, 4), known=(2,)))
    ['1']
    """
    wanted = demand_bits(caller, option, bits, model, allowed=(*known, FLOAT))
    demand_input(caller, model, x)
    layers = weight_layers(caller, model)
    floats = {name: demand_floats(caller, name, layers[name]) for name in wanted}
    return {name: (floats[name], n) for name, n in wanted.items() if n != FLOAT}


def chosen_whole(
    caller: str, bits: Policy[int], model: nn.Module, x: Tensor, *, few: int
) -> dict[str, FloatLayer]:
    """As `chosen`, for a method of one number of bits that has no use for a mask.

    Raises:
        BadValue: As `chosen`; or a layer is pruned.
    """
    layers = chosen(caller, "bits", bits, model, x, known=(few,))
    demand_unpruned(caller, {name: layer for name, (layer, _) in layers.items()})
    return {name: layer for name, (layer, _) in layers.items()}


def demand_unpruned(caller: str, layers: Mapping[str, FloatLayer]) -> None:
    """Refuse a layer with a mask: in few bits its zeros would not stay zeros."""
    for name, layer in layers.items():
        if isinstance(layer, MaskedLinear | MaskedConv2d):
            rule = f"must not be pruned: in layer {name!r} weights are zero, and would not stay so"
            _check.fail(caller, "model", rule, type(layer).__name__)


def train_few_bits(
    model: nn.Module,
    x: Tensor,
    wrapped: dict[str, nn.Module],
    settle: Unwrap,
    *,
    training: Training | None,
    hook: Hook | None = None,
) -> Result:
    """Put layers with rules into a network, train it, and put what stays into their places.

    Args:
        model: A copy that the caller owns.
        x: An example of its input, for the report.
        wrapped: Layers with their rules, by the names of those they stand for.
        settle: What stays of one of them.
        training: How to train; None leaves the weights as they are.
        hook: Called after each step; with one, the last epoch is kept and not the best.
    """
    ours = put(model, wrapped)
    if training is not None:
        ours = training.run(ours) if hook is None else training.run_with(ours, hook)
    with torch.no_grad():
        settled = {name: settle(ours.get_submodule(name)) for name in wrapped}
    small = put(ours, settled)
    return Result(small, count(small, x))


def settled_weight(layer: nn.Module) -> nn.Module:
    """The layer with its weight in codes, as its rule gives them."""
    assert isinstance(layer, Reweighted), "only layers with rules are settled"
    rule, inner = layer.rule, layer.layer
    assert isinstance(rule, WeightRule), "only rules with levels are settled so"
    weight = inner.weight
    qparams = rule.qparams(weight.detach())
    weight.copy_(rule(weight))  # first the levels, then the codes: at a tie only the rule decides
    if isinstance(inner, nn.Conv2d):
        return QuantizedConv2d(inner, qparams, granularity=rule.granularity)
    return QuantizedLinear(inner, qparams, granularity=rule.granularity)


def order_of_calls(caller: str, model: nn.Module, x: Tensor, names: Collection[str]) -> list[str]:
    """Layers in the order in which they are first called; those never called are not listed."""
    return list(least_inputs(caller, model, x, names))


@torch.no_grad()
def least_inputs(
    caller: str, model: nn.Module, x: Tensor, names: Collection[str]
) -> dict[str, float]:
    """The least number that goes into each layer, in evaluation mode, in the order of the calls."""
    demand_input(caller, model, x)
    watched, seen = deepcopy(model).eval(), {}

    def watch(name: str) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen[name] = min(float(inputs[0].min()), seen.get(name, float("inf")))

        watched.get_submodule(name).register_forward_pre_hook(hook)

    for name in names:
        watch(name)
    watched(x)
    for name, least in seen.items():
        if not isfinite(least):
            rule = f"must lead to finite activations, and layer {name!r} takes others"
            _check.fail(caller, "x", rule, least)
    return seen
