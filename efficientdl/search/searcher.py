"""What every searcher is: it proposes, and learns from what it is told."""

from typing import Protocol, runtime_checkable

from efficientdl.search.space import Point


@runtime_checkable
class Searcher(Protocol):
    """Propose with `ask`, learn with `tell`. Lower scores are better.

    A searcher evaluates nothing, prints nothing and draws from no generator but its own, so the
    same seed and the same scores give the same proposals, here and in another process.
    """

    def ask(self) -> Point:
        """The next candidate."""
        ...

    def tell(self, point: Point, score: float) -> None:
        """What a candidate scored."""
        ...
