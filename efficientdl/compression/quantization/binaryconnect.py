"""BinaryConnect: weights of one bit, +1 or -1, trained through the floats behind them."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.quantization.few_bits import (
    WeightRule,
    chosen_whole,
    settled_weight,
    train_few_bits,
)
from efficientdl.costs.count import count
from efficientdl.fit.plan import Training
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import PerTensor, QParams, binarize, binarize_stochastically


class SignRule(WeightRule):
    """A weight's sign, +1 for zero; the gradient passes where the weight is in [-1, 1]."""

    granularity = PerTensor()

    def forward(self, weight: Tensor) -> Tensor:
        """The survey's equation 3."""
        return binarize(weight)

    def qparams(self, weight: Tensor) -> QParams:
        """The two levels, -1 and +1."""
        two = torch.full((1, 1), 2.0, dtype=weight.dtype, device=weight.device)
        return QParams(two, two / 4, 2)


class DrawnSignRule(WeightRule):
    """A sign that is drawn anew at each use in training; in evaluation the weight, clipped."""

    def forward(self, weight: Tensor) -> Tensor:
        """The survey's equation 4."""
        if not self.training:
            return weight.clamp(-1, 1)
        u = torch.rand_like(weight)  # `fit` seeds the global generator, and gives it back
        return binarize_stochastically(weight, u)


def clip_weights(model: nn.Module) -> None:
    """Put the float weights behind signs back into [-1, 1], in place: beyond, nothing changes."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, Reweighted) and isinstance(module.rule, SignRule | DrawnSignRule):
                module.layer.weight.clamp_(-1, 1)


@technique(
    "quant-binaryconnect",
    paper="Courbariaux, Bengio and David, BinaryConnect: Training Deep Neural Networks with Binary "
    "Weights during Propagations, 2015",
    survey="2.3, eq. 3 to 5",
    lab="04_quantization",
    kind=Compressor(identity={"bits": 32}, stronger=({"bits": {"7": 1}}, {"bits": 1})),
)
def binary_connect(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    training: Training | None = None,
    bits: Policy[int] = 1,
) -> Result:
    """BinaryConnect: each weight is +1 or -1, the sign of a float that training keeps beside it.

    A step of training uses the signs forward and backward, moves the floats, and clips them to
    [-1, 1]. There many small steps add up until a sign changes. At the end the signs alone stay:
    one bit a weight. There is no scale, so the network needs batch norm, or another one behind
    each layer. The last epoch is kept. The paper also scales each layer's learning rate by the
    size of its first weights; here all layers have the rate of the plan.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        training: How to train with binary weights; None takes the signs without, of which a
            network that was trained in float makes little.
        bits: 1, or 32 to leave a layer in float; or `{layer name: bits}`, where those that are
            not named stay as they are.

    Raises:
        BadValue: A layer cannot be changed: it is pruned, or quantized already.

    >>> model = nn.Linear(3, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[-0.1, 0.0, 3.0]]))
    >>> small, report = binary_connect(model, torch.zeros(1, 3))
    >>> small.weight
    tensor([[-1.,  1.,  1.]])

    Source: Courbariaux, Bengio and David, "BinaryConnect", NeurIPS 2015, section 2 and algorithm
    1; the survey's equation 3 in section 2.3; lab 04.
    """
    ours = deepcopy(model)
    found = chosen_whole("binary_connect", bits, ours, x, few=1)
    wrapped: dict[str, nn.Module] = {
        name: Reweighted(layer, SignRule()) for name, layer in found.items()
    }
    return train_few_bits(ours, x, wrapped, settled_weight, training=training, hook=clip_weights)


def binary_connect_stochastic(
    model: nn.Module, x: Float[Tensor, "..."], *, training: Training, bits: Policy[int] = 1
) -> Result:
    """Stochastic BinaryConnect: train with signs drawn by chance, keep the float weights.

    Each use draws +1 with the probability `hard_sigmoid(w)`. On average that is `w` itself, so the
    draw is noise that regularizes, as dropout is, and it is the float weights, clipped to [-1, 1],
    that the paper tests with. They give smaller sums than signs do, so batch norms take their
    statistics anew from the training inputs. Near zero a draw is a coin and tells nothing, so the
    learning rate must be high enough for weights to leave it. For one bit a weight, train on with
    `binary_connect`.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        training: How to train; its seed decides the draws too.
        bits: 1, or 32 to leave a layer in float; or `{layer name: bits}`, where those that are
            not named stay as they are.

    Raises:
        BadValue: A layer cannot be changed: it is pruned, or quantized already.

    Source: Courbariaux, Bengio and David, "BinaryConnect", NeurIPS 2015, sections 2.2 and 2.6; the
    survey's equations 4 and 5 in section 2.3; lab 04.
    """
    ours = deepcopy(model)
    found = chosen_whole("binary_connect_stochastic", bits, ours, x, few=1)
    wrapped: dict[str, nn.Module] = {
        name: Reweighted(layer, DrawnSignRule()) for name, layer in found.items()
    }
    small = train_few_bits(ours, x, wrapped, _clipped, training=training, hook=clip_weights).model
    _renew_norms(small, training)
    return Result(small, count(small, x))


@torch.no_grad()
def _renew_norms(model: nn.Module, training: Training) -> None:
    """Statistics of batch norms over the training inputs, in place; frozen ones stay."""
    every = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    norms = [m for m in every if m.training or not model.training]
    modes = [(module, module.training) for module in model.modules()]
    before = [norm.momentum for norm in norms]
    model.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
        norm.train()
    inputs = training.train[0]
    for batch in inputs.tensor_split(max(1, len(inputs) // training.recipe.batch)):
        model(batch)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    for module, mode in modes:
        module.training = mode


def _clipped(layer: nn.Module) -> nn.Module:
    assert isinstance(layer, Reweighted), "only layers with rules are settled"
    layer.layer.weight.clamp_(-1, 1)
    return layer.layer
