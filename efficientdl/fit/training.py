"""The training loop."""

import copy
from collections.abc import Callable, Iterator
from math import isfinite
from typing import NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from efficientdl import _check
from efficientdl.fit.accuracy import evaluate, hits
from efficientdl.fit.history import Epoch, History, Recipe, Stop
from efficientdl.fit.modes import training
from efficientdl.fit.schedule import one_cycle
from efficientdl.progress import progress

Examples = tuple[Shaped[Tensor, "_ ..."], Shaped[Tensor, "_ ..."]]
Loss = Callable[[Tensor, Tensor], Tensor]
USUAL = Recipe()


class Fitted(NamedTuple):
    """A trained network and how its training went. The model passed in was not changed."""

    model: nn.Module
    history: History


class Diverged(_check.BadValue):
    """The loss is no number any more; `fitted` holds the best network until then."""

    fitted: Fitted


def fit(
    model: nn.Module,
    train: Examples,
    val: Examples | None,
    *,
    epochs: int,
    lr: float,
    seed: int,
    loss: Loss = cross_entropy,
    recipe: Recipe = USUAL,
) -> Fitted:
    """Train a copy of a network with AdamW and a one-cycle learning rate; keep its best epoch.

    The same seed gives the same weights, bit for bit on one thread; torch's global generator is
    neither read nor moved. Interrupting it (ctrl-C, or the notebook's stop button) is no loss: the
    best epoch so far comes back.

    Args:
        model: Where to start. Parameters that do not require a gradient stay as they are.
        train: Inputs and labels. Targets may also be rows, a teacher's outputs say, if `loss`
            takes them.
        val: What to choose the best epoch by; None keeps the last.
        epochs: Passes over the training data.
        lr: The highest learning rate; 6e-3 suits the course's small networks.
        seed: Decides the order of the examples, and what dropout drops.
        loss: `f(output, y) -> scalar`, the mean over a batch.
        recipe: Batch, patience, and what else most trainings leave as it is.

    >>> x, y = torch.randn(64, 2, generator=torch.Generator().manual_seed(0)), torch.arange(64) % 2
    >>> x[:, 0] += 8 * y
    >>> start = nn.Linear(2, 2)
    >>> nothing = start.load_state_dict({"weight": torch.zeros(2, 2), "bias": torch.zeros(2)})
    >>> model, history = fit(start, (x, y), (x, y), epochs=20, lr=0.3, seed=0)
    fit: 20 steps
    >>> history.val_accuracy[-1]
    1.0

    Raises:
        BadValue: A setting is out of range, or nothing in the model can be trained.
        Diverged: The loss became infinite or no number.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019 (AdamW); Smith and
    Topin, "Super-Convergence", 2018 (one cycle).
    """
    _check_settings(model, train, val, epochs, lr, recipe)
    _check.whole("fit", "seed", seed, 0, 2**63 - 1)
    run = _Run(copy.deepcopy(model), train, val, epochs, lr, loss, recipe)
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), training(run.model):
        torch.manual_seed(seed)  # dropout draws from the global generator; the fork gives it back
        stop = run.go(torch.Generator().manual_seed(seed))
    run.model.load_state_dict(run.best_weights)
    fitted = Fitted(run.model, History(tuple(run.epochs), run.best, stop))
    if stop is Stop.DIVERGED:
        raise _diverged(fitted, lr)
    return fitted


def _check_settings(
    model: nn.Module, train: Examples, val: Examples | None, epochs: int, lr: float, recipe: Recipe
) -> None:
    for name, (x, y) in {"train": train, "val": train if val is None else val}.items():
        _check.same_length("fit", **{f"{name} x": x, f"{name} y": y})  # pyright: ignore[reportArgumentType]
        _check.whole("fit", f"number of {name} examples", len(x), 1)
    _check.whole("fit", "epochs", epochs, 1)
    if not (_check.number("fit", "lr", lr) > 0 and isfinite(lr)):
        _check.fail("fit", "lr", "must be a positive number", lr)
    _check.whole("fit", "batch", recipe.batch, 1)
    _check.at_least("fit", "weight_decay", recipe.weight_decay, 0)
    if recipe.patience is not None:
        _check.whole("fit", "patience", recipe.patience, 1)
        if val is None:
            rule = "needs a validation set: without one there is no better epoch to wait for"
            _check.fail("fit", "patience", rule, recipe.patience)
    if not any(p.requires_grad for p in model.parameters()):
        rule = "must have a parameter that requires a gradient"
        _check.fail("fit", "model", rule, type(model).__name__)


