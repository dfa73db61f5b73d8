"""Data-free quantization: equalize, absorb, round, correct, and look at no example."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import put, weight_layers
from efficientdl.compression.quantization.bias_correction import (
    absorb_high_biases,
    correct_biases,
    expected_inputs,
)
from efficientdl.compression.quantization.dataflow import dataflow
from efficientdl.compression.quantization.equalize import links_of, scale_links
from efficientdl.compression.quantization.norm_ranges import (
    NormRanges,
    Range,
    expected_ranges,
)
from efficientdl.compression.quantization.norm_statistics import fold_with_statistics
from efficientdl.compression.quantization.quantizable import demand_bits
from efficientdl.compression.quantization.weights import quantize_weights
from efficientdl.costs.count import count
from efficientdl.models.layers.quantized import QuantizedConv2d, QuantizedLinear
from efficientdl.models.layers.quantized_input import QuantizedInput
from efficientdl.protocols import Result
from efficientdl.tensors import Granularity, PerTensor, symmetric
from efficientdl.tensors.affine import Rule


@technique(
    "quant-dfq",
    paper="Nagel, van Baalen, Blankevoort and Welling, Data-Free Quantization Through Weight "
    "Equalization and Bias Correction, 2019",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(
        identity={"bits": 16},
        stronger=({"bits": 8}, {"bits": 3}),
        tolerance=1e-3,
        reason="16 bits round a weight to one part in 65,534 of its layer's range",
    ),
)
def quantize_data_free(
    model: nn.Module,
    x: Float[Tensor, "n ..."],
    *,
    bits: int,
    granularity: Granularity = PerTensor(),
    rule: Rule = symmetric,
    sweeps: int = 20,
    activations: NormRanges | None = None,
) -> Result:
    """Data-free quantization: what the data would tell, batch norm has told already.

    Five steps, none of which sees an example. Batch norm is folded. Channels are scaled so that
    layers in a row have weights of one range (`equalize`). The part of a bias that no ReLU cuts
    moves into the next layer (`absorb_high_biases`). Weights are rounded, and the mean error that
    this makes, computed from the norms' means and spreads, is taken out of the biases
    (`correct_biases`). A layer whose mean input no norm tells keeps its bias. Inputs of layers, if
    they are to be rounded too, get ranges from the same means and spreads (`NormRanges`).

    Args:
        model: A trained network of linear layers, convolutions and batch norms.
        x: An example of its input, for its shape; its values do not matter.
        bits: Bits of a weight, 2..16.
        granularity: Which weights share a scale; equalization is for those of a whole layer.
        rule: How a group's range is chosen.
        sweeps: How often to go through all pairs of layers; 0 leaves equalization out.
        activations: How to round what goes into each layer: `NormRanges((0, 1), bits=8)`, where
            the network itself takes numbers in 0..1. None leaves activations in float.

    Raises:
        BadValue: A layer has weights that cannot be quantized, or is quantized already; or its
            input is to be rounded, and no norm tells the range of that.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    >>> small, report = quantize_data_free(model.eval(), torch.zeros(1, 4), bits=4)
    >>> small[0].codes.unique().numel() <= 15
    True

    Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction",
    ICCV 2019, section 4; the survey's section 2.3; lab 04.
    """
    _check.whole("quantize_data_free", "bits", bits, 2, 16)  # a number, not one for each layer
    _check.whole("quantize_data_free", "sweeps", sweeps, 0)
    if activations is not None:
        _check.kind("quantize_data_free", "activations", activations, NormRanges)
    demand_bits("quantize_data_free", "bits", bits, model, allowed=range(2, 17))
    folded, statistics = fold_with_statistics("quantize_data_free", model, x)
    flow = dataflow("quantize_data_free", folded, x)
    links = links_of(flow)
    statistics = scale_links(folded, links, statistics, sweeps=sweeps)
    statistics = absorb_high_biases(folded, links, statistics)
    small = quantize_weights(folded, x, bits=bits, granularity=granularity, rule=rule).model
    correct_biases(small, folded, expected_inputs(flow, statistics))
    if activations is not None:
        small = _with_coded_inputs(
            small, expected_ranges(flow, statistics, activations), activations
        )
    return Result(small, count(small, x))


def _with_coded_inputs(
    model: nn.Module, ends: Mapping[str, Range], activations: NormRanges
) -> nn.Module:
    """Every layer behind a quantizer of its input, in a model that the caller owns."""
    new = {}
    for name, layer in weight_layers("quantize_data_free", model).items():
        assert isinstance(layer, QuantizedLinear | QuantizedConv2d), "its weight is in codes"
        if name not in ends:
            rule = f"must have a batch norm that tells what goes into layer {name!r}"
            _check.fail("quantize_data_free", "model", rule, "none")
        levels = activations.levels(ends[name])
        levels = levels._replace(
            scale=levels.scale.to(layer.scale), zero_point=levels.zero_point.to(layer.scale)
        )
        new[name] = QuantizedInput(layer, levels)
    return put(model, new)
