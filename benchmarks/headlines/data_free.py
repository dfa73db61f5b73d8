"""Quantization without data beside quantization with data, on the networks that ship."""

from collections.abc import Sequence
from functools import cache
from statistics import mean

import torch
from torch import Tensor

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.order_of_methods import POINT
from benchmarks.headlines.shipped import accuracy, calibration, shipped
from benchmarks.headlines.trainings import SIZES, seeds
from efficientdl.compression.quantization import (
    distill_data,
    equalize,
    fold_batch_norm,
    quantize_data_free,
    quantize_static,
    quantize_weights,
)
from efficientdl.compression.quantization.norm_ranges import NormRanges
from efficientdl.tensors import PerTensor

NETWORKS = (
    "dense_w8_d1_early",
    "dense_w24_d1_early",
    "separable_w8_d1_late",
    "separable_w32_d1_early",
    "inverted_w8_d1_early",
    "small_cnn_fashion",
)
DEPTHWISE = (
    "separable_w8_d1_late",
    "separable_w16_d1_early",
    "separable_w24_d2_early",
    "separable_w32_d1_early",
    "inverted_w4_d1_late",
    "inverted_w8_d1_early",
)
WAYS = ("as it is", "equalized", "all steps")
WIDTHS = (8, 6, 4)
# Ranges of activations: of each kind of network one, and the pictures that are made up for it.
RANGED = ("dense_w8_d1_early", "inverted_w8_d1_early", "small_cnn_fashion")
SOURCES = ("real pictures", "distilled", "noise")
SETTINGS = {"examples": 64, "steps": 150}
CALIBRATED = "an equalized network with ranges from real pictures"
NAGEL = (
    "MobileNetV2 at INT8: 0.12 % of top-1 as it is, 69.91 equalized, 70.92 with biases absorbed, "
    "71.19 corrected; float 71.72 (Nagel et al. 2019, tables 1 and 2)"
)
CAI = "MobileNetV2: 1.71 % above the method of Nagel et al. (Cai et al. 2020, abstract)"


@cache
def rounded_weights(name: str, way: str, bits: int, _test: float) -> float:
    """Accuracy in percent of a shipped network whose weights are rounded, one scale a layer.

    Args:
        name: The network.
        way: One of `WAYS`.
        bits: Bits of a weight.
    """
    model, x = shipped(name), calibration(name, seed=0, n_examples=1)
    if way == "all steps":
        small = quantize_data_free(model, x, bits=bits, granularity=PerTensor()).model
        return accuracy(name, small)
    folded = fold_batch_norm(model, x) if way == "as it is" else equalize(model, x)
    small = quantize_weights(folded.model, x, bits=bits, granularity=PerTensor()).model
    return accuracy(name, small)


def _by_network(way: str, bits: int, names: Sequence[str] = NETWORKS) -> list[float]:
    return [rounded_weights(name, way, bits, SIZES["test"]) for name in names]


def weights_without_data() -> Headline:
    """Equalization, absorbed biases, corrected biases, for weights with one scale a layer."""
    dense = [accuracy(name, shipped(name)) for name in NETWORKS]
    figures = {(way, bits): _by_network(way, bits) for bits in WIDTHS for way in WAYS}
    lost = {key: differences(dense, values) for key, values in figures.items()}
    said = [
        f"{bits} bits " + ", ".join(f"{way} {mean(lost[way, bits]):.2f}" for way in WAYS)
        for bits in WIDTHS
    ]
    gained = differences(lost["as it is", 4], lost["all steps", 4])
    most = max(lost["as it is", 8])
    worst = NETWORKS[lost["as it is", 8].index(most)]
    return Headline(
        claim=f"Without data, one scale a layer is within {POINT:g} point at 8 bits, and at 4 bits "
        "better than plain rounding",
        paper=NAGEL,
        ours=f"points lost, mean of {len(NETWORKS)} shipped networks: {'; '.join(said)}. "
        f"At 4 bits {spread(gained)} points are won back. At 8 bits it is {worst} that loses as it "
        f"is, {most:.1f} points",
        holds=max(lost["all steps", 8]) <= POINT and above_zero(gained),
        seeds=1,
        figures={"networks in this order: " + ", ".join(NETWORKS): [], "float, %": dense}
        | {f"{way}, {bits} bits, %": values for (way, bits), values in figures.items()},
        note="Weights alone are rounded. The spread is that over the networks.",
    )


def biases_corrected() -> Headline:
    """What absorbed and corrected biases bring behind equalization alone."""
    gained = {
        (kind, bits): differences(
            _by_network("all steps", bits, names), _by_network("equalized", bits, names)
        )
        for kind, names in (("all kinds", NETWORKS), ("depthwise", DEPTHWISE))
        for bits in WIDTHS
    }
    said = [f"{bits} bits {spread(gained['depthwise', bits])}" for bits in WIDTHS]
    return Headline(
        claim="Behind equalization, biases absorbed and corrected gain more at 4 bits, in networks "
        "with depthwise convolutions",
        paper=NAGEL,
        ours=f"points gained by {len(DEPTHWISE)} of them: {', '.join(said)}; by networks of all "
        f"kinds {spread(gained['all kinds', 4])} at 4 bits",
        holds=above_zero(gained["depthwise", 4]),
        seeds=1,
        figures={"depthwise, in this order: " + ", ".join(DEPTHWISE): []}
        | {f"{kind}, points gained at {bits} bits": got for (kind, bits), got in gained.items()},
        note="The second attempt; the first was over networks of all kinds. A depthwise filter has "
        "nine weights, whose errors do not cancel: there the mean of a channel moves, and there "
        "the paper corrects it. The spread is that over the networks.",
    )


