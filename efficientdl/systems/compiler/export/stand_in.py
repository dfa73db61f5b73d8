"""A compressed network as an ordinary one, with a note of what each weight was before.

A graph holds plain tensors. So each compressed layer is replaced by an ordinary one whose weight is
what the layer's weight stands for; the graph is taken from that; and where the graph says
`conv1.weight`, the note says that it is kept in codes, and which levels the layer's input has.
"""

from collections.abc import Callable
from copy import copy
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from efficientdl import _check
from efficientdl.models.layers.binary_linear import SignKernel
from efficientdl.models.layers.coded import Coded
from efficientdl.models.layers.conv_form import ConvForm
from efficientdl.models.layers.int4_linear import Int4Linear
from efficientdl.models.layers.int8_layer import Int8Layer
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.quantized import Quantized
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.models.layers.shared_weight import Shared
from efficientdl.models.layers.sparse_layer import SparseLayer
from efficientdl.tensors import QParams

Apply = Callable[[Tensor, Tensor, Tensor | None], Tensor]
MASKED = (MaskedLinear, MaskedConv2d)
COMPRESSED = (Quantized, Shared, Coded, Reweighted, *MASKED, QuantizedInput)


class StandIn(NamedTuple):
    """An ordinary network for a compressed one.

    Attributes:
        model: The network. It shares all that is not compressed with the one it stands for.
        layers: By the name of a weight, the compressed layer that it belongs to.
        levels: By the name of a weight, the levels to which its layer's input is rounded.
    """

    model: nn.Module
    layers: dict[str, nn.Module]
    levels: dict[str, QParams]


class Plain(nn.Module):
    """A layer with its weight as an ordinary tensor."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        bias = _bias(layer)
        self.weight = nn.Parameter(_weight(layer), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)
        self.apply_weight = _apply(layer)
        self.training = layer.training

    def forward(self, input: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """What the layer gives."""
        return self.apply_weight(input, self.weight, self.bias)


def stand_in(model: nn.Module) -> StandIn:
    """Replace every compressed layer of a network by an ordinary one; the network stays as it is.

    Raises:
        BadValue: A layer runs on a sparse kernel, which has no ordinary one to stand for it.

    >>> import torch
    >>> layer = MaskedLinear(nn.Linear(2, 1), torch.tensor([[True, False]]))
    >>> bool(stand_in(nn.Sequential(layer)).model[0].weight[0, 1] == 0)
    True
    """
    found = StandIn(model, {}, {})
    return found._replace(model=_replaced(model, "", {}, found))


def _replaced(
    module: nn.Module, path: str, done: dict[int, nn.Module], found: StandIn
) -> nn.Module:
    """A module with ordinary layers in it; one that stands in two places stays one."""
    if isinstance(module, COMPRESSED):
        layer = module.layer if isinstance(module, QuantizedInput) else module
        weight = f"{path}weight"
        found.layers[weight] = layer
        if isinstance(module, QuantizedInput):
            found.levels[weight] = module.qparams
        return done.setdefault(id(module), Plain(layer))
    if isinstance(module, SparseLayer | Int4Linear | SignKernel | Int8Layer):
        rule = "must be exported before `accelerate` puts it onto kernels of this library"
        _check.fail("export_onnx", "model", rule, type(module).__name__)
    if id(module) not in done:
        done[id(module)] = _with_children(module)
    ours = done[id(module)]
    for name, child in module._modules.items():
        if child is not None:
            ours._modules[name] = _replaced(child, f"{path}{name}.", done, found)
    return ours


def _with_children(module: nn.Module) -> nn.Module:
    """The module itself where it has no children, else a copy of it with its own list of them."""
    if not module._modules:
        return module
    ours = copy(module)
    ours._modules = dict(module._modules)
    return ours


def _weight(layer: nn.Module) -> Tensor:
    weight = layer.weight
    assert isinstance(weight, Tensor), "every compressed layer has one"
    if isinstance(layer, MASKED):
        weight = weight * layer.mask
    return weight.detach()


def _bias(layer: nn.Module) -> Tensor | None:
    return layer.bias_value() if isinstance(layer, Coded) else layer.bias  # pyright: ignore


def _apply(layer: nn.Module) -> Apply:
    """What the layer does with a weight and a bias."""
    if isinstance(layer, Reweighted):
        layer = layer.layer
    if isinstance(layer, ConvForm):
        return layer.convolve
    if isinstance(layer, Coded):
        return layer._apply_weight
    if isinstance(layer, nn.Conv2d):
        return layer._conv_forward
    return functional.linear
