"""What the claims have in common: the data, the trained networks to start from, and the sizes.

The shipped sets are small, so trainings see pictures shifted by a pixel, and clothes in the mirror.
A training's length is given in *passes*: as many examples as the training part has, drawn from
all shifted ones.
"""

from functools import cache
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from efficientdl.datasets import Dataset, Split, load
from efficientdl.fit import Recipe, evaluate
from efficientdl.fit.plan import Training
from efficientdl.models import build

# What a quick version changes: the seeds, the share of all passes, and of the test pictures.
SIZES: dict[str, float] = {"seeds": 5, "passes": 1.0, "test": 1.0}
BATCH = 128
USUAL = Recipe(batch=BATCH)
MOVES = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]

# Network: its data, passes and highest learning rate.
STARTS = {
    "lenet_300_100": ("mnist", 25, 4e-3),
    "lenet_5": ("mnist", 5, 2e-3),
    "dense_w8_d1_early": ("fashion_mnist", 6, 1e-2),
    "small_cnn": ("mnist", 10, 4e-3),
    "dense_w24_d1_early": ("fashion_mnist", 6, 6e-3),
}


def seeds(most: int = 5) -> range:
    """The seeds of a claim: as many as the sizes say, and never more than `most`."""
    return range(min(most, int(SIZES["seeds"])))


def data_of(network: str) -> Dataset:
    return _data(STARTS[network][0])


@cache
def _data(name: str) -> Dataset:
    found = load(name)
    assert isinstance(found, Dataset)
    return found


@cache
def _shifted(name: str) -> Split:
    """All training pictures, moved by a pixel each way; clothes in the mirror too."""
    x, y = _data(name).train
    if name == "fashion_mnist":
        x, y = torch.cat([x, x.flip(3)]), y.repeat(2)
    framed = pad(x, (1, 1, 1, 1))
    moved = [framed[..., 1 - down : 29 - down, 1 - right : 29 - right] for down, right in MOVES]
    return Split(torch.cat(moved), y.repeat(len(MOVES)))


def test_part(network: str) -> Split:
    x, y = data_of(network).test
    n = ceil(SIZES["test"] * len(x))
    return Split(x[:n], y[:n])


def example(network: str) -> Tensor:
    """One picture, for reports."""
    return data_of(network).train[0][:1]


def training(
    network: str, seed: int, passes: float, *, lr: float | None = None, recipe: Recipe = USUAL
) -> Training:
    """A training on the network's own data, which keeps the last epoch.

    Args:
        network: A key of `STARTS`.
        seed: Which examples are drawn, and their order.
        passes: Its length, before a quick version takes its share.
        lr: The highest learning rate; the network's own where none is given.
        recipe: Batch, penalty and hooks.
    """
    name, _, usual = STARTS[network]
    x, y = _shifted(name)
    wanted = max(BATCH, round(passes * SIZES["passes"] * len(_data(name).train[0])))
    epochs = ceil(wanted / len(x))
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    rows = order[: wanted // epochs]
    lr = usual if lr is None else lr
    return Training(train=(x[rows], y[rows]), epochs=epochs, lr=lr, seed=seed, recipe=recipe)


def trained(network: str, seed: int) -> nn.Module:
    """The network from a training of its own, which the claims share."""
    return _trained(network, seed, SIZES["passes"])


@cache
def _trained(network: str, seed: int, _passes: float) -> nn.Module:
    start = build(network, seed=seed)
    return training(network, seed, STARTS[network][1]).run(start)


def test_accuracy(network: str, model: nn.Module) -> float:
    """In percent, on the test part."""
    return 100 * evaluate(model, test_part(network))


def val_accuracy(network: str, model: nn.Module) -> float:
    """In percent, on the validation part, by which may be chosen."""
    return 100 * evaluate(model, data_of(network).val)


def times_fewer(network: nn.Module) -> float:
    """How many times fewer weights of linear layers and convolutions are not zero."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    kept = sum(int(p.count_nonzero()) for p in weights)
    return sum(p.numel() for p in weights) / kept
