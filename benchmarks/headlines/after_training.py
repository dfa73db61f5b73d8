"""What may be rounded without training: INT8, INT4 with closed forms, and whole numbers alone."""

from collections.abc import Callable
from copy import deepcopy
from statistics import mean
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchmarks.headlines import Headline, above_zero, differences, spread
from benchmarks.headlines.bit_widths import AFTER, NETWORK, accuracies, floats
from benchmarks.headlines.order_of_methods import POINT, WIDE
from benchmarks.headlines.shipped import (
    EXAMPLES,
    accuracy,
    calibration,
    shipped,
    test_part,
    with_batch_norm,
)
from efficientdl import models
from efficientdl.compression.quantization import (
    fold_batch_norm,
    integer_only,
    quantize_static,
)
from efficientdl.models.layers.integer import ActivationCodes
from efficientdl.models.layers.integer_steps import IntegerNetwork
from efficientdl.tensors import PerChannel, choose_qparams

NAIVE = "min-max, per tensor"
FEWER = 500  # pictures for the double-precision reference
# Networks whose layers stand one behind the other, so that the reference needs hooks alone.
CHAINS = ("dense_w8_d1_early", "separable_w8_d1_late", "small_cnn_fashion", "lenet_5_mnist")
ROUNDED = 1e-12  # of the largest logit: what double precision rounds in a few layers


def int8_without_training() -> Headline:
    """Every shipped network, weights per channel and activations at eight bits."""
    figures: dict[str, list[float]] = {}
    for name in models.trained_names():
        x = calibration(name, seed=0)
        dense = accuracy(name, shipped(name))
        rounded = quantize_static(fold_batch_norm(shipped(name), x[:1]).model, x).model
        figures[name] = [dense, dense - accuracy(name, rounded)]
    lost = {name: values[1] for name, values in figures.items()}
    worst = max(lost, key=lambda name: lost[name])
    return Headline(
        claim=f"INT8 without training loses less than {POINT:g} point",
        paper="Weights per channel: within 2 % of float (Krishnamoorthi 2018, abstract)",
        ours=f"{len(lost)} shipped networks: {spread(list(lost.values()))} points lost, at most "
        f"{lost[worst]:.2f} ({worst})",
        holds=lost[worst] < POINT,
        seeds=1,
        figures={"columns: float in %, points lost": []} | figures,
        note=f"Batch norm folded, weights per channel, calibrated by {EXAMPLES} training pictures.",
    )


def closed_forms_beat_min_max() -> Headline:
    """Clipping, bits shared out among channels, bias corrected: at four bits."""
    ours = accuracies("ACIQ", 4)
    others = {name: accuracies(name, 4) for name in AFTER if name != "ACIQ"}
    ahead = {name: differences(ours, values) for name, values in others.items()}
    said = ", ".join(f"{name} {spread(points)}" for name, points in ahead.items())
    return Headline(
        claim=f"INT4 by closed forms (ACIQ) beats naive INT4 by {WIDE:g} points",
        paper="INT4 without training a few percent below float, on ImageNet networks (Banner et "
        "al. 2019, abstract)",
        ours=f"{NETWORK}: {spread(ours, '%')}, float {spread(floats(), '%')}; points ahead of "
        f"{said}",
        holds=mean(ahead[NAIVE]) >= WIDE and above_zero(ahead[NAIVE]),
        seeds=len(ours),
        figures={"float, %": floats(), "ACIQ, %": ours}
        | {f"{name}, %": values for name, values in others.items()},
        note=f"Weights and activations have 4 bits; naive is {NAIVE}, for both.",
    )


def folding_is_exact() -> Headline:
    """Batch norm folded into the weights, in single and in double precision."""
    figures: dict[str, list[float]] = {}
    for name in with_batch_norm():
        x = test_part(name)[0][:FEWER]
        gaps = [_gap(shipped(name), x), _gap(deepcopy(shipped(name)).double(), x.double())]
        figures[name] = gaps
    single, double = (max(gaps) for gaps in zip(*figures.values(), strict=True))
    return Headline(
        claim="Folded batch norm is the same function in float",
        paper="w_fold = gamma w / sqrt(var + eps) (Jacob et al. 2018, equation 14)",
        ours=f"largest difference of a logit, of the largest logit, over {len(figures)} shipped "
        f"networks and {FEWER} test pictures: {single:.1e} in single precision, {double:.1e} in "
        "double",
        holds=double <= ROUNDED,
        seeds=1,
        figures={"columns: single, double precision": []} | figures,
        note="What is left is the order in which sums are rounded: it falls with the precision.",
    )


@torch.no_grad()
def _gap(model: nn.Module, x: Tensor) -> float:
    expected, found = model(x), fold_batch_norm(model, x[:1]).model(x)
    return float((found - expected).abs().max() / expected.abs().max())


class Whole(NamedTuple):
    """A network of whole numbers beside fake quantization.

    Attributes:
        dense: Accuracy in float, in percent.
        whole: Accuracy on whole numbers.
        by_layer: The most codes between a layer of both, given the same codes.
        same_by_layer: Share of their codes that are equal, in percent.
        logits: The most codes between the logits of both networks.
        same_logits: Share of the logits with equal codes, in percent.
    """

    dense: float
    whole: float
    by_layer: float
    same_by_layer: float
    logits: float
    same_logits: float


