"""Ternary weight networks: each weight is zero, or of one size."""

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
from efficientdl.fit.plan import Training
from efficientdl.models.layers.reweighted import Reweighted
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import Granularity, PerTensor, QParams, ternarize, ternary


class _Ternary(WeightRule):
    """-E, 0 or +E, straight through."""

    def __init__(self, granularity: Granularity) -> None:
        super().__init__()
        self.granularity = granularity

    def forward(self, weight: Tensor) -> Tensor:
        values = ternarize(self.granularity.group(weight))
        return self.granularity.ungroup(values, tuple(weight.shape))

    def qparams(self, weight: Tensor) -> QParams:
        return ternary(self.granularity.group(weight))


@technique(
    "quant-ternary",
    paper="Li, Zhang and Liu, Ternary Weight Networks, 2016",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(identity={"bits": 32}, stronger=({"bits": {"7": 2}}, {"bits": 2})),
)
def ternarize_weights(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    training: Training | None = None,
    bits: Policy[int] = 2,
    granularity: Granularity = PerTensor(),
) -> Result:
    """Ternary weight network: each weight is -E, 0 or +E, two bits in the place of 32.

    A weight is zero up to the threshold `0.7 mean|w|`; `E` is the mean magnitude of the others, the
    nearest in the L2 norm for this threshold. Both follow the float weights, which the training
    keeps, and which get the gradient of the ternary ones. At the end the codes alone stay.

    Args:
        model: A network, trained or not, with linear layers or convolutions.
        x: An example of its input, for the report.
        training: How to train with ternary weights; None rounds without.
        bits: 2, or 32 to leave a layer in float; or `{layer name: bits}`, where those that are
            not named stay as they are.
        granularity: Which weights share `E`; those of a layer, as in the paper, by default.

    Raises:
        BadValue: A layer cannot be changed: it is pruned, or quantized already.

    >>> import torch
    >>> model = nn.Linear(3, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[-1.0, 2.0, -3.0]]))
    >>> small, report = ternarize_weights(model, torch.zeros(1, 3))
    >>> small.weight
    tensor([[ 0.0000,  2.5000, -2.5000]])

    Source: Li, Zhang and Liu, "Ternary Weight Networks", 2016, equations 3 and 5, the rule of
    thumb for equation 6, and the section on training; the survey's section 2.3; lab 04.
    """
    ours = deepcopy(model)
    found = chosen_whole("ternarize_weights", bits, ours, x, few=2)
    wrapped: dict[str, nn.Module] = {
        name: Reweighted(layer, _Ternary(granularity)) for name, layer in found.items()
    }
    return train_few_bits(ours, x, wrapped, settled_weight, training=training)
