"""Brevitas on our networks: `python -m benchmarks.peers.brevitas`, in its own Python.

`EFFICIENTDL_BREVITAS` names a Python that has the peer and what `efficientdl` needs. There this
module is a program: `weights NETWORK`, `static NETWORK SEED`, `equalize NETWORK` and `aware SEED
FILE` do the same with both libraries, on the same weights and data, and print JSON. The peer is
called as its manual shows.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.headlines.bit_widths import NETWORK, PASSES
from benchmarks.headlines.shipped import (
    accuracy,
    calibration,
    data,
    float_layers,
    shipped,
    test_part,
)
from benchmarks.headlines.trainings import data_of, test_accuracy, training
from efficientdl import models
from efficientdl.compression.layers import put
from efficientdl.compression.quantization import (
    equalize,
    fold_batch_norm,
    quantization_aware_training,
    quantize_static,
)
from efficientdl.costs import compare
from efficientdl.tensors import (
    Granularity,
    PerChannel,
    PerTensor,
    binary,
    choose_qparams,
    dequantize,
    quantize,
    symmetric,
    ternarize,
    ternary,
)
from efficientdl.tensors.affine import Rule
from efficientdl.tensors.ranges import LeastError

REPEATS, BATCH = 20, 256


def _options(bits: int, **quantizers: object) -> dict[str, object]:
    return {"weight_bit_width": bits, "input_bit_width": bits, "bias_quant": None, **quantizers}


def layer_of_peer(layer: nn.Linear | nn.Conv2d, **options: object) -> Any:
    """The peer's layer in the place of a linear layer or a convolution, with the same weights."""
    import brevitas.nn as peer  # pyright: ignore[reportMissingImports]

    bias = layer.bias is not None
    new: Any
    if isinstance(layer, nn.Conv2d):
        sizes = (layer.in_channels, layer.out_channels, layer.kernel_size)
        moves = {n: getattr(layer, n) for n in ("stride", "padding", "dilation", "groups")}
        new = peer.QuantConv2d(*sizes, bias=bias, **moves, **options)
    else:
        new = peer.QuantLinear(layer.in_features, layer.out_features, bias=bias, **options)
    new.weight.data.copy_(layer.weight.data)
    if layer.bias is not None:
        new.bias.data.copy_(layer.bias.data)
    return new.train(layer.training)


def network_of_peer(model: nn.Module, bits: int) -> nn.Module:
    """A network whose layers round weights by channel and inputs by tensor, as ours do."""
    from brevitas.quant import (  # pyright: ignore[reportMissingImports]
        Int8WeightPerChannelFloat,
        Uint8ActPerTensorFloat,
    )

    quantizers = {"weight_quant": Int8WeightPerChannelFloat, "input_quant": Uint8ActPerTensorFloat}
    layers = float_layers(model)
    new = {n: layer_of_peer(layer, **_options(bits, **quantizers)) for n, layer in layers.items()}
    return put(deepcopy(model), new)


@torch.no_grad()
def calibrated(model: nn.Module, x: Tensor) -> nn.Module:
    """The peer's network with the ranges that these pictures give."""
    from brevitas.graph.calibrate import calibration_mode  # pyright: ignore[reportMissingImports]

    model.eval()
    with calibration_mode(model):
        model(x)
    return model


def _on_levels(weight: Tensor, bits: int, granularity: Granularity, rule: Rule) -> Tensor:
    """The weight as our codes hold it."""
    qparams = choose_qparams(weight, bits=bits, granularity=granularity, rule=rule)
    if rule is ternary:  # its threshold is not half of a level
        return granularity.ungroup(ternarize(granularity.group(weight)), tuple(weight.shape))
    codes = quantize(weight, qparams, granularity=granularity)
    return dequantize(codes, qparams, granularity=granularity)


class Kind(NamedTuple):
    """One kind of codes in both libraries.

    Attributes:
        granularity: Which weights share a scale.
        rule: How ours chooses a range.
        peer: The peer's quantizer, by its name in `brevitas.quant`.
        widths: Bits.
    """

    granularity: Granularity
    rule: Rule
    peer: str
    widths: Sequence[int] = (8, 4, 2)


KINDS: Mapping[str, Kind] = {
    "per tensor": Kind(PerTensor(), symmetric, "Int8WeightPerTensorFloat"),
    "per channel": Kind(PerChannel(), symmetric, "Int8WeightPerChannelFloat"),
    "least squares": Kind(PerChannel(), LeastError(), "Int8WeightPerChannelFloatMSE"),
    "ternary": Kind(PerTensor(), ternary, "SignedTernaryWeightPerTensorConst", (2,)),
    "binary": Kind(PerTensor(), binary, "SignedBinaryWeightPerTensorConst", (1,)),
}