def _diverged(fitted: Fitted, lr: float) -> Diverged:
    done = len(fitted.history.epochs)
    error = Diverged(
        f"fit: lr must be low enough to keep the loss finite, and in epoch {done + 1} it was not; "
        f"`fitted` of this error holds the best network until then, got {lr}"
    )
    error.fitted = fitted
    return error


class _Run:
    """One training: what it needs, and what it has found so far."""

    def __init__(
        self,
        model: nn.Module,
        train: Examples,
        val: Examples | None,
        epochs: int,
        lr: float,
        loss: Loss,
        recipe: Recipe,
    ) -> None:
        self.model, self.train, self.val = model, train, val
        self.n_epochs, self.lr, self.loss, self.recipe = epochs, lr, loss, recipe
        # Near-equal batches, none smaller than asked where the data allow it: a last batch of one
        # example would have no variance for batch norm.
        self.n_batches = max(1, len(train[0]) // recipe.batch)
        self.n_steps = epochs * self.n_batches
        self.epochs: list[Epoch] = []
        self.best: int | None = None
        self.best_weights = self._weights()
        weights = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=recipe.weight_decay)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def go(self, generator: torch.Generator) -> Stop:
        """Train until something ends it."""
        total, right = 0.0, 0
        batches = enumerate(self._batches(generator), start=1)
        try:
            for step, rows in progress(batches, "fit", total=self.n_steps):
                y = self.train[1][rows]
                output, value = self._step(step - 1, self.train[0][rows], y)
                if not isfinite(value):
                    return Stop.DIVERGED
                total, right = total + value * len(rows), right + hits(output, y)
                if step % self.n_batches == 0:
                    self._close_epoch(total / len(self.train[0]), right / len(self.train[0]))
                    total, right = 0.0, 0
                    if self._out_of_patience():
                        return Stop.PATIENCE
        except KeyboardInterrupt:
            return Stop.INTERRUPTED
        return Stop.DONE

    def _batches(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Row numbers of every batch of every epoch, shuffled anew in each."""
        x = self.train[0]
        for _ in range(self.n_epochs):
            order = torch.randperm(len(x), generator=generator).to(x.device)
            yield from order.tensor_split(self.n_batches)

    def _out_of_patience(self) -> bool:
        patience = self.recipe.patience
        return patience is not None and len(self.epochs) - 1 - (self.best or 0) >= patience

    def _close_epoch(self, loss: float, train_accuracy: float) -> None:
        """Write the epoch down, and keep its weights where no epoch was better."""
        accuracy = None if self.val is None else evaluate(self.model, self.val)
        self.epochs.append(Epoch(loss, train_accuracy, accuracy))
        best = None if self.best is None else self.epochs[self.best].val_accuracy
        if accuracy is None or best is None or accuracy > best:
            self.best, self.best_weights = len(self.epochs) - 1, self._weights()

    def _step(self, step: int, x: Tensor, y: Tensor) -> tuple[Tensor, float]:
        lr, momentum = one_cycle(step, self.n_steps, self.lr)
        for group in self.optimizer.param_groups:
            group["lr"], group["betas"] = lr, (momentum, 0.999)
        output = self.model(x)
        value = self.loss(output, y)
        if self.recipe.penalty is not None:
            value = value + self.recipe.penalty(self.model)
        self.optimizer.zero_grad()
        value.backward()
        self.optimizer.step()
        if self.recipe.after_step is not None:
            self.recipe.after_step(self.model)
        return output.detach(), value.item()
