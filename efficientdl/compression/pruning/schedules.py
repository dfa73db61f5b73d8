"""Schedules: how far pruning has come, at each point of the way.

A schedule turns progress in time, 0..1, into progress in pruning, 0..1; who calls it multiplies
by the sparsity that is to be reached. So one schedule serves every target.
"""

from collections.abc import Callable, Mapping

from efficientdl import _check
from efficientdl.protocols import Policy

Schedule = Callable[[float], float]


def at_once(progress: float) -> float:
    """Everything in the first step: one-shot pruning, whatever is done afterwards.

    >>> at_once(0.0), at_once(0.2)
    (0.0, 1.0)
    """
    _check.in_range("at_once", "progress", progress, 0, 1)
    return float(progress > 0)


def linear(progress: float) -> float:
    """The same share of the weights in every step.

    >>> linear(0.5)
    0.5
    """
    _check.in_range("linear", "progress", progress, 0, 1)
    return float(progress)


def cubic(progress: float) -> float:
    """Much at first, while there is plenty to spare, and ever less towards the end.

    With `t` the progress, `1 - (1 - t)**3`; pruning from sparsity `s_i` to `s_f` passes
    `s_f + (s_i - s_f) (1 - t)**3`.

    >>> cubic(0.5)
    0.875

    Source: Zhu and Gupta, "To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model
    Compression", 2017, equation 1; the survey's section 2.1, "Training Methods"; lab 02.
    """
    _check.in_range("cubic", "progress", progress, 0, 1)
    return 1 - (1 - progress) ** 3  # eq. 1, as a share of the way from s_i to s_f


def geometric(sparsity: float) -> Schedule:
    """The same share of what is *left* in every step, so that `sparsity` is reached at the end.

    With `t` the progress, `(1 - (1 - sparsity)**t) / sparsity`: to 75 % in two steps means half
    of the weights, then half of the rest. This is how lottery tickets are looked for.

    Args:
        sparsity: What is to be reached, in [0, 1).

    >>> round(0.75 * geometric(0.75)(0.5), 6)
    0.5

    Source: Frankle and Carbin, "The Lottery Ticket Hypothesis", 2019, section 1: `p**(1/n)` percent
    of the weights that survive, in each of `n` rounds; lab 02.
    """
    check_sparsity("geometric", sparsity)

    def schedule(progress: float) -> float:
        _check.in_range("geometric", "progress", progress, 0, 1)
        if sparsity == 0:
            return float(progress)  # the limit
        return (1 - (1 - sparsity) ** progress) / sparsity

    return schedule


def check_sparsity(caller: str, sparsity: Policy[float]) -> None:
    """Demand a share of zeros in [0, 1), or one for each layer named."""
    for share in sparsity.values() if isinstance(sparsity, Mapping) else [sparsity]:
        if not 0 <= _check.number(caller, "sparsity", share) < 1:
            _check.fail(caller, "sparsity", "must be in [0, 1)", share)


def on_the_way(
    sparsity: Policy[float], schedule_for: Callable[[float], Schedule], progress: float
) -> Policy[float]:
    """The sparsity, of each layer, at this point of the way to the one that is to be reached.

    Args:
        sparsity: What is to be reached.
        schedule_for: The schedule for a sparsity to be reached: `geometric`, or always the same.
        progress: How much of the way is done, 0..1.

    >>> on_the_way({"conv": 0.4, "head": 0.8}, lambda sparsity: linear, 0.5)
    {'conv': 0.2, 'head': 0.4}
    """
    if isinstance(sparsity, Mapping):
        return {name: s * schedule_for(s)(progress) for name, s in sparsity.items()}
    return sparsity * schedule_for(sparsity)(progress)