def whole_numbers_alone() -> Headline:
    """Integer-only inference: its accuracy, and its codes beside those of fake quantization."""
    found = {name: _whole(name) for name in CHAINS}
    lost = [row.dense - row.whole for row in found.values()]
    said = ", ".join(f"{name} {row.whole:.2f} % ({row.dense:.2f})" for name, row in found.items())
    apart = [max(values) for values in zip(*found.values(), strict=True)]
    least = [min(values) for values in zip(*found.values(), strict=True)]
    return Headline(
        claim="Whole numbers alone: each layer is within one code of fake quantization, and the "
        f"network loses less than {POINT:g} point",
        paper="ResNet-50 on ImageNet: 74.9 % in integers, 76.4 % in float (Jacob et al. 2018, "
        "table 4.2)",
        ours=f"int8 between input and logits, float in brackets: {said}. From the same codes a "
        f"layer gives codes at most {apart[2]:.0f} apart, {least[3]:.2f} % equal or more",
        holds=apart[2] <= 1 and max(lost) < POINT,
        seeds=1,
        figures={f"columns: {', '.join(Whole._fields)}": []}
        | {name: list(row) for name, row in found.items()},
        note=f"Fake quantization in double precision, on {FEWER} test pictures: weights and "
        "activations on the same levels, biases and factors not rounded. A bias of 32 bits moves "
        "few values past a half, and each passes its code on: the logits of whole networks are at "
        f"most {apart[4]:.0f} codes apart, and {least[5]:.0f} % of them equal or more.",
    )


def _whole(name: str) -> Whole:
    x, pictures = calibration(name, seed=0), test_part(name)[0][:FEWER]
    folded = fold_batch_norm(shipped(name), x[:1]).model
    network = integer_only(folded, x).model
    assert isinstance(network, IntegerNetwork), "that is what it makes"
    fakes = on_its_levels(network, folded)
    by_layer = layers_apart(network, fakes, pictures)
    logits = (
        network.integers(network.to_codes(pictures)) - _logits(network, fakes, pictures)
    ).abs()
    dense = accuracy(name, shipped(name))
    whole = accuracy(name, network)
    return Whole(dense, whole, *_most_and_same(by_layer), *_most_and_same(logits))


def _most_and_same(apart: Tensor) -> tuple[float, float]:
    return float(apart.max()), 100 * float((apart == 0).double().mean())


@torch.no_grad()
def on_its_levels(network: IntegerNetwork, folded: nn.Module) -> nn.Module:
    """The float network in double precision, each weight at the level of its integer code.

    Args:
        network: The whole numbers.
        folded: The network that they were made of.
    """
    fakes = deepcopy(folded).double()
    for name, step in _steps(network, fakes):
        layer = fakes.get_submodule(name)
        if isinstance(layer, nn.Linear | nn.Conv2d):
            floats = folded.get_submodule(name).weight
            scale = choose_qparams(floats, bits=8, granularity=PerChannel()).scale  # pyright: ignore[reportArgumentType]
            rows = PerChannel().group(step.codes) * scale.double()  # pyright: ignore[reportArgumentType]
            layer.weight.copy_(rows.reshape(layer.weight.shape))
    return fakes


@torch.no_grad()
def layers_apart(network: IntegerNetwork, fakes: nn.Module, x: Tensor) -> Float[Tensor, " n"]:
    """How many codes lie between each layer of both, where it gets the same codes.

    Args:
        network: The whole numbers.
        fakes: The network of the same weights in double precision, its layers in a row.
        x: Pictures.
    """
    apart: list[Tensor] = []

    def compare(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def hook(step: nn.Module, inputs: tuple[Tensor], out: Tensor) -> None:
            values = _values(inputs[0].double(), step.x)  # pyright: ignore[reportArgumentType]
            expected = _codes(fakes.get_submodule(name)(values), step.y)  # pyright: ignore[reportArgumentType]
            apart.append((out - expected).abs().flatten())

        return hook

    handles = [s.register_forward_hook(compare(name)) for name, s in _steps(network, fakes)]
    network.integers(network.to_codes(x))
    for handle in handles:
        handle.remove()
    return torch.cat(apart)


@torch.no_grad()
def _logits(network: IntegerNetwork, fakes: nn.Module, x: Tensor) -> Tensor:
    """The codes of the logits when each layer hands its own rounded values to the next."""

    def rounds(codes: ActivationCodes) -> Callable[[nn.Module, object, Tensor], Tensor]:
        return lambda _, __, y: _values(_codes(y, codes), codes)

    handles = [
        fakes.get_submodule(name).register_forward_hook(rounds(step.y))  # pyright: ignore[reportArgumentType]
        for name, step in _steps(network, fakes)
    ]
    codes = network.to_codes.codes
    out = fakes(_values(_codes(x.double(), codes), codes))
    for handle in handles:
        handle.remove()
    return _codes(out, network.from_codes.codes)


def _steps(network: IntegerNetwork, fakes: nn.Module) -> list[tuple[str, nn.Module]]:
    """What rounds to new levels and has a layer of the same name."""
    names = {name for name, _ in fakes.named_modules()}
    steps = [(name, step) for name, step in network.named_modules() if name in names]
    return [(n, s) for n, s in steps if isinstance(getattr(s, "y", None), ActivationCodes)]


def _values(codes: Tensor, of: ActivationCodes) -> Tensor:
    return (codes - of.zero_point) * of.scale


def _codes(x: Tensor, of: ActivationCodes) -> Tensor:
    return (x / of.scale + of.zero_point).round().clamp(of.lowest, of.highest)