def nothing_but_the_network() -> Headline:
    """Weights and activations without data, ranges from batch norm, beside a calibration."""
    figures: dict[str, list[float]] = {}
    below = {}
    for bits in WIDTHS:
        free = [_rounded_wholly(name, bits, SIZES["test"]) for name in NETWORKS]
        with_data = [_calibrated(name, bits, SIZES["test"]) for name in NETWORKS]
        below[bits] = differences(with_data, free)
        figures |= {f"data-free, {bits} bits, %": free, f"calibrated, {bits} bits, %": with_data}
    said = [f"{bits} bits {spread(points)}" for bits, points in below.items()]
    return Headline(
        claim=f"INT8 weights and activations without data are within {POINT:g} point of a "
        "calibration",
        paper=NAGEL,
        ours=f"points below {CALIBRATED}: {', '.join(said)}",
        holds=mean(below[8]) <= POINT,
        seeds=1,
        figures={"networks in this order: " + ", ".join(NETWORKS): []} | figures,
        note="Weights with one scale a layer, all steps; activations up to six spreads from their "
        "mean. The spread is that over the networks.",
    )


@cache
def _rounded_wholly(name: str, bits: int, _test: float) -> float:
    model, x = shipped(name), calibration(name, seed=0, n_examples=1)
    ranges = NormRanges((0.0, 1.0), bits=bits)
    return accuracy(name, quantize_data_free(model, x, bits=bits, activations=ranges).model)


@cache
def _calibrated(name: str, bits: int, _test: float) -> float:
    x = calibration(name, seed=0)
    equal = equalize(shipped(name), x[:1]).model
    small = quantize_static(
        equal, x, weight_bits=bits, activation_bits=bits, granularity=PerTensor()
    ).model
    return accuracy(name, small)


@cache
def _pictures(name: str, source: str, seed: int, _steps: int) -> Tensor:
    """What the ranges of activations are taken from."""
    n = SETTINGS["examples"]
    real = calibration(name, seed, n)
    if source == "real pictures":
        return real
    steps = SETTINGS["steps"] if source == "distilled" else 0
    rng = torch.Generator().manual_seed(seed)
    ends = (0.0, 1.0)  # of a pixel
    return distill_data(
        shipped(name), real[:1], n_examples=n, generator=rng, steps=steps, limits=ends
    )


def ranges_without_data() -> Headline:
    """Ranges of activations from made-up pictures, beside real ones."""
    below = {bits: _apart("real pictures", "distilled", bits) for bits in WIDTHS}
    said = [f"{bits} bits {spread(points)}" for bits, points in below.items()]
    return Headline(
        claim=f"Ranges from distilled pictures are within {POINT:g} point of those from real ones "
        "at 8 bits",
        paper=CAI,
        ours=f"points below ranges from {SETTINGS['examples']} real pictures: {', '.join(said)}",
        holds=mean(below[8]) <= POINT,
        seeds=len(seeds()),
        figures=_by_source(),
        note=_settings(),
    )


def distilled_beats_noise() -> Headline:
    """The pictures before and after their statistics were made those of the data."""
    ahead = {bits: _apart("distilled", "noise", bits) for bits in WIDTHS}
    said = [f"{bits} bits {spread(points)}" for bits, points in ahead.items()]
    return Headline(
        claim="Ranges from distilled pictures are better than from the noise that they start from",
        paper="Random input gives activations other than those of data (Cai et al. 2020)",
        ours=f"points ahead of noise: {', '.join(said)}",
        holds=all(above_zero(points) for points in ahead.values()),
        seeds=len(seeds()),
        figures=_by_source(),
        note=f"{_settings()} Noise cut to 0..1 is black or white at two pixels of three: it "
        "drives the layers far, as a calibration wants it.",
    )


def _settings() -> str:
    return (
        f"Weights have 8 bits per channel; {SETTINGS['steps']} steps of distillation from noise, "
        "pixels between 0 and 1."
    )


def _accuracies(source: str, bits: int) -> list[float]:
    sizes = SETTINGS["steps"], SIZES["test"]
    return [_ranged(name, source, bits, seed, *sizes) for seed in seeds() for name in RANGED]


def _apart(first: str, second: str, bits: int) -> list[float]:
    return differences(_accuracies(first, bits), _accuracies(second, bits))


def _by_source() -> dict[str, list[float]]:
    cells = {f"{s}, {bits} bits, %": _accuracies(s, bits) for bits in WIDTHS for s in SOURCES}
    return {f"for each seed: {', '.join(RANGED)}": []} | cells


@cache
def _ranged(name: str, source: str, bits: int, seed: int, steps: int, _test: float) -> float:
    x = _pictures(name, source, seed, steps)
    folded = fold_batch_norm(shipped(name), x[:1]).model
    return accuracy(name, quantize_static(folded, x, activation_bits=bits).model)
