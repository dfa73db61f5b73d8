"""A training as a value: everything that `fit` wants but the network.

Methods that prune while they train, or train several times, take one of these; what varies, say
the seed of a second copy, is replaced with `dataclasses.replace`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from torch import nn
from torch.nn.functional import cross_entropy

from efficientdl import _check
from efficientdl.fit.history import Recipe, Stop
from efficientdl.fit.training import Examples, Fitted, Loss, fit

Hook = Callable[[nn.Module], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What to train on, and how; the arguments of `efficientdl.fit.fit`.

    Attributes:
        train: Inputs and labels.
        val: What to choose the best epoch by; None keeps the last.
        epochs: Passes over the training data.
        lr: The highest learning rate.
        seed: Decides the order of the examples.
        loss: `f(output, y) -> scalar`.
        recipe: Batch, weight decay, penalty and hooks.

    >>> import torch
    >>> x = torch.tensor([[0.0], [1.0]])
    >>> training = Training(train=(x, x[:, 0].long()), epochs=3, lr=0.1, seed=0)
    >>> training.steps
    3
    >>> replace(training, epochs=5).steps
    5
    """

    train: Examples = field(repr=False)
    val: Examples | None = field(default=None, repr=False)
    epochs: int
    lr: float
    seed: int
    loss: Loss = cross_entropy
    recipe: Recipe = Recipe()  # noqa: RUF009 (it is frozen)

    @property
    def steps(self) -> int:
        """Steps of the optimizer in all epochs, as `fit` makes them."""
        _check.whole("Training", "batch", self.recipe.batch, 1)
        return self.epochs * max(1, len(self.train[0]) // self.recipe.batch)

    def fit(self, model: nn.Module, hook: Hook | None = None) -> Fitted:
        """Train a copy of the network, and tell how it went: whether it was interrupted, say.

        With a hook the last epoch is kept, whatever the validation set says of earlier ones: the
        hook had not done its work then, and a network half pruned is often the more accurate.

        Args:
            model: Where to start.
            hook: `f(model)`, which changes it after every step; called after the recipe's own.
        """
        recipe = self.recipe
        if hook is not None:
            recipe = replace(recipe, after_step=_both(recipe.after_step, hook), patience=None)
        return fit(
            model,
            self.train,
            self.val if hook is None else None,
            epochs=self.epochs,
            lr=self.lr,
            seed=self.seed,
            loss=self.loss,
            recipe=recipe,
        )

    def run(self, model: nn.Module) -> nn.Module:
        """A trained copy of the network."""
        return self.fit(model).model

    def run_with(self, model: nn.Module, hook: Hook) -> nn.Module:
        """A copy of the network, trained with a hook that changes it after every step."""
        return self.fit(model, hook).model


def _both(first: Hook | None, second: Hook) -> Hook:
    def both(model: nn.Module) -> None:
        if first is not None:
            first(model)
        second(model)

    return both


class Trained(NamedTuple):
    """A network, and whether its training was interrupted: then no other one should follow."""

    model: nn.Module
    interrupted: bool


def after(training: Training | None, model: nn.Module) -> Trained:
    """The network after a training; after none it is the one given."""
    if training is None:
        return Trained(model, interrupted=False)
    trained, history = training.fit(model)
    return Trained(trained, history.stop is Stop.INTERRUPTED)
