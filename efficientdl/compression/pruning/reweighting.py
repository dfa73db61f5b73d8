"""Put layers behind a rule for their weights, while a network trains."""

from collections.abc import Callable, Mapping
from typing import cast

from torch import nn

from efficientdl.compression.layers import FloatLayer, put
from efficientdl.compression.pruning.recording import sharing
from efficientdl.models.layers.reweighted import Reweighted


def behind_rules(
    ours: nn.Module,
    layers: Mapping[str, FloatLayer],
    rule_for: Callable[[str, FloatLayer], nn.Module],
) -> nn.Module:
    """The network with each of these layers behind a rule; layers that share a weight share it.

    Args:
        ours: A network that the caller owns; it is changed.
        layers: The layers, by name; of those that share a weight, one.
        rule_for: `f(name, layer) -> rule`, a module that maps the weight to the one used.

    >>> layer = nn.Linear(2, 1)
    >>> behind_rules(layer, {"": layer}, lambda name, layer: nn.Identity()).layer is layer
    True
    """
    names = {id(module): name for name, module in ours.named_modules()}
    new: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        rule = rule_for(name, layer)
        for other in sharing(ours, layer):
            new[names[id(other)]] = Reweighted(cast(FloatLayer, other), rule)
    return put(ours, new)
