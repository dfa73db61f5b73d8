"""Random search: the baseline that every other searcher has to beat."""

from random import Random

from efficientdl.catalogue import Searcher, technique
from efficientdl.search.space import Point, Space


@technique(
    "search-random",
    paper="Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012",
    survey="3.2",
    lab="01_costs",
    kind=Searcher(),
)
class RandomSearch:
    """Random search: independent samples, every point as likely as another.

    It learns nothing from what it is told, which is what makes it the baseline.

    Args:
        space: Where to look.
        seed: Fixes the sequence of proposals.

    >>> space = Space({"width": (16, 24, 32)})
    >>> RandomSearch(space, seed=0).ask() == RandomSearch(space, seed=0).ask()
    True

    Source: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012;
    the survey's section 3.2; lab 01.
    """

    def __init__(self, space: Space, *, seed: int) -> None:
        self.space = space
        self._rng = Random(seed)

    def ask(self) -> Point:
        """A sample of the space."""
        return self.space.sample(self._rng)

    def tell(self, point: Point, score: float) -> None:
        """Random search does not learn."""
