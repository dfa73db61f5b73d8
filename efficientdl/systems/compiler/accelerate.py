"""Put a compressed network onto the kernels made for its representation."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn

from efficientdl import _check
from efficientdl.models.layers.binary_linear import BinaryConv2d, BinaryLinear, sign_weight
from efficientdl.models.layers.chain import Chain, has_sparse_convolution
from efficientdl.models.layers.few_bit_input import FewBitInput, Xnor
from efficientdl.models.layers.int4_linear import Int4Linear, coded_weights
from efficientdl.models.layers.int8 import Int8Conv2d, Int8Linear
from efficientdl.models.layers.int8_layer import fits_bytes
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear
from efficientdl.models.layers.sparse import SparseConv2d, SparseLinear
from efficientdl.models.layers.sparse_layer import drops_weights
from efficientdl.protocols import Result

Form = Callable[..., nn.Module]

LINEAR = (MaskedLinear, QuantizedLinear, SharedLinear)
CONVOLUTIONS = (MaskedConv2d, QuantizedConv2d, SharedConv2d)
READ_INSIDE = (FewBitInput, Xnor, QuantizedInput, Reweighted, nn.MultiheadAttention)
FITS = (
    "must have a Linear or ungrouped Conv2d layer whose mask drops weights, a Linear layer with "
    "weights of at most 4 bits, or layers whose weights and inputs are both signs, or both codes "
    "of 8 bits"
)


def accelerate(model: nn.Module | Result) -> nn.Module:
    """A copy of a compressed network that runs on the kernels for its representation.

    Compression alone makes no layer faster: a dense kernel multiplies by the zeros of a mask, and
    codes are turned into floats before each use. What a layer holds decides what it becomes here:

    - a mask that drops weights: `SparseLinear`, `SparseConv2d`; its structure, any, N:M, 4x1 or
      patterns, chooses the kernel; codes under the mask become floats;
    - weights of 4, 3 or 2 bits, even, k-means, float or ternary, in linear layers: `Int4Linear`;
    - weights and inputs of signs (BinaryNet, XNOR-Net): `BinaryLinear`, `BinaryConv2d`;
    - weights and inputs in codes of at most 8 bits, zero among them: `Int8Linear`, `Int8Conv2d`.

    All others stay as they are: layers whose masks drop nothing; convolutions in groups, since a
    depthwise filter has too few weights for a list of them to pay; masked attention and recurrent
    layers; weights in codes where the kernels have none for them.

    A sequence in which sparse convolutions stand becomes a `Chain`: it holds the same layers, but
    runs them image by image, depthwise ones among them, with batch norm and ReLU in the kernels'
    last store. The outputs are the compressed network's, up to rounding. Whether the copy is faster
    is a question of shapes and sparsity: `side_by_side` tells.

    Args:
        model: A compressed network, or the result of a compressor; it stays as it is. The copy is
            in evaluation mode.

    Raises:
        BadKind: It is neither.
        BadValue: No layer of it is in one of these forms.

    >>> import torch
    >>> masked = MaskedLinear(nn.Linear(2, 1), torch.tensor([[True, False]]))
    >>> accelerate(nn.Sequential(masked, nn.ReLU()))
    Sequential(
      (0): SparseLinear(kept=1 of 2)
      (1): ReLU()
    )

    Source: Han et al., "EIE", ISCA 2016: speed comes from a form that skips zeros; the survey's
    section 6; labs 02 and 13.
    """
    network = model.model if isinstance(model, Result) else model
    _check.kind("accelerate", "model", network, nn.Module)
    seen: dict[int, tuple[nn.Module, nn.Module]] = {}
    ours = _accelerated(deepcopy(network).eval(), seen)
    if all(before is after for before, after in seen.values()):
        _check.fail("accelerate", "model", FITS, type(network).__name__)
    return ours


def _accelerated(module: nn.Module, seen: dict[int, tuple[nn.Module, nn.Module]]) -> nn.Module:
    """The module on a kernel, or with its children on theirs; one that stands twice stays one."""
    if id(module) not in seen:
        form = _form_of(module)
        seen[id(module)] = module, module if form is None else form(module)
        if form is None and not isinstance(module, READ_INSIDE):
            for name, child in module._modules.items():
                if child is not None:
                    module._modules[name] = _accelerated(child, seen)
            if type(module) is nn.Sequential and has_sparse_convolution(module):
                seen[id(module)] = module, Chain(module)
    return seen[id(module)][1]


def _form_of(module: nn.Module) -> Form | None:
    """What runs a layer's representation, None where nothing does."""
    if drops_weights(module) and isinstance(module, LINEAR + CONVOLUTIONS):
        in_groups = isinstance(module, CONVOLUTIONS) and module.groups > 1
        if in_groups or module.weight.dtype not in (torch.float32, torch.float64):
            return None
        return SparseLinear if isinstance(module, LINEAR) else SparseConv2d
    if isinstance(module, FewBitInput | Xnor) and sign_weight(module) is not None:
        return BinaryLinear if isinstance(module.layer, QuantizedLinear) else BinaryConv2d
    if isinstance(module, QuantizedInput) and fits_bytes(module):
        return Int8Linear if isinstance(module.layer, QuantizedLinear) else Int8Conv2d
    return Int4Linear if coded_weights(module) is not None else None
