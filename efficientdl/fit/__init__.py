"""One training loop and one evaluation for the whole course.

`fit` trains a copy of a network and hands it back with its history; `evaluate` says how often it
is right. Techniques that train (fine-tuning after pruning, quantization-aware training,
distillation) pass a loss, a penalty or a hook; they do not write loops of their own.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from efficientdl.fit.accuracy import evaluate as evaluate
    from efficientdl.fit.history import Epoch as Epoch
    from efficientdl.fit.history import History as History
    from efficientdl.fit.history import Recipe as Recipe
    from efficientdl.fit.plan import Training as Training
    from efficientdl.fit.schedule import one_cycle as one_cycle
    from efficientdl.fit.training import Diverged as Diverged
    from efficientdl.fit.training import Fitted as Fitted
    from efficientdl.fit.training import fit as fit

_HOME = {
    "fit": "training",
    "evaluate": "accuracy",
    "Fitted": "training",
    "Recipe": "history",
    "Diverged": "training",
    "History": "history",
    "Epoch": "history",
    "one_cycle": "schedule",
    "Training": "plan",
}

__all__ = [
    "fit",
    "evaluate",
    "Fitted",
    "Recipe",
    "Diverged",
    "History",
    "Epoch",
    "one_cycle",
    "Training",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"efficientdl.fit.{_HOME[name]}"), name)
    raise AttributeError(f"module 'efficientdl.fit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
