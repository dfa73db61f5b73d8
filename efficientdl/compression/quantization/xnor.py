"""XNOR-Net: signs with factors, so that little of the sizes is lost."""

from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.quantization.few_bits import (
    WeightRule,
    chosen_whole,
    settled_weight,
    train_few_bits,
)
from efficientdl.compression.quantization.signed_inputs import with_signed_inputs
from efficientdl.fit.plan import Training
from efficientdl.models.layers.few_bit_input import Xnor
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import PerChannel, QParams, binarize, binary


class _ScaledSigns(WeightRule):
    """`alpha sign(W)` for each filter, with `alpha` its mean magnitude.

    The gradient is that of the product, through the factor as well as through the sign: every
    weight has a part in the factor, where the paper writes each one's own part alone.
    """

    granularity = PerChannel()

    def forward(self, weight: Tensor) -> Tensor:
        size = self.granularity.group(weight).abs().mean(dim=1)  # eq. 6
        return binarize(weight) * size.reshape(-1, *[1] * (weight.ndim - 1))

    def qparams(self, weight: Tensor) -> QParams:
        return binary(self.granularity.group(weight))


@technique(
    "quant-xnor",
    paper="Rastegari, Ordonez, Redmon and Farhadi, XNOR-Net: ImageNet Classification Using Binary "
    "Convolutional Neural Networks, 2016",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(identity={"bits": 32}, stronger=({"bits": {"7": 1}}, {"bits": 1})),
)
def xnor_network(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    training: Training | None = None,
    bits: Policy[int] = 1,
) -> Result:
    """XNOR-Net: signs of weights times signs of inputs, each with the factor that fits best.

    A filter is `alpha sign(W)` with `alpha = mean|W|`: no other factor is nearer in the L2 norm.
    The inputs have a map `K` of factors, the mean magnitude under each window. The layer that
    comes first takes its input as it is; the paper leaves it, and the last one, wholly in float:
    see `bits`. Hard tanh takes the place of every ReLU, since the sign of what a ReLU gives is
    always +1.

    Args:
        model: A network with linear layers or convolutions, batch norm before its activations.
        x: An example of its input: for the report, and to see which layer comes first.
        training: How to train with signs; None takes them without.
        bits: 1, or 32 to leave a layer in float; or `{layer name: bits}`, where those that are
            not named stay as they are.

    Raises:
        BadValue: A layer gets no negative number, so that signs would tell nothing; or it cannot
            be changed: it is pruned, or quantized already.

    >>> import torch
    >>> model = nn.Linear(3, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[-1.0, 0.5, 3.0]]))
    >>> small, report = xnor_network(model, torch.ones(1, 3))
    >>> small.weight
    tensor([[-1.5000,  1.5000,  1.5000]])

    Source: Rastegari, Ordonez, Redmon and Farhadi, "XNOR-Net", ECCV 2016, section 3; the survey's
    section 2.3; lab 04.
    """
    ours = deepcopy(model)
    found = chosen_whole("xnor_network", bits, ours, x, few=1)
    ours, first = with_signed_inputs("xnor_network", ours, x, found)
    wrapped: dict[str, nn.Module] = {}
    for name, layer in found.items():
        reweighted = Reweighted(layer, _ScaledSigns())
        wrapped[name] = reweighted if name == first else Xnor(reweighted)
    return train_few_bits(ours, x, wrapped, _settled, training=training)


def _settled(layer: nn.Module) -> nn.Module:
    if isinstance(layer, Xnor):
        return Xnor(settled_weight(layer.layer))  # pyright: ignore[reportArgumentType]
    return settled_weight(layer)
