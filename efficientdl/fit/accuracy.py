"""How often a network is right."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.fit.modes import evaluating


def hits(output: Float[Tensor, "n classes"], y: Shaped[Tensor, "n ..."]) -> int:
    """How many rows have their largest output at the label, or at the target's largest."""
    labels = y if y.ndim == 1 else y.argmax(1)
    return int((output.argmax(1) == labels).sum())


def evaluate(
    model: nn.Module,
    split: tuple[Shaped[Tensor, "_ ..."], Shaped[Tensor, "_ ..."]],
    *,
    batch: int = 500,
) -> float:
    """Share of the examples that the network gets right, 0..1, in evaluation mode.

    Args:
        model: What to test; its modes are as they were afterwards.
        split: Inputs and labels, a `Split` of `efficientdl.datasets` or a pair of tensors.
        batch: Examples at once: more of them need more memory and give the same answer.

    >>> x = torch.eye(2)
    >>> evaluate(nn.Identity(), (x, torch.tensor([0, 0])))
    0.5
    """
    x, y = split
    _check.same_length("evaluate", x=x, y=y)  # pyright: ignore[reportArgumentType]
    _check.whole("evaluate", "number of examples", len(x), 1)
    _check.whole("evaluate", "batch", batch, 1)
    with evaluating(model), torch.no_grad():
        parts = zip(x.split(batch), y.split(batch), strict=True)
        return sum(hits(model(a), b) for a, b in parts) / len(x)
