"""A part of MNIST, and a network with two convolutions that learns it in a moment."""

from collections import OrderedDict

from torch import nn

from efficientdl.datasets import load
from efficientdl.fit import Recipe
from efficientdl.fit.plan import Training
from efficientdl.models import seeded

MNIST = load("mnist")
TRAIN = (MNIST.train.x[:768], MNIST.train.y[:768])
TEST = (MNIST.test.x[:500], MNIST.test.y[:500])
X = TRAIN[0][:8]
NAMES = ("conv1", "conv2", "fc")


def network(seed=0):
    """Batch norm stands behind every layer, and before every ReLU."""
    return seeded(
        lambda: nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 8, 5, stride=2, bias=False),
                norm1=nn.BatchNorm2d(8),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(8, 16, 5, stride=2, bias=False),
                norm2=nn.BatchNorm2d(16),
                relu2=nn.ReLU(),
                flatten=nn.Flatten(),
                fc=nn.Linear(256, 10),
                norm3=nn.BatchNorm1d(10),
            )
        ),
        seed=seed,
    )


def training(epochs=3, seed=0, lr=0.02):
    """Some dozens of steps."""
    recipe = Recipe(batch=32, weight_decay=0.0)
    return Training(train=TRAIN, epochs=epochs, lr=lr, seed=seed, recipe=recipe)
