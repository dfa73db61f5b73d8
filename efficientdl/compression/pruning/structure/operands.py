"""What an operation was given and what it gave, for the rules."""

from typing import Any

from torch import Tensor

from efficientdl.costs.trace import Op


def outputs(op: Op) -> list[Tensor]:
    """The tensors that it gave."""
    out = op.out if isinstance(op.out, (tuple, list)) else [op.out]
    return [t for t in out if isinstance(t, Tensor)]


def argument(op: Op, place: int, name: str, default: Any) -> Any:  # noqa: ANN401
    """An argument, whether it was given by its place or by its name."""
    return op.args[place] if len(op.args) > place else op.kwargs.get(name, default)
