"""A task that a tiny network learns in a moment: real digits of 8 x 8 pixels."""

from collections import OrderedDict
from copy import deepcopy
from dataclasses import replace
from itertools import count

import torch
from torch import nn

from efficientdl.datasets import load
from efficientdl.fit import Recipe
from efficientdl.fit.plan import Training
from efficientdl.models import seeded

DIGITS = load("digits")
TEST = (DIGITS.test.x, DIGITS.test.y)
X = DIGITS.train.x[:4]


def network(seed=0, hidden=16):
    """A perceptron of 64 pixels, some hidden units, ten classes."""
    return seeded(
        lambda: nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc=nn.Linear(64, hidden),
                relu=nn.ReLU(),
                head=nn.Linear(hidden, 10),
            )
        ),
        seed=seed,
    )


class Rows(nn.Module):
    """An LSTM over the rows of a digit, batch norm and a head: weights of several kinds."""

    def __init__(self):
        super().__init__()
        self.lstm, self.norm = nn.LSTM(8, 8, batch_first=True), nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.norm(self.lstm(x.flatten(1).unflatten(1, (8, 8)))[0][:, -1]))


def recurrent_network():
    """It, with weights that do not depend on the global generator."""
    model, generator = Rows(), torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data.normal_(std=0.3, generator=generator)
    return model


def training(epochs=2, seed=0, n=512, **recipe):
    """A few steps on a few digits."""
    train = (DIGITS.train.x[:n], DIGITS.train.y[:n])
    recipe = Recipe(weight_decay=0.0, **recipe)
    return Training(train=train, epochs=epochs, lr=0.02, seed=seed, recipe=recipe)


def interrupted_in(training, *, step):
    """The same training, interrupted after so many steps, be they of one run of it or of several.

    What stands in for ctrl-C is counted from 1, over all runs.
    """
    steps = count(1)

    def after_step(model):
        now = next(steps)
        assert now <= step, "trained on after an interruption"
        if now == step:
            raise KeyboardInterrupt

    return replace(training, recipe=replace(training.recipe, after_step=after_step))


def same_weights(a, b):
    torch.testing.assert_close(a.state_dict(), b.state_dict(), rtol=0, atol=0)


def first_epoch_is_best(run):
    """A validation set by which the first of two epochs is the best: it says what the network
    said then. `run` trains, with the training that it is given."""
    seen = []
    run(training(after_step=lambda model: seen.append(deepcopy(model))))
    half = seen[len(seen) // 2 - 1].eval()
    with torch.no_grad():
        return TEST[0], half(TEST[0]).argmax(1)
