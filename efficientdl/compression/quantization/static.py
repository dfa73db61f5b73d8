"""Post-training quantization of weights and activations: a calibration, and no training."""

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import technique
from efficientdl.compression.layers import put
from efficientdl.compression.quantization.kinds import BOTH_IN_CODES
from efficientdl.compression.quantization.observe import observe_inputs
from efficientdl.compression.quantization.quantizable import demand_bits
from efficientdl.compression.quantization.weights import quantize_weights
from efficientdl.costs.count import count
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import Granularity, PerChannel, QParams, affine, symmetric
from efficientdl.tensors.affine import Rule


@technique(
    "quant-ptq-int8",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, Quantization and "
    "Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3",
    lab="04_quantization",
    kind=BOTH_IN_CODES,
)
def quantize_static(
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    weight_bits: Policy[int] = 8,
    activation_bits: int = 8,
    granularity: Granularity = PerChannel(),
    weight_rule: Rule = symmetric,
    activation_rule: Rule = affine,
) -> Result:
    """Post-training quantization: weights and the inputs of every layer in codes.

    Weights are known; the ranges of activations are not, and are taken from a run on real
    examples. Each layer then rounds its input to the levels of a range that stands still. What
    layers without weights do in between stays float, and so do biases and the output; for a
    network that holds no float at all see `integer_only`. Batch norm is left where it stands:
    `fold_batch_norm` takes it into the weights beforehand.

    Args:
        model: A trained network with linear layers or convolutions.
        x: Real examples, some dozens at least, to calibrate by. The report is for this batch.
        weight_bits: Bits of a weight, 2..16 (1..16 where the rule is not symmetric), or
            `{layer name: bits}`, which leaves the other layers float.
        activation_bits: Bits of an activation, 1..16 (2..16 where the rule is symmetric).
        granularity: Which weights share a scale; a channel each is the default.
        weight_rule: How a weight's range is chosen: `symmetric`, or another rule of `tensors`.
        activation_rule: How an activation's is: `affine`, `min_max`, `LeastDivergence()`, ...

    Raises:
        BadValue: A layer cannot be quantized, as an embedding or an LSTM cannot; a weight or an
            activation is no finite number; there are no examples.

    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    >>> import torch
    >>> x = torch.rand(8, 1, 4, 4)
    >>> small, report = quantize_static(model, x)
    >>> small[3].bits, small[3].layer.codes.dtype
    (8, torch.uint8)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, sections 2.1 and 3; the survey's section 2.3,
    "Quantization Schemes"; lab 04.
    """
    wanted = demand_bits("quantize_static", "weight_bits", weight_bits, model, allowed=range(1, 17))
    _check.whole("quantize_static", "activation_bits", activation_bits, 1, 16)

    def levels(values: Tensor) -> QParams:
        return activation_rule(values, bits=activation_bits)

    inputs = observe_inputs("quantize_static", model, x, layers=wanted, measure=levels)
    coded = quantize_weights(model, x, bits=wanted, granularity=granularity, rule=weight_rule).model
    layers = {name: _coded_layer(coded, name) for name in wanted}
    small = put(coded, {name: QuantizedInput(layers[name], inputs[name]) for name in wanted})
    return Result(small, count(small, x))


def _coded_layer(model: nn.Module, name: str) -> QuantizedLinear | QuantizedConv2d:
    layer = model.get_submodule(name)
    assert isinstance(layer, QuantizedLinear | QuantizedConv2d), "its weight is in codes"
    return layer
