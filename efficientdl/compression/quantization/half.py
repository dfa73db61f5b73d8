"""Half precision: weights as floats of 16 bits, or of fewer."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.catalogue import Compressor, technique
from efficientdl.compression.layers import put
from efficientdl.compression.quantization.few_bits import chosen
from efficientdl.costs.count import count
from efficientdl.models.layers.float_codes import FloatCodes
from efficientdl.protocols import Policy, Result
from efficientdl.tensors import FP8_E4M3, FP16, TF32, FloatFormat

USUAL = MappingProxyType({8: FP8_E4M3, 16: FP16, 19: TF32})


@technique(
    "quant-fp16",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam and Kalenichenko, Quantization and "
    "Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3",
    lab="04_quantization",
    kind=Compressor(identity={"bits": 32}, stronger=({"bits": 16}, {"bits": 8})),
)
def half_precision(
    model: nn.Module,
    x: Float[Tensor, "..."],
    *,
    bits: Policy[int] = 16,
    formats: Mapping[int, FloatFormat] = USUAL,
) -> Result:
    """Half precision: weights and biases as floats of 16 bits, half the bytes of 32.

    A float of 16 bits keeps its precision over a wide range of sizes, so no range is chosen and
    nothing is calibrated: each number becomes the nearest one of the format. Arithmetic stays in
    the model's own float. Other formats do as well: `formats={16: BF16}`, or one of 8 bits. Pruned
    layers keep their masks, and only the numbers that stay are stored.

    Args:
        model: A network with linear layers or convolutions.
        x: An example of its input, for the report.
        bits: Bits of a number, or 32 to leave a layer as it is; or `{layer name: bits}`, where
            those that are not named stay as they are.
        formats: Which float has so many bits: fp16, and fp8 e4m3, tf32 for 8 and 19.

    Raises:
        BadValue: A number is too large for the format; or a layer is quantized already.

    >>> import torch
    >>> layer = nn.Linear(64, 8)
    >>> small, report = half_precision(layer, torch.zeros(1, 64))
    >>> report.total.weight_bits / (8 * 65)
    16.0

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, as the survey cites it in section 2.3; the
    format: IEEE 754-2008, binary16; lab 04.
    """
    for n_bits, number_format in formats.items():
        if number_format.bits != n_bits:
            rule = f"must have {n_bits} bits, as its place in `formats` says"
            _check.fail("half_precision", f"format {number_format.name}", rule, number_format.bits)
    ours = deepcopy(model)
    found = chosen("half_precision", "bits", bits, ours, x, known=tuple(formats))
    new: dict[str, nn.Module] = {n: FloatCodes(m, formats[b]) for n, (m, b) in found.items()}
    small = put(ours, new)
    return Result(small, count(small, x))
