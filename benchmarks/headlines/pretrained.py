"""A network trained on ImageNet, in few bits: what is kept of its answers on real photographs."""

from collections.abc import Callable
from functools import cache, partial
from unittest.mock import patch

from torch import nn

from benchmarks.headlines import Headline
from benchmarks.headlines.agreement import (
    by_scales,
    calibration,
    crops,
    folded,
    keeps_more,
    kept,
    megabytes,
    network,
    row,
    table,
    told,
    usual_probability,
)
from benchmarks.headlines.sensitivity import imagenet_mixed_bits
from benchmarks.headlines.without_data import (
    imagenet_ranges_without_data,
    imagenet_weights_without_data,
)
from efficientdl.compression.quantization import (
    integer_only,
    quantize_analytically,
    quantize_static,
)
from efficientdl.kernels.low_bit.int8_conv_codes import int8_conv_codes_reference
from efficientdl.models.layers.integer_steps import IntegerNetwork
from efficientdl.protocols import Result
from efficientdl.tensors import PerChannel, PerTensor, affine

BY_REFERENCE = 2  # crops that also go through the plain integer products


def imagenet_int8() -> Headline:
    """INT8, a scale for each layer or for each channel, weights alone and activations too."""
    x = calibration()
    rows = {
        "float, batch norm folded": (kept(folded()), megabytes(folded())),
        "weights, a scale a layer": by_scales(PerTensor(), 8),
        "weights, a scale a channel": by_scales(PerChannel(), 8),
        "both, a scale a layer": row(quantize_static(folded(), x, granularity=PerTensor()).model),
        "both, a scale a channel": row(_static()),
    }
    layer, channel = ([rows[f"{what}, a scale a {of}"][0] for what in ("weights", "both")]
                      for of in ("layer", "channel"))  # fmt: skip
    return Headline(
        claim="A scale for each channel keeps more of EfficientNet-Lite0 in INT8 than one for "
        "each layer",
        paper="75.1 % of ImageNet in float, 74.4 % in INT8, a scale for each channel (the table "
        "of TensorFlow's EfficientNet-Lite release); a scale for each layer breaks MobileNetV2: "
        "71.7 to 0.1 % (Nagel et al. 2019, table 1)",
        ours=told(rows),
        holds=all(keeps_more(c, t) for c, t in zip(channel, layer, strict=True)),
        seeds=1,
        figures=table(rows),
        note="Agreement with float is a harder measure than accuracy: on half of the crops float "
        f"gives its first answer less than {usual_probability():.0f} %, and little turns it over.",
    )


@cache
def _static() -> nn.Module:
    return quantize_static(folded(), calibration()).model


def imagenet_int4() -> Headline:
    """INT4 naive, and with analytical clipping, bits shared out and the bias corrected."""
    x = calibration()
    by_name: dict[str, Callable[[], Result]] = {
        "weights 4, activations 8, naive": partial(quantize_static, weight_bits=4),
        "weights 4, activations 8, closed forms": partial(
            quantize_analytically, weight_bits=4, activation_bits=8, activation_rule=affine
        ),
        "both 4, naive": partial(quantize_static, weight_bits=4, activation_bits=4),
        "both 4, closed forms": partial(quantize_analytically),
    }
    rows = {name: row(make(folded(), x).model) for name, make in by_name.items()}  # pyright: ignore
    forms = [keeps_more(rows[f"{what}, closed forms"][0], rows[f"{what}, naive"][0])
             for what in ("weights 4, activations 8", "both 4")]  # fmt: skip
    return Headline(
        claim="INT4 by closed forms keeps more of EfficientNet-Lite0 than naive INT4",
        paper="ResNet-50, weights and activations in 4 bits: 62.2 % naive, 73.3 % with all three "
        "(the code of Banner et al. 2019; 76.1 % in float)",
        ours=told(rows),
        holds=all(forms),
        seeds=1,
        figures=table(rows),
        note="Naive has a scale for each channel and the whole range. At 8 bits activations are "
        "not cut: their range is the whole one for both. It holds where both gain by more than "
        "two standard errors over the six pictures; with both in 4 bits little is left either way.",
    )


def imagenet_integers() -> Headline:
    """Not one float between the picture and the scores."""
    small = integer_only(network(), calibration()).model
    assert isinstance(small, IntegerNetwork), "that is what it makes"
    codes = small.to_codes(crops().x[:BY_REFERENCE])
    ours = small.integers(codes)
    with patch("efficientdl.models.layers.integer.int8_conv_codes", int8_conv_codes_reference):
        plain = small.integers(codes)
    differ = int((ours != plain).sum())
    rows = {
        "whole numbers": (kept(small), megabytes(small)),
        "rounded floats": row(_static()),
    }
    return Headline(
        claim="EfficientNet-Lite0 runs on whole numbers alone",
        paper="75.1 % of ImageNet in float, 74.4 % in INT8 (TensorFlow's EfficientNet-Lite "
        "release); the arithmetic is that of Jacob et al. 2018",
        ours=f"{differ} of {ours.numel()} codes differ from plain integer products; {told(rows)}",
        holds=differ == 0 and rows["whole numbers"][0].sure == 100.0,
        seeds=1,
        figures=table(rows) | {"codes that differ": [differ]},
        note="It holds where no code differs and every answer of which float is sure is kept.",
    )


CLAIMS: tuple[Callable[[], Headline], ...] = (
    imagenet_int8,
    imagenet_int4,
    imagenet_mixed_bits,
    imagenet_weights_without_data,
    imagenet_ranges_without_data,
    imagenet_integers,
)
