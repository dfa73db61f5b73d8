"""Put a compressed network onto the kernels made for its representation."""

from collections.abc import Callable
from copy import deepcopy

from torch import nn

from efficientdl import _check
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.sparse import SparseConv2d, SparseLinear


def accelerate(model: nn.Module) -> nn.Module:
    """A copy of a network whose masked layers run on the sparse kernel, for inference.

    A mask alone makes no layer faster: the dense kernel multiplies by its zeros. Here each masked
    linear layer and convolution is put into compressed rows, of which only what is kept is
    multiplied. Layers whose masks drop nothing, and masked attention and recurrent layers, stay as
    they are. Whether the copy is faster is a question of sparsity and shape: `side_by_side` tells.

    Args:
        model: A network with masked layers; it stays as it is. The copy is in evaluation mode.

    Raises:
        BadValue: No linear layer or convolution of it has a mask that drops a weight.

    >>> import torch
    >>> masked = MaskedLinear(nn.Linear(2, 1), torch.tensor([[True, False]]))
    >>> accelerate(nn.Sequential(masked, nn.ReLU()))
    Sequential(
      (0): SparseLinear(kept=1 of 2)
      (1): ReLU()
    )

    Source: Han et al., "EIE", ISCA 2016: speed comes from a form that skips zeros; the survey's
    section 6; lab 02.
    """
    _check.kind("accelerate", "model", model, nn.Module)
    ours = deepcopy(model).eval()
    fast = {id(m): form(m) for m in ours.modules() if (form := _form_of(m)) is not None}
    if not fast:
        rule = "must have a masked Linear or Conv2d layer that drops weights"
        _check.fail("accelerate", "model", rule, type(model).__name__)
    if id(ours) in fast:
        return fast[id(ours)]
    for parent in list(ours.modules()):
        for name, child in list(parent._modules.items()):  # a child under two names, twice
            if id(child) in fast:
                setattr(parent, name, fast[id(child)])
    return ours


def _form_of(module: nn.Module) -> Callable[..., nn.Module] | None:
    """What runs a layer's representation faster, None where nothing does."""
    if not isinstance(module, MaskedLinear | MaskedConv2d) or bool(module.mask.all()):
        return None
    return SparseLinear if isinstance(module, MaskedLinear) else SparseConv2d
