"""Training and evaluation mode, borrowed and given back as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode while inside; afterwards every layer is back in the mode it had."""
    with _given_back(model):
        model.eval()
        yield


@contextmanager
def training(model: nn.Module) -> Iterator[None]:
    """Training mode while inside; afterwards every layer is back in the mode it had.

    A layer that was set to evaluation mode in a model in training mode stays there: that is how a
    batch norm is frozen. A model wholly in evaluation mode is trained wholly.
    """
    with _given_back(model):
        if not model.training:
            model.train()
        yield


@contextmanager
def _given_back(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