def weights(name: str) -> Mapping[str, list[float]]:
    """For each kind of codes: most steps apart, equal codes in %, our error and theirs in %."""
    layers = float_layers(shipped(name)).values()
    found = {}
    for name_of_kind, kind in KINDS.items():
        for bits in kind.widths:
            rows = [_apart(layer, bits, kind) for layer in layers]
            apart, n_equal, n, ours, theirs, energy = zip(*rows, strict=True)
            found[f"{name_of_kind}, {bits} bits"] = [
                max(apart),
                100 * sum(n_equal) / sum(n),
                100 * (sum(ours) / sum(energy)) ** 0.5,
                100 * (sum(theirs) / sum(energy)) ** 0.5,
            ]
    return found


@torch.no_grad()
def _apart(layer: nn.Linear | nn.Conv2d, bits: int, kind: Kind) -> tuple[float, ...]:
    import brevitas.quant as peer  # pyright: ignore[reportMissingImports]

    weight, (granularity, rule) = layer.weight.detach(), kind[:2]
    scale = choose_qparams(weight, bits=bits, granularity=granularity, rule=rule).scale
    options = {"weight_quant": getattr(peer, kind.peer), "weight_bit_width": bits}
    if rule in (ternary, binary):  # the peer has no rule for the size, and takes ours
        options["weight_scaling_const"] = float(scale) / (2 if rule is binary else 1)
    theirs = layer_of_peer(layer, bias_quant=None, **options).quant_weight().value.detach()
    ours = _on_levels(weight, bits, granularity, rule)
    steps = (granularity.group(theirs - ours) / scale).abs()
    errors = [float((values - weight).square().sum()) for values in (ours, theirs)]
    n_equal, energy = float((steps < 0.5).sum()), float(weight.square().sum())
    return float(steps.max()), n_equal, steps.numel(), *errors, energy


def static(name: str, seed: str) -> Mapping[str, float]:
    """INT8 without training: accuracy of both, and how long they take for a batch."""
    x, dense = calibration(name, int(seed)), shipped(name)
    folded = fold_batch_norm(dense, x[:1]).model
    ours = quantize_static(folded, x).model.eval()
    theirs = calibrated(network_of_peer(folded, 8), x)
    pictures = data(name).test[0][:BATCH]

    def call(model: nn.Module) -> Callable[[], Tensor]:
        def run() -> Tensor:
            with torch.inference_mode():
                return model(pictures)

        return run

    taken = compare({"ours": call(ours), "theirs": call(theirs)}, repeats=REPEATS)
    with torch.no_grad():
        agree = float((ours(pictures).argmax(1) == theirs(pictures).argmax(1)).double().mean())
    return {
        "float, %": accuracy(name, dense),
        "ours, %": accuracy(name, ours),
        "brevitas, %": accuracy(name, theirs),
        "same class, %": 100 * agree,
        "times faster than brevitas": taken.ratio("theirs", "ours").median,
    }


@torch.no_grad()
def equalized(name: str) -> Mapping[str, float]:
    """Cross-layer equalization: how far the function moves, and what four bits then cost."""
    from brevitas.fx import symbolic_trace  # pyright: ignore[reportMissingImports]
    from brevitas.graph.equalize import EqualizeGraph  # pyright: ignore[reportMissingImports]

    x = test_part(name)[0][:BATCH]
    folded = fold_batch_norm(shipped(name), x[:1]).model
    expected = folded(x)
    graph = symbolic_trace(deepcopy(folded))
    both = {
        "ours": equalize(folded, x[:1]).model,
        "brevitas": EqualizeGraph(iterations=20, merge_bias=False).apply(graph),
    }
    found = {"plain, %": _four_bits(name, folded)}
    for whose, model in both.items():
        gap = float((model(x) - expected).abs().max() / expected.abs().max())
        found |= {f"{whose}, function moved": gap, f"{whose}, %": _four_bits(name, model)}
    return found


def _four_bits(name: str, model: nn.Module) -> float:
    """Accuracy with four-bit weights, one scale a layer."""
    rounded = deepcopy(model)
    for layer in float_layers(rounded).values():
        layer.weight.copy_(_on_levels(layer.weight, 4, PerTensor(), symmetric))
    return accuracy(name, rounded)


def aware(seed: str, file: str) -> Mapping[str, float]:
    """Training with four bits: as many steps, from the same weights, in the same order."""
    start = models.build(NETWORK, seed=0).eval()
    start.load_state_dict(torch.load(file, weights_only=True))
    plan = training(NETWORK, int(seed), PASSES)
    x = data_of(NETWORK).train[0][:BATCH]
    ours = quantization_aware_training(
        start, x, weight_bits=4, activation_bits=4, training=plan
    ).model
    theirs = plan.run(calibrated(network_of_peer(start, 4), x)).eval()
    return {"ours, %": test_accuracy(NETWORK, ours), "brevitas, %": test_accuracy(NETWORK, theirs)}


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    os.environ["EFFICIENTDL_UI"] = "silent"
    torch.set_num_threads(1)
    programs = {"weights": weights, "static": static, "equalize": equalized, "aware": aware}
    print(json.dumps(programs[words[0]](*words[1:])))


if __name__ == "__main__":
    main(sys.argv[1:])
