"""The learning rate over the course of a training: one cycle up and down."""

from math import cos, pi

from efficientdl import _check

_RISE = 0.25  # share of the steps in which the rate rises
_START, _END = 1 / 25, 1 / 250_000  # of the highest rate


def _between(a: float, b: float, share: float) -> float:
    """From `a` to `b` along half a cosine."""
    return b + (a - b) * (1 + cos(pi * share)) / 2


def one_cycle(step: int, steps: int, lr: float) -> tuple[float, float]:
    """Learning rate and momentum at one step: the rate rises for a quarter, then falls to nothing.

    A high rate in the middle lets a short training go far; the fall at the end lets it settle.
    Momentum goes the other way, from 0.95 down to 0.85 and back.

    Args:
        step: Which step, from 0.
        steps: How many there are.
        lr: The highest rate.

    >>> one_cycle(25, 101, 0.01)[0] > one_cycle(0, 101, 0.01)[0]
    True

    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
    Learning Rates", 2018.
    """
    _check.whole("one_cycle", "step", step, 0, max(steps - 1, 0))
    top = max(_RISE * steps - 1, 0)
    if step < top:
        share = step / top
        return _between(lr * _START, lr, share), _between(0.95, 0.85, share)
    share = (step - top) / max(steps - 1 - top, 1)
    return _between(lr, lr * _END, share), _between(0.85, 0.95, share)
