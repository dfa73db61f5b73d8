"""What lab 02's panels prune: one trained network, and how often it stays right."""

from collections.abc import Mapping
from copy import deepcopy
from functools import cache

import torch
from torch import Tensor, nn

from efficientdl import datasets, fit, models
from efficientdl.compression.layers import demand_floats, weight_layers
from efficientdl.compression.pruning import globally, per_layer
from efficientdl.compression.pruning.scoring import score_layers
from efficientdl.datasets import Dataset, Split
from efficientdl.fit.modes import evaluating
from efficientdl.protocols import Criterion, Mask
from efficientdl.tensors import Granularity

NETWORK, DATA = "small_cnn_fashion", "fashion_mnist"
LAYERS = ("conv1.conv", "conv2.conv", "conv3.conv", "conv4.conv", "classifier")
EXAMPLES = 128  # of the training part, for criteria that ask for data
ALONE, TOGETHER = "within each layer", "over all layers"
SCOPES = {ALONE: per_layer, TOGETHER: globally}
_BATCH = 125  # the fastest on one core: its activations stay in the cache


@cache
def network() -> nn.Sequential:
    """The trained network: four convolutions and a classifier; nobody changes it."""
    model = models.trained(NETWORK)
    assert isinstance(model, nn.Sequential)
    return model


@cache
def data() -> Dataset:
    """What it was trained on."""
    return datasets.load(DATA)


@cache
def weights() -> dict[str, Tensor]:
    """The weight of each layer, by name."""
    layers = weight_layers("lab 02", network())
    return {name: demand_floats("lab 02", name, layers[name]).weight.detach() for name in LAYERS}


@cache
def _maps() -> tuple[Tensor, ...]:
    """What goes into each block of the network, for every image of the validation part."""
    maps = [data().val.x]
    with evaluating(network()), torch.no_grad():
        for block in network():
            maps.append(torch.cat([block(x) for x in maps[-1].split(_BATCH)]))
    return tuple(maps)


@torch.no_grad()
def accuracy(masks: Mapping[str, Mask]) -> float:
    """Share of the validation images that the network gets right under these masks, 0..1.

    Only what stands behind the first masked layer runs: what comes before it is known.

    Args:
        masks: True for each weight that stays, by the name of the layer; the others stay whole.
    """
    blocks = [name for name, _ in network().named_children()]
    starts = [blocks.index(name.partition(".")[0]) for name in masks]
    first = min(starts, default=0)
    rest = deepcopy(network()[first:])
    for name, mask in masks.items():
        weight = rest.get_parameter(f"{name}.weight")
        weight.mul_(mask)
    return fit.evaluate(rest, (_maps()[first], data().val.y), batch=_BATCH)


def accuracy_of(model: nn.Module) -> float:
    """Share of the validation images that a network gets right, 0..1."""
    return fit.evaluate(model, data().val, batch=_BATCH)


@cache
def dense() -> float:
    """Accuracy of the network as it is."""
    return accuracy({})


def examples() -> Split:
    """A few training images, for criteria that ask for data."""
    train = data().train
    return Split(train.x[:EXAMPLES], train.y[:EXAMPLES])


@cache
def scores(criterion: Criterion) -> dict[str, Tensor]:
    """What each weight is worth by a criterion, with a few training images where it asks."""
    layers = {n: demand_floats("lab 02", n, m) for n, m in weight_layers("", network()).items()}
    return score_layers("lab 02", network(), layers, criterion, data=examples())


def masks(
    worth: Mapping[str, Tensor], sparsity: float, *, granularity: Granularity, scope: str
) -> dict[str, Mask]:
    """Masks as `prune` finds them, from scores that are known already.

    Args:
        worth: The scores of the layers to prune.
        sparsity: Share of zeros, 0..1.
        granularity: Which weights go together.
        scope: A name of `SCOPES`.
    """
    kept = {name: torch.ones_like(score, dtype=torch.bool) for name, score in worth.items()}
    shares = dict.fromkeys(worth, sparsity)
    return SCOPES[scope](worth, kept, shares, granularity)


def percent(share: float) -> str:
    """A share as it is said.

    >>> percent(0.9104)
    '91.0 %'
    """
    return f"{100 * share:.1f} %"
