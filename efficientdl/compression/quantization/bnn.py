"""Binarized neural networks: weights and activations of one bit."""

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.quantization.binaryconnect import SignRule, clip_weights
from efficientdl.compression.quantization.few_bits import (
    chosen_whole,
    settled_weight,
    train_few_bits,
)
from efficientdl.compression.quantization.signed_inputs import with_signed_inputs
from efficientdl.fit.plan import Training
from efficientdl.models.layers.few_bit_input import FewBitInput, Signs
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result


@technique(
    "quant-bnn",
    paper="Courbariaux, Hubara, Soudry, El-Yaniv and Bengio, Binarized Neural Networks: Training "
    "Deep Neural Networks with Weights and Activations Constrained to +1 or -1, 2016",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(identity={"bits": 32}, stronger=({"bits": {"7": 1}}, {"bits": 1})),
)
def binarize_network(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    training: Training | None = None,
    bits: Policy[int] = 1,
) -> Result:
    """Binarized network: the signs of the weights times the signs of what comes in.

    Such a product is one XNOR, and a sum of 64 of them one count of bits
    (`efficientdl.kernels.popcount`). The layer that comes first takes its input as it is: a picture
    has few channels and many grey values. Hard tanh takes the place of every ReLU, since the sign
    of what a ReLU gives is always +1. Gradients pass a sign where its input is in [-1, 1]. Zeros
    of a padding stay zeros. The network needs batch norm before its activations; the last epoch is
    kept. The paper's batch norm and optimizer by shifts, which save multiplications in training,
    are left out.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input: for the report, and to see which layer comes first.
        training: How to train with signs; None takes them without, of which a network that was
            trained in float makes little.
        bits: 1, or 32 to leave a layer in float; or `{layer name: bits}`, where those that are
            not named stay as they are.

    Raises:
        BadValue: A layer gets no negative number, so that signs would tell nothing; or it cannot
            be changed: it is pruned, or quantized already.

    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 2))
    >>> small, report = binarize_network(model.eval(), torch.tensor([[1.0, 0.5], [-2.0, 1.0]]))
    >>> small[2], small[3].layer.weight.abs()
    (Hardtanh(min_val=-1.0, max_val=1.0), tensor([[1., 1.],
            [1., 1.]]))

    Source: Courbariaux et al., "Binarized Neural Networks", 2016, section 1 and algorithm 1; the
    survey's section 2.3; lab 04.
    """
    ours = deepcopy(model)
    found = chosen_whole("binarize_network", bits, ours, x, few=1)
    ours, first = with_signed_inputs("binarize_network", ours, x, found)
    wrapped: dict[str, nn.Module] = {}
    for name, layer in found.items():
        reweighted = Reweighted(layer, SignRule())
        wrapped[name] = reweighted if name == first else FewBitInput(reweighted, Signs())
    return train_few_bits(ours, x, wrapped, _settled, training=training, hook=clip_weights)


def _settled(layer: nn.Module) -> nn.Module:
    if isinstance(layer, FewBitInput):
        return FewBitInput(settled_weight(layer.layer), layer.rule)  # pyright: ignore[reportArgumentType]
    return settled_weight(layer)
