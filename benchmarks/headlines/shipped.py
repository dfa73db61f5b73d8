"""The networks that ship trained, with the data that each was trained on."""

from collections.abc import Sequence
from functools import cache
from math import ceil

import torch
from torch import Tensor, nn

from benchmarks.headlines.trainings import SIZES
from efficientdl import models
from efficientdl.compression.layers import FloatLayer, demand_floats, weight_layers
from efficientdl.datasets import Dataset, Split, load
from efficientdl.fit import evaluate

EXAMPLES = 256


@cache
def shipped(name: str) -> nn.Module:
    """The network, in evaluation mode; it is not to be changed."""
    return models.trained(name)


@cache
def data(name: str) -> Dataset:
    """What it was trained on: digits where its name says so, clothes otherwise."""
    found = load("mnist" if name.endswith("_mnist") else "fashion_mnist")
    assert isinstance(found, Dataset), "both are sets of pictures with labels"
    return found


def calibration(name: str, seed: int, n_examples: int = EXAMPLES) -> Tensor:
    """Training pictures drawn by a seed."""
    x = data(name).train[0]
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:n_examples]]


def test_part(name: str) -> Split:
    """The test pictures, or the share of them that a quick version takes."""
    x, y = data(name).test
    n = ceil(SIZES["test"] * len(x))
    return Split(x[:n], y[:n])


def accuracy(name: str, model: nn.Module) -> float:
    """In percent, on the test part."""
    return 100 * evaluate(model, test_part(name))


def float_layers(model: nn.Module) -> dict[str, FloatLayer]:
    """Linear layers and convolutions by name."""
    layers = weight_layers("benchmarks", model)
    return {name: demand_floats("benchmarks", name, layer) for name, layer in layers.items()}


def with_batch_norm() -> Sequence[str]:
    """Names of those that have one."""
    norms = nn.BatchNorm1d | nn.BatchNorm2d
    return [
        n for n in models.trained_names() if any(isinstance(m, norms) for m in shipped(n).modules())
    ]
