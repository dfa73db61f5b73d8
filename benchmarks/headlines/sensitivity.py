"""Bits for each layer of a network trained on ImageNet, by what each does to its answers."""

from collections.abc import Mapping
from functools import cache

from torch import nn

from benchmarks.headlines import Headline
from benchmarks.headlines.agreement import (
    Row,
    by_scales,
    calibration,
    divergence,
    folded,
    keeps_more,
    logits,
    row,
    table,
    told,
)
from benchmarks.headlines.trainings import SIZES
from efficientdl.compression.layers import weight_layers
from efficientdl.compression.quantization import quantize_weights
from efficientdl.tensors import PerChannel

WIDTHS = (4, 6, 8)  # of which a layer gets one
MEANS = (5, 6)  # bits of a weight, over the whole network
PROBES = 6  # crops by which sensitivity is measured


def imagenet_mixed_bits() -> Headline:
    """Bits for each layer by what it does to the answers when it is rounded alone."""
    rows: dict[str, Row] = {}
    chosen: dict[str, list[float]] = {}
    for mean in MEANS:
        bits = bits_by_sensitivity(sensitivities(SIZES["test"]), sizes(), mean)
        rows[f"{mean} bits everywhere"] = by_scales(PerChannel(), mean)
        mixed = quantize_weights(folded(), calibration()[:1], bits=bits).model
        rows[f"{mean} bits on average"] = row(mixed)
        chosen[f"bits by layer at {mean} on average"] = [float(b) for b in bits.values()]
    ahead = [keeps_more(rows[f"{m} bits on average"][0], rows[f"{m} bits everywhere"][0])
             for m in MEANS]  # fmt: skip
    return Headline(
        claim="Bits shared out among layers keep more than the same bits everywhere",
        paper="MobileNetV2 with weights of 4 bits on average, activations of 8: 69.4 %, float "
        "73.0 % (ZeroQ: Cai et al. 2020, by its code's table)",
        ours=told(rows),
        holds=all(ahead),
        seeds=1,
        figures=table(rows) | chosen,
        note=f"Weights alone, a scale for each channel. Each layer was rounded by itself to "
        f"{', '.join(map(str, WIDTHS))} bits on {PROBES} calibration crops; what adds the least "
        "divergence for its size is taken first.",
    )


@cache
def sensitivities(_share: float) -> dict[str, dict[int, float]]:
    """By layer and bits: the divergence when that layer alone is rounded."""
    model, x = folded(), calibration()[:: max(1, len(calibration()) // PROBES)]
    theirs = logits(model, x)
    return {
        name: {
            bits: float(divergence(theirs, logits(_alone(model, name, bits), x))) for bits in WIDTHS
        }
        for name in sizes()
    }


def _alone(model: nn.Module, name: str, bits: int) -> nn.Module:
    few = calibration()[:1, :, :32, :32]  # for its report alone, which is not looked at
    return quantize_weights(model, few, bits={name: bits}).model


def sizes() -> dict[str, int]:
    """How many weights each layer has."""
    return {n: layer.weight.numel() for n, layer in weight_layers("sizes", folded()).items()}


def bits_by_sensitivity(
    divergences: Mapping[str, Mapping[int, float]], sizes: Mapping[str, int], mean: float
) -> dict[str, int]:
    """Bits for each layer, `mean` on average at most, for little divergence in sum.

    All begin with the fewest. The step up that takes away the most divergence for each bit that
    it costs is made, again and again, as long as one fits.

    Args:
        divergences: By layer and bits, when that layer alone is rounded.
        sizes: Weights of each layer.
        mean: Bits of a weight on average.

    >>> steps = {"a": {4: 1.0, 8: 0.0}, "b": {4: 9.0, 8: 0.0}}
    >>> bits_by_sensitivity(steps, {"a": 10, "b": 10}, 6)
    {'a': 4, 'b': 8}
    """
    bits = {name: min(choices) for name, choices in divergences.items()}
    room = mean * sum(sizes.values()) - sum(bits[name] * size for name, size in sizes.items())
    while True:
        steps = [
            (
                (choices[bits[name]] - choices[more]) / ((more - bits[name]) * sizes[name]),
                name,
                more,
            )
            for name, choices in divergences.items()
            for more in choices
            if choices[more] < choices[bits[name]] and 0 < (more - bits[name]) * sizes[name] <= room
        ]
        if not steps:
            return bits
        _, name, more = max(steps)
        room -= (more - bits[name]) * sizes[name]
        bits[name] = more
