"""Every method on one network and one dataset, at 2, 3, 4 and 8 bits, after as many passes.

Those that need no training start from a network that was trained on in float for as long as the
others train with rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.headlines.trainings import (
    SIZES,
    data_of,
    example,
    seeds,
    test_accuracy,
    trained,
    training,
)
from efficientdl.compression.layers import weight_layers
from efficientdl.compression.quantization import (
    binarize_network,
    binary_connect,
    dorefa,
    fold_batch_norm,
    quantization_aware_training,
    quantize_analytically,
    quantize_static,
    quantize_weights,
    share_weights,
    ternarize_weights,
    train_ternary,
    xnor_network,
)
from efficientdl.fit.plan import Training
from efficientdl.protocols import Result
from efficientdl.tensors import PerTensor, affine_between
from efficientdl.tensors.ranges import LeastDivergence, LeastError, Percentile

NETWORK, PASSES, EXAMPLES = "dense_w8_d1_early", 3, 256
BITS = (2, 3, 4, 8)
ENDS = ("stem.conv", "classifier")  # what the papers of few bits leave in float
FASTER = 3  # times the learning rate, for ternary and binary weights
FLOAT = "float"


class Given(NamedTuple):
    """What a method gets.

    Attributes:
        start: The trained network.
        longer: The same, trained on in float with `plan`, its batch norm folded.
        x: Training pictures, to calibrate by.
        plan: The training that all methods have.
    """

    start: nn.Module
    longer: nn.Module
    x: Tensor
    plan: Training


Method = Callable[[Given, int], Result]


def _static(given: Given, bits: int, **options: object) -> Result:
    both = {"weight_bits": bits, "activation_bits": bits}
    return quantize_static(given.longer, given.x, **both, **options)  # pyright: ignore[reportArgumentType]


def _analytical(given: Given, bits: int) -> Result:
    return quantize_analytically(given.longer, given.x, weight_bits=bits, activation_bits=bits)


def _weights(given: Given, bits: int) -> Result:
    return quantize_weights(given.longer, given.x[:1], bits=bits)


def _aware(given: Given, bits: int) -> Result:
    return quantization_aware_training(
        given.start, given.x, weight_bits=bits, activation_bits=bits, training=given.plan
    )


def _dorefa(given: Given, bits: int) -> Result:
    return dorefa(
        given.start,
        given.x[:1],
        weight_bits=bits,
        activation_bits=bits,
        gradient_bits=32,
        training=given.plan,
    )


def _shared(given: Given, bits: int) -> Result:
    """A layer of fewer weights than values takes as many bits as it can fill."""
    layers = weight_layers("benchmarks", given.start)
    most = {name: layer.weight.numel().bit_length() - 1 for name, layer in layers.items()}
    wanted = {name: min(bits, limit) for name, limit in most.items()}
    return share_weights(given.start, given.x[:1], bits=wanted, finetune=given.plan)


def _inner(method: Callable[..., Result], given: Given, bits: int) -> Result:
    """All layers but the first and the last, at a higher learning rate: signs have to flip."""
    layers = weight_layers("benchmarks", given.start)
    wanted = {name: 32 if name in ENDS else bits for name in layers}
    plan = replace(given.plan, lr=FASTER * given.plan.lr)
    return method(given.start, given.x[:1], training=plan, bits=wanted)


# Weights and activations have these bits, by ranges that are found without training.
AFTER: Mapping[str, Method] = {
    "min-max, per tensor": partial(_static, granularity=PerTensor()),
    "min-max, per channel": _static,
    "percentile": partial(_static, activation_rule=Percentile(0.999, affine_between)),
    "least squares": partial(
        _static, weight_rule=LeastError(), activation_rule=LeastError(between=affine_between)
    ),
    "KL divergence": partial(_static, activation_rule=LeastDivergence(between=affine_between)),
    "ACIQ": _analytical,
}
TRAINED: Mapping[str, Method] = {"QAT": _aware, "DoReFa": _dorefa}
WEIGHTS_ONLY: Mapping[str, Method] = {
    "weights alone, per channel": _weights,
    "weights alone, k-means, centroids trained": _shared,
}
EVERY_WIDTH = AFTER | TRAINED | WEIGHTS_ONLY
ONE_WIDTH: Mapping[str, tuple[Method, int]] = {
    "TWN": (partial(_inner, ternarize_weights), 2),
    "TTQ": (partial(_inner, train_ternary), 2),
    "BinaryConnect": (partial(_inner, binary_connect), 1),
    "BNN, activations too": (partial(_inner, binarize_network), 1),
    "XNOR-Net, activations too": (partial(_inner, xnor_network), 1),
}


@cache
def given(seed: int, _passes: float) -> Given:
    """What every method gets for a seed: one start, one calibration, one training."""
    start, plan = trained(NETWORK, seed), training(NETWORK, seed, PASSES)
    longer = fold_batch_norm(plan.run(start).eval(), example(NETWORK)).model
    pictures = data_of(NETWORK).train[0]
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))
    return Given(start, longer, pictures[order[:EXAMPLES]], plan)


def accuracies(method: str, bits: int) -> list[float]:
    """Test accuracy in percent for each seed."""
    return [_accuracy(method, bits, seed, SIZES["passes"], SIZES["test"]) for seed in seeds()]


def floats() -> list[float]:
    """The network in float, trained as long, for each seed."""
    return accuracies(FLOAT, 32)


@cache
def _accuracy(method: str, bits: int, seed: int, passes: float, _test: float) -> float:
    has = given(seed, passes)
    if method == FLOAT:
        return test_accuracy(NETWORK, has.longer)
    run = EVERY_WIDTH[method] if method in EVERY_WIDTH else ONE_WIDTH[method][0]
    return test_accuracy(NETWORK, run(has, bits).model)
