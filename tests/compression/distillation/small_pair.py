"""A small student, a larger teacher, and a task that both learn in a moment."""

from torch import nn

from efficientdl.datasets import load
from efficientdl.fit import Recipe
from efficientdl.fit.plan import Training
from efficientdl.models import seeded

DIGITS = load("digits")
X = DIGITS.train.x[:4]


def network(channels=3, seed=0, dropout=0.0):
    """Two convolutions with batch norm and an activation in place, and a head."""
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 2 * channels, 3, stride=2),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(18 * channels, 10),
        ),
        seed=seed,
    )


def teacher():
    return network(channels=6, seed=7)


def training(epochs=2, n=256, **recipe):
    train = (DIGITS.train.x[:n], DIGITS.train.y[:n])
    return Training(train=train, epochs=epochs, lr=0.02, seed=3, recipe=Recipe(**recipe))
