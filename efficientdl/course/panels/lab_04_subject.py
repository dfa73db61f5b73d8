"""What lab 04's panels quantize: one trained network, its weights, and how often it is right."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from efficientdl import datasets, fit, models

NETWORK, DATA = "small_cnn_fashion", "fashion_mnist"
LAYERS = ("conv1.conv", "conv2.conv", "conv3.conv", "conv4.conv", "classifier")
_BATCH, _IMAGES = 125, 16
Values = NDArray[np.float64]


@cache
def network() -> nn.Module:
    """The trained network; nobody changes it."""
    return models.trained(NETWORK)


def accuracy(model: nn.Module) -> float:
    """Share of the validation images that a network gets right, 0..1."""
    return fit.evaluate(model, datasets.load(DATA).val, batch=_BATCH)


@cache
def weights(layer: str) -> Values:
    """The weights of one layer, flat, in double precision."""
    weight = network().get_parameter(f"{layer}.weight")
    return weight.detach().double().flatten().numpy()


@cache
def activations(layer: str) -> Values:
    """What goes into a layer when the network sees a few training images, flat."""
    seen: list[torch.Tensor] = []
    handle = (
        network()
        .get_submodule(layer)
        .register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    )
    try:
        with torch.no_grad():
            network()(datasets.load(DATA).train.x[:_IMAGES])
    finally:
        handle.remove()
    return seen[0].double().flatten().numpy()


def counted(n: int, what: str) -> str:
    """How many, in words.

    >>> counted(1, "bit"), counted(2, "bit")
    ('1 bit', '2 bits')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
