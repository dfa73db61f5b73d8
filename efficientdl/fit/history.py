"""How a training is run, and how it went."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from torch import Tensor, nn


@dataclass(frozen=True)
class Recipe:
    """What most trainings leave as it is.

    Attributes:
        batch: Examples in a step.
        patience: Epochs to go on without a better validation accuracy; None for all of them.
        weight_decay: AdamW's.
        penalty: Added to the loss of every batch: `f(model) -> scalar`, say the L1 norm.
        after_step: Called after every step: `f(model)`, say to set pruned weights back to zero.
    """

    batch: int = 64
    patience: int | None = None
    weight_decay: float = 1e-3
    penalty: Callable[[nn.Module], Tensor] | None = field(default=None, repr=False)
    after_step: Callable[[nn.Module], None] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Attributes:
        loss: Mean over the pass, while the weights were moving.
        train_accuracy: Likewise, 0..1.
        val_accuracy: At the end of the pass, 0..1; None where there was no validation set.
    """

    loss: float
    train_accuracy: float
    val_accuracy: float | None


class Stop(StrEnum):
    """Why a training ended."""

    DONE = "all epochs"
    PATIENCE = "no better epoch within the patience"
    INTERRUPTED = "interrupted"
    DIVERGED = "the loss became infinite or no number"


@dataclass(frozen=True)
class History:
    """The epochs of one training.

    Attributes:
        epochs: Those that were finished.
        best: Which of them gave the weights that were kept, from 0; None if none was finished.
        stop: Why it ended.

    >>> print(History((Epoch(2.3, 0.1, 0.12), Epoch(1.1, 0.6, 0.65)), best=1, stop=Stop.DONE))
    epoch   loss  training  validation
        1  2.300     0.100       0.120
        2  1.100     0.600       0.650  kept
    """

    epochs: tuple[Epoch, ...]
    best: int | None
    stop: Stop

    @property
    def loss(self) -> list[float]:
        """The loss, epoch by epoch."""
        return [epoch.loss for epoch in self.epochs]

    @property
    def train_accuracy(self) -> list[float]:
        """The training accuracy, epoch by epoch."""
        return [epoch.train_accuracy for epoch in self.epochs]

    @property
    def val_accuracy(self) -> list[float]:
        """The validation accuracy, epoch by epoch; empty where there was no validation set."""
        return [e.val_accuracy for e in self.epochs if e.val_accuracy is not None]

    def __str__(self) -> str:
        lines = ["epoch   loss  training  validation"]
        for i, epoch in enumerate(self.epochs):
            val = "-" if epoch.val_accuracy is None else f"{epoch.val_accuracy:.3f}"
            kept = "  kept" if i == self.best else ""
            figures = f"{epoch.loss:>5.3f}  {epoch.train_accuracy:>8.3f}  {val:>10}"
            lines.append(f"{i + 1:>5}  {figures}{kept}")
        if self.stop is not Stop.DONE:
            lines.append(f"stopped: {self.stop}")
        return "\n".join(lines)
