"""Quantize weights after training: round each one to the nearest of a few levels."""

from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import FloatLayer, demand_floats, put, weight_layers
from efficientdl.compression.quantization.quantizable import demand_bits, demand_input
from efficientdl.costs.count import count
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import Granularity, PerChannel, choose_qparams, symmetric
from efficientdl.tensors.affine import Rule


@technique(
    "quant-linear",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, Quantization and "
    "Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3, eq. 2",
    lab="00_start_here",
    kind=Compressor(
        identity={"bits": 16},
        stronger=({"bits": 8}, {"bits": 3}),
        tolerance=1e-3,
        reason="16 bits round a weight to one part in 65,534 of its channel's range",
    ),
)
def quantize_weights(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    bits: Policy[int],
    granularity: Granularity = PerChannel(),
    rule: Rule = symmetric,
) -> Result:
    """Linear quantization of the weights: each becomes the nearest of equally spaced levels.

    Linear layers and convolutions keep integer codes, a scale for each group, and nothing else;
    biases and activations stay float. Pruned layers keep their masks, and only the codes of the
    weights that stay are stored, with their indices. Nothing is trained.

    Args:
        model: A trained network with linear layers or convolutions.
        x: An example of its input, for the report.
        bits: Bits of a weight, 2..16 (1..16 where the rule is not symmetric), or
            `{layer name: bits}`.
        granularity: Which weights share a scale; a channel each is the default.
        rule: How a group's range is chosen: `symmetric`, `affine` or `min_max`, which is the
            survey's own.

    Raises:
        BadValue: A layer cannot be quantized, as an embedding or an LSTM cannot, or is quantized
            already; a weight is no finite number; or there is no layer to quantize.

    >>> model = nn.Sequential(nn.Linear(64, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> small, report = quantize_weights(model, torch.zeros(1, 64), bits=4)
    >>> small[0].codes.unique().numel() <= 15
    True

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.1; the survey's equation 2 in section
    2.3; lab 00.
    """
    wanted = demand_bits("quantize_weights", "bits", bits, model, allowed=range(1, 17))
    demand_input("quantize_weights", model, x)
    ours = deepcopy(model)
    layers = weight_layers("quantize_weights", ours)
    new = {}
    for name, n_bits in wanted.items():
        layer = demand_floats("quantize_weights", name, layers[name])
        new[name] = _quantized(layer, n_bits, granularity, rule)
    small = put(ours, new)
    return Result(small, count(small, x))


@torch.no_grad()
def _quantized(
    layer: FloatLayer, bits: int, granularity: Granularity, rule: Rule
) -> QuantizedLinear | QuantizedConv2d:
    qparams = choose_qparams(layer.weight, bits=bits, granularity=granularity, rule=rule)
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d(layer, qparams, granularity=granularity)
    return QuantizedLinear(layer, qparams, granularity=granularity)
