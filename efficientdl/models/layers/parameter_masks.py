"""Masks for layers that have several weights: each mask is a buffer beside its weight.

The mask of `weight_hh_l0` is the buffer `weight_hh_l0_mask`; a name's dot becomes an underscore.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.stored_weight import bits_of
from efficientdl.tensors import storage_bits

Masks = Mapping[str, Bool[Tensor, "_ _"]]


def take_over(module: nn.Module, layer: nn.Module, masks: Masks) -> None:
    """Give a module the parameters and the modes of a layer of the same shape, and masks.

    Args:
        module: What is being built, on the meta device; it is changed.
        layer: The layer to take over; its own masks, if it has any, are not.
        masks: True for each weight that stays, by the name of the weight.

    Raises:
        BadValue: A mask is for no weight of the layer, or has another shape.
    """
    for name, parameter in layer.named_parameters():
        holder, _, last = name.rpartition(".")
        setattr(module.get_submodule(holder), last, parameter)
    caller = type(module).__name__
    weights = {name: p for name, p in layer.named_parameters() if p.ndim == 2}
    for name, mask in masks.items():
        _check.one_of(caller, "weight named in masks", name, weights)
        if mask.shape != weights[name].shape:
            rule = f"of {name!r} must have the weight's shape {tuple(weights[name].shape)}"
            _check.fail(caller, "mask", rule, tuple(mask.shape))
        module.register_buffer(_buffer(name), mask.clone())
    for ours, theirs in zip(module.modules(), layer.modules(), strict=True):
        ours.training = theirs.training


def masked(module: nn.Module, name: str) -> Float[Tensor, "..."] | None:
    """A parameter of a module, its dropped weights zero; None where the module has none."""
    parameter = getattr(module.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2])
    mask = module._buffers.get(_buffer(name))
    return parameter if mask is None else parameter * mask


def masks_of_parameters(module: nn.Module) -> dict[str, Bool[Tensor, "m k"]]:
    """The masks that a module holds, by the names of the parameters that they are for.

    >>> masks_of_parameters(nn.LSTM(2, 3))
    {}
    """
    buffers = {name: module._buffers.get(_buffer(name)) for name, _ in module.named_parameters()}
    return {name: mask for name, mask in buffers.items() if mask is not None}


def zero_dropped(model: nn.Module) -> None:
    """Set every weight that a mask drops to zero, in place, in all masked layers of a network.

    A mask alone decides what a layer computes. But a weight that is cut in the middle of a
    training is moved on by the optimizer's momentum, where nobody sees it.

    >>> import torch
    >>> layer = MaskedLinear(nn.Linear(2, 1), torch.tensor([[True, False]]))
    >>> zero_dropped(layer)
    >>> int(layer.weight.count_nonzero())
    1
    """
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, MaskedLinear | MaskedConv2d):
                module.weight.mul_(module.mask)
            elif any(name.endswith("_mask") for name in module._buffers):
                for name, mask in masks_of_parameters(module).items():
                    module.get_parameter(name).mul_(mask)


def stored_bits(module: nn.Module) -> int:
    """Storage of all parameters of a module: masked ones without zeros, index bits included.

    >>> stored_bits(nn.Linear(2, 3))  # nothing is masked
    288
    """
    masks = masks_of_parameters(module)
    bits = 0
    for name, p in module.named_parameters():
        mask = masks.get(name)
        value_bits = 8 * p.element_size()
        bits += bits_of(p) if mask is None else storage_bits(mask, value_bits=value_bits).bits
    return bits


def _buffer(name: str) -> str:
    return f"{name.replace('.', '_')}_mask"
