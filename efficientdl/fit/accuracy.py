"""How often a network is right."""

from math import isnan, nan

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from efficientdl import _check
from efficientdl.fit.modes import evaluating


def hits(output: Float[Tensor, "n ..."], y: Shaped[Tensor, "n ..."]) -> float:
    """How many examples have their largest output at the label, or at the target's largest.

    An example with many labels, a map or a text, counts by the share of them that is right. The
    classes are the axis after `n`, as torch has them, or the last one where only that fits.

    Args:
        output: Scores.
        y: Labels as whole numbers, one for each row of scores, or a target of the output's shape.

    Returns:
        0 to `n`; not a number where the target is neither.

    >>> pixels, text = torch.zeros(1, 3, 2, 4), torch.zeros(1, 2, 3)
    >>> hits(pixels, torch.tensor([[[0, 0, 0, 1], [0, 0, 0, 2]]]))
    0.75
    >>> hits(text, torch.tensor([[0, 1]])), hits(text, torch.zeros(1, 5))
    (0.5, nan)
    """
    right = _right(output, y)
    return nan if right is None else float(right.reshape(len(y), -1).double().mean(1).sum())


def _right(output: Tensor, y: Tensor) -> Tensor | None:
    if not y.is_floating_point():
        if (*output.shape[:1], *output.shape[2:]) == y.shape:
            return output.argmax(1) == y
        if output.shape[:-1] == y.shape:
            return output.argmax(-1) == y
    return output.argmax(1) == y.argmax(1) if output.shape == y.shape and y.ndim > 1 else None


def evaluate(
    model: nn.Module,
    split: tuple[Shaped[Tensor, "_ ..."], Shaped[Tensor, "_ ..."]],
    *,
    batch: int = 500,
) -> float:
    """Share of the examples that the network gets right, 0..1, in evaluation mode.

    Of labels of pixels, or of every character of a text, it is the share of all labels.

    Args:
        model: What to test; its modes are as they were afterwards.
        split: Inputs and labels, a `Split` of `efficientdl.datasets` or a pair of tensors.
        batch: Examples at once: more of them need more memory and give the same answer.

    Raises:
        BadValue: The labels do not fit the outputs, or there are none.

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
        total = sum(hits(model(a), b) for a, b in parts)
    if isnan(total):
        rule = "must be labels, one for each row of scores, or of the output's shape"
        _check.fail("evaluate", "y", rule, tuple(y.shape))
    return total / len(x)
