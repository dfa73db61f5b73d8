"""Regularized (aging) evolution: mutate the best of a few, and let the oldest die."""

from collections import deque
from random import Random

from efficientdl import _check
from efficientdl.catalogue import Searcher, technique
from efficientdl.search.space import Point, Space


@technique(
    "search-evolution",
    paper="Real, Aggarwal, Huang and Le, Regularized Evolution for Image Classifier "
    "Architecture Search, 2019",
    survey="3.2, Table 2",
    lab="01_costs",
    kind=Searcher(options={"population": 16, "tournament": 4}),
)
class RegularizedEvolution:
    """Regularized evolution: a tournament's winner is mutated, the oldest candidate dies.

    Dying of age rather than of a bad score keeps one lucky early candidate from taking the
    population over.

    Args:
        space: Where to look.
        population: How many candidates are alive.
        tournament: How many of them are drawn, with replacement, to compete for a child.
        seed: Fixes the sequence of proposals, given the scores.

    >>> space = Space({"width": (16, 24, 32)})
    >>> RegularizedEvolution(space, population=4, tournament=2, seed=0).ask() in space
    True

    Source: Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI
    2019, algorithm 1; the survey's section 3.2 and Table 2; lab 01.
    """

    def __init__(self, space: Space, *, population: int, tournament: int, seed: int) -> None:
        _check.whole("RegularizedEvolution", "population", population, 1)
        _check.whole("RegularizedEvolution", "tournament", tournament, 1)
        self.space = space
        self.population = population
        self.tournament = tournament
        self._rng = Random(seed)
        self._alive: deque[tuple[float, Point]] = deque(maxlen=population)

    def ask(self) -> Point:
        """A random point until the population is full, then a child of a tournament's winner."""
        if len(self._alive) < self.population:
            return self.space.sample(self._rng)
        rivals = [self._rng.choice(self._alive) for _ in range(self.tournament)]
        _, parent = min(rivals, key=lambda rival: rival[0])
        return self.space.mutate(parent, self._rng)

    def tell(self, point: Point, score: float) -> None:
        """Add the candidate; when the population is full, the oldest falls off the other end."""
        self._alive.append((float(score), dict(point)))
