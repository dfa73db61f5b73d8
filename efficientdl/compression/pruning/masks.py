"""Masks of a whole network: read from one, put on another.

A mask says which weights of a layer stay. It can be found on one copy of a network, at the end of
its training, and used on another, at the beginning: that is a lottery ticket.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.compression.layers import FloatLayer, demand_floats, put, weight_layers
from efficientdl.compression.pruning.notes import masked_note, removed
from efficientdl.compression.pruning.recording import sharing
from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.protocols import Mask, Policy, Result
from efficientdl.tensors import PerGroup


@runtime_checkable
class Pruner(Protocol):
    """Anything that prunes to a sparsity: `prune`, or a `functools.partial` of it."""

    def __call__(
        self, model: nn.Module, x: Float[Tensor, "..."], *, sparsity: Policy[float]
    ) -> Result: ...


def mask_of(layer: FloatLayer) -> Mask:
    """What earlier pruning left of a layer's weight; everything, where there was none.

    >>> mask_of(nn.Linear(2, 1))
    tensor([[True, True]])
    """
    if isinstance(layer, MaskedLinear | MaskedConv2d):
        return layer.mask
    return torch.ones_like(layer.weight, dtype=torch.bool)


def masked(layer: FloatLayer, mask: Mask) -> MaskedLinear | MaskedConv2d:
    """The masked form of a layer that the caller owns: its weight is changed."""
    with torch.no_grad():
        layer.weight.mul_(mask)
    if isinstance(layer, nn.Conv2d):
        return MaskedConv2d(layer, mask)
    return MaskedLinear(layer, mask)


def put_masks(
    ours: nn.Module,
    layers: Mapping[str, FloatLayer],
    masks: Mapping[str, Mask],
    x: Tensor,
    *,
    what: str,
) -> Result:
    """The model with masked layers in place of these, and its report.

    Layers that share a weight with one of them get its mask too: what is dropped from a weight is
    dropped wherever it is used.

    Args:
        ours: A model that the caller owns; it is changed.
        layers: The layers, by name.
        masks: What stays of each, by name.
        x: An example of the model's input.
        what: What was done, for the report's note.
    """
    names = {id(module): name for name, module in ours.named_modules()}
    new: dict[str, nn.Module] = {}
    for name, mask in masks.items():
        for layer in sharing(ours, layers[name]):
            new[names[id(layer)]] = masked(cast(FloatLayer, layer), mask)
    pruned = put(ours, new)
    return Result(pruned, replace(count(pruned, x), note=masked_note(what, masks)))


def masked_result(model: nn.Module, x: Float[Tensor, "..."]) -> Result:
    """A network with the masks that it has, and its report, which says what they removed.

    Args:
        model: Any network; one without masks gets a report without a note.
        x: An example of its input.

    >>> masked_result(nn.Linear(2, 1), torch.zeros(1, 2)).report.note
    ''
    """
    masks = masks_of(model)
    note = masked_note(removed(masks, PerGroup(1)), masks) if masks else ""
    return Result(model, replace(count(model, x), note=note))


def masks_of(model: nn.Module) -> dict[str, Mask]:
    """The masks of all masked layers, by the layers' names; copies, which may be kept.

    >>> masks_of(nn.Sequential(nn.Linear(2, 2)))
    {}
    """
    named = model.named_modules()
    return {name: m.mask.clone() for name, m in named if isinstance(m, MaskedLinear | MaskedConv2d)}


def with_masks(model: nn.Module, masks: Mapping[str, Mask]) -> nn.Module:
    """A copy of a network in which the layers named keep what their masks keep, and no more.

    A layer that is masked already keeps what both masks keep. Layers that share a weight with one
    that is named get its mask too.

    Args:
        model: A network with linear layers or convolutions; it stays as it is.
        masks: True for each weight that stays, by the name of the layer.

    Raises:
        BadValue: There is no such layer, the mask has not the shape of its weight, or two layers
            that share a weight are given different masks.

    >>> model = nn.Sequential(nn.Linear(2, 1))
    >>> half = with_masks(model, {"0": torch.tensor([[True, False]])})
    >>> int(half[0].weight.count_nonzero())
    1
    """
    ours = deepcopy(model)
    if not masks:
        return ours
    layers = weight_layers("with_masks", ours)
    names = {id(module): name for name, module in ours.named_modules()}
    new: dict[str, nn.Module] = {}
    for name, mask in masks.items():
        _check.one_of("with_masks", "layer named in masks", name, layers)
        layer = demand_floats("with_masks", name, layers[name])
        if mask.shape != layer.weight.shape:
            rule = f"of layer {name!r} must have its weight's shape {tuple(layer.weight.shape)}"
            _check.fail("with_masks", "mask", rule, tuple(mask.shape))
        for other in sharing(ours, layer):
            theirs = masks.get(names[id(other)], mask)
            if not torch.equal(theirs, mask):
                rule = f"of layer {name!r} must be that of {names[id(other)]!r}, with which it "
                kept = int(mask.count_nonzero()), int(theirs.count_nonzero())
                _check.fail("with_masks", "mask", rule + "shares its weight: so many stay", kept)
            other = cast(FloatLayer, other)
            new[names[id(other)]] = masked(other, mask & mask_of(other))
    return put(ours, new)


def without_zeros(model: nn.Module, x: Float[Tensor, "..."]) -> Result:
    """Mask the weights that are exactly zero: what a proximal step has left of a network.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.

    >>> model = nn.Linear(2, 1)
    >>> _ = model.weight.data.copy_(torch.tensor([[0.0, 5.0]]))
    >>> without_zeros(model, torch.zeros(1, 2)).model.mask
    tensor([[False,  True]])
    """
    layers = weight_layers("without_zeros", model)
    floats = {name: demand_floats("without_zeros", name, m) for name, m in layers.items()}
    pruned = with_masks(model, {name: m.weight != 0 for name, m in floats.items()})
    return masked_result(pruned, x)
