"""DoReFa-Net: weights, activations and gradients of few bits each."""

from copy import deepcopy
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer, demand_floats, weight_layers
from efficientdl.compression.quantization.few_bits import (
    FLOAT,
    WeightRule,
    demand_unpruned,
    order_of_calls,
    settled_weight,
    train_few_bits,
)
from efficientdl.compression.quantization.quantizable import demand_allowed, demand_bits
from efficientdl.fit.plan import Training
from efficientdl.models.layers.few_bit_input import FewBitInput, UnitLevels
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import PerTensor, QParams, binary, dorefa_gradient, dorefa_weight

BITS = range(1, 17)


class _Squeezed(WeightRule):
    """A weight through tanh into -1..1, and rounded there."""

    granularity = PerTensor()

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        return dorefa_weight(weight, bits=self.bits)

    def qparams(self, weight: Tensor) -> QParams:
        if self.bits == 1:
            return binary(weight.reshape(1, -1))
        top = 2**self.bits - 1
        scale = torch.full((1, 1), 2 / top, dtype=weight.dtype, device=weight.device)
        return QParams(scale, torch.full_like(scale, top / 2), top + 1)


class _RoundGradient(torch.autograd.Function):
    """The identity, whose gradient is rounded to few bits with noise."""

    @staticmethod
    def forward(ctx: FunctionCtx, y: Tensor, bits: int) -> Tensor:
        ctx.bits = bits  # pyright: ignore[reportAttributeAccessIssue]
        return y.view_as(y)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        u = torch.rand_like(grad)  # `fit` seeds the global generator, and gives it back
        return dorefa_gradient(grad, u, bits=ctx.bits), None  # pyright: ignore[reportAttributeAccessIssue]


class RoundedGradient(nn.Module):
    """Hands its input on; what comes back in training is rounded to few bits with noise.

    Args:
        bits: Bits of a gradient, 1..16.

    Source: Zhou et al., "DoReFa-Net", 2016, equation 12; lab 04.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        _check.whole("RoundedGradient", "bits", bits, 1, 16)
        self.bits = bits

    def forward(self, input: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """The input itself."""
        return _RoundGradient.apply(input, self.bits) if self.training else input  # pyright: ignore[reportReturnType]

    def extra_repr(self) -> str:
        return f"bits={self.bits}"


class _Bits(NamedTuple):
    """Bits of a layer's weight, of its input and of its output's gradient."""

    weight: int
    activation: int
    gradient: int


@technique(
    "quant-dorefa",
    paper="Zhou, Wu, Ni, Zhou, Wen and Zou, DoReFa-Net: Training Low Bitwidth Convolutional Neural "
    "Networks with Low Bitwidth Gradients, 2016",
    survey="2.3, 4.1",
    lab="04_quantization",
    kind=Compressor(
        identity={"weight_bits": 32, "activation_bits": 32, "gradient_bits": 32},
        stronger=({"weight_bits": 8}, {"weight_bits": 1}),
    ),
)
def dorefa(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    weight_bits: Policy[int] = 1,
    activation_bits: int = 2,
    gradient_bits: int = 6,
    training: Training | None = None,
) -> Result:
    """DoReFa-Net: weights through tanh into [-1, 1], activations in [0, 1], gradients with noise.

    All three are rounded to `2**bits` levels; a weight of one bit is a sign times its layer's
    mean magnitude. A layer's input is cut to [0, 1]; the layer that comes first takes its input as
    it is. What comes back to a layer's output while it trains is rounded example by example, with
    noise that keeps it right on average. The paper leaves the first and the last layer in float:
    see `weight_bits`.

    Args:
        model: A network with linear layers or convolutions, batch norm before its activations.
        x: An example of its input: for the report, and to see which layer comes first.
        weight_bits: Bits of a weight, 1..16, or 32 for floats; or `{layer name: bits}`, where
            layers that are not named stay as they are.
        activation_bits: Bits of what comes into these layers, likewise.
        gradient_bits: Bits of the gradient by their output, likewise, while training.
        training: How to train so; its seed decides the noise too. None rounds without training.

    Raises:
        BadValue: The bits are out of their range, or a layer cannot be changed: it is pruned, or
            quantized already.

    >>> model = nn.Linear(3, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[-9.0, 0.1, 9.0]]))
    >>> small, report = dorefa(model, torch.zeros(1, 3), weight_bits=2)
    >>> small.weight
    tensor([[-1.0000,  0.3333,  1.0000]])

    Source: Zhou et al., "DoReFa-Net", 2016, sections 2.3 to 2.6 and algorithm 1; the survey's
    sections 2.3 and 4.1; lab 04.
    """
    allowed = (*BITS, FLOAT)
    demand_allowed("dorefa", "activation_bits", activation_bits, allowed)
    demand_allowed("dorefa", "gradient_bits", gradient_bits, allowed)
    wanted = demand_bits("dorefa", "weight_bits", weight_bits, model, allowed=allowed)
    ours = deepcopy(model)
    every = weight_layers("dorefa", ours)
    layers = {name: demand_floats("dorefa", name, every[name]) for name in wanted}
    demand_unpruned("dorefa", layers)
    first = order_of_calls("dorefa", ours, x, every)[:1]
    wrapped: dict[str, nn.Module] = {}
    for name, layer in layers.items():
        seen = FLOAT if name in first else activation_bits
        wrapped[name] = _wrapped(layer, _Bits(wanted[name], seen, gradient_bits))
    return train_few_bits(ours, x, wrapped, _settled, training=training)


def _wrapped(layer: FloatLayer, bits: _Bits) -> nn.Module:
    inner = layer if bits.weight == FLOAT else Reweighted(layer, _Squeezed(bits.weight))
    if bits.activation != FLOAT:
        inner = FewBitInput(inner, UnitLevels(bits.activation))
    if bits.gradient != FLOAT:
        after = RoundedGradient(bits.gradient).train(layer.training)
        both = nn.Sequential(inner, after)
        both.training = layer.training
        return both
    return inner


def _settled(layer: nn.Module) -> nn.Module:
    inner = layer[0] if isinstance(layer, nn.Sequential) else layer
    if isinstance(inner, FewBitInput):
        rounded = inner.layer
        kept = settled_weight(rounded) if isinstance(rounded, Reweighted) else rounded
        return FewBitInput(kept, inner.rule)  # pyright: ignore[reportArgumentType]
    return settled_weight(inner) if isinstance(inner, Reweighted) else inner
