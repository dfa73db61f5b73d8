"""Linear mode connectivity: do two trainings end in the same valley?

Two copies of a network, trained from the same point on the same data in another order, end at
different weights. If the error stays low all along the straight line between them, both lie in
one flat region, and chance no longer decides where training ends.
"""

from copy import deepcopy
from dataclasses import replace

from torch import Tensor, nn

from efficientdl import _check
from efficientdl.fit import evaluate
from efficientdl.fit.plan import Training, after
from efficientdl.fit.training import Examples


def interpolate(a: nn.Module, b: nn.Module, *, share: float) -> nn.Module:
    """The network on the straight line from `a` to `b`: its weights are `(1 - share) a + share b`.

    Running statistics of batch norm lie on the line too. What is no float, a mask or a count of
    batches, is that of `a`.

    Args:
        a: Where the line begins.
        b: Where it ends: a network of the same shape, and of the same masks if it has any.
        share: How far along, 0..1.

    Raises:
        BadValue: The networks are not alike, or the share is out of its range.

    >>> import torch
    >>> a, b = nn.Linear(1, 1), nn.Linear(1, 1)
    >>> nothing = [nn.init.constant_(m.weight, value) for m, value in ((a, 1.0), (b, 3.0))]
    >>> interpolate(a, b, share=0.25).weight.item()
    1.5
    """
    _check.in_range("interpolate", "share", share, 0, 1)
    ends, others = a.state_dict(), b.state_dict()
    for name in [*ends, *others]:
        _check_alike(name, ends.get(name), others.get(name))
    middle = deepcopy(a)
    middle.load_state_dict({name: _between(ends[name], others[name], share) for name in ends})
    return middle


def _between(a: Tensor, b: Tensor, share: float) -> Tensor:
    return a.lerp(b, share) if a.is_floating_point() else a


def _check_alike(name: str, a: Tensor | None, b: Tensor | None) -> None:
    shapes = [None if t is None else tuple(t.shape) for t in (a, b)]
    if a is None or b is None or a.shape != b.shape:
        _check.fail("interpolate", "networks", f"must be alike in {name!r}", shapes)
    if name.endswith("mask") and not bool((a == b).all()):
        kept = [int(t.count_nonzero()) for t in (a, b)]
        rule = f"must have the same masks, and {name!r} differs: these many are kept"
        _check.fail("interpolate", "networks", rule, kept)


def errors_between(
    a: nn.Module, b: nn.Module, split: Examples, *, n_points: int = 11
) -> list[float]:
    """The error, 0..1, at evenly spaced points of the line between two networks, ends included.

    Args:
        a: Where the line begins.
        b: Where it ends.
        split: Inputs and labels to take the error on.
        n_points: How many points, 2 or more.
    """
    _check.whole("errors_between", "n_points", n_points, 2)
    shares = [i / (n_points - 1) for i in range(n_points)]
    return [1 - evaluate(interpolate(a, b, share=share), split) for share in shares]


def error_barrier(a: nn.Module, b: nn.Module, split: Examples, *, n_points: int = 11) -> float:
    """How much worse the worst point between two networks is than they are themselves.

    `max over t of E((1 - t) a + t b) - (E(a) + E(b)) / 2`: zero where they are connected. It is
    half their difference, not less, where one is better than the other.

    Args:
        a: A trained network.
        b: Another one, of the same shape.
        split: Inputs and labels to take the error on.
        n_points: Points of the line, 2 or more; between them the worst may be missed.

    >>> import torch
    >>> model, x = nn.Linear(2, 2), torch.eye(2)
    >>> error_barrier(model, model, (x, torch.tensor([0, 1])))
    0.0

    Source: Frankle, Dziugaite, Roy and Carbin, "Linear Mode Connectivity and the Lottery Ticket
    Hypothesis", ICML 2020, section 2, "error barrier height"; lab 02.
    """
    errors = errors_between(a, b, split, n_points=n_points)
    return max(errors) - (errors[0] + errors[-1]) / 2


def instability(
    model: nn.Module,
    split: Examples,
    *,
    training: Training,
    seeds: tuple[int, int],
    early: Training | None = None,
    n_points: int = 11,
) -> float:
    """How much chance decides where training ends: the barrier between two copies of a network.

    The two are trained alike but for the order of their examples, from the same point: the
    network given, or that network after `early`. As that part grows longer, the barrier falls.
    Below 0.02 the paper calls a network stable.

    Args:
        model: A network at its initialization, or a lottery ticket.
        split: Inputs and labels to take the error on.
        training: How both are trained, but for the seed.
        seeds: The orders of the examples.
        early: What they have in common beforehand.
        n_points: Points of the line, 2 or more.

    Raises:
        KeyboardInterrupt: A training was interrupted, so there is no answer.

    Source: Frankle, Dziugaite, Roy and Carbin, "Linear Mode Connectivity and the Lottery Ticket
    Hypothesis", ICML 2020, section 2, algorithm 1; the survey's section 2.1; lab 02.
    """
    start, interrupted = after(early, model)
    ends: list[nn.Module] = []
    for seed in seeds:
        if not interrupted:
            end, interrupted = after(replace(training, seed=seed), start)
            ends.append(end)
    if interrupted:
        raise KeyboardInterrupt("instability: half a training says nothing about where it ends")
    return error_barrier(ends[0], ends[1], split, n_points=n_points)
