"""The Pareto front: what nothing else beats in every respect."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from efficientdl import _check

T = TypeVar("T")


def pareto_front(items: Sequence[T], scores: Callable[[T], Sequence[float]]) -> list[T]:
    """The items that no other item dominates, in their own order.

    One item dominates another when it is no worse in every score and better in at least one.
    Equal items dominate neither the one nor the other: both stay.

    Args:
        items: What to compare.
        scores: The scores of one item, lower is better, equally many for each.

    >>> pareto_front([(1, 5), (2, 2), (3, 3), (5, 1)], scores=lambda item: item)
    [(1, 5), (2, 2), (5, 1)]
    """
    table = [tuple(scores(item)) for item in items]
    if len({len(row) for row in table}) > 1:
        _check.fail("pareto_front", "scores", "must be equally many for each item", table)

    def dominated(row: tuple[float, ...]) -> bool:
        return any(
            other != row and all(o <= r for o, r in zip(other, row, strict=True)) for other in table
        )

    return [item for item, row in zip(items, table, strict=True) if not dominated(row)]
