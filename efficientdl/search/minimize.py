"""The one loop: ask, evaluate, tell, until the budget is spent."""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from efficientdl import _check
from efficientdl.search.searcher import Searcher
from efficientdl.search.space import Point


class Found(NamedTuple):
    """What a search found.

    Attributes:
        point: The best candidate, the first one where several tie.
        score: Its score.
        history: Every candidate with its score, in order.
    """

    point: Point
    score: float
    history: list[tuple[Point, float]]


def minimize(searcher: Searcher, objective: Callable[[Point], float], *, budget: int) -> Found:
    """Spend `budget` evaluations and return the best candidate.

    A candidate that is not allowed scores infinity. Ctrl-C ends the search early and returns
    what was found until then.

    Args:
        searcher: Who proposes.
        objective: Scores a candidate; lower is better.
        budget: Number of evaluations.

    Raises:
        BadValue: The objective gave a NaN, or no candidate was allowed.
    """
    _check.whole("minimize", "budget", budget, 1)
    history: list[tuple[Point, float]] = []
    try:
        for _ in range(budget):
            point = dict(searcher.ask())
            # The objective gets a copy: what it writes must not rewrite the history.
            score = _check.number("minimize", "objective(point)", float(objective(dict(point))))
            searcher.tell(point, score)
            history.append((point, score))
    except KeyboardInterrupt:
        if not history:
            raise
    point, score = min(history, key=lambda entry: entry[1])
    if score == inf:
        _check.fail(
            "minimize", "objective", f"allowed none of {len(history)} candidates, the last", point
        )
    return Found(point, score, history)
