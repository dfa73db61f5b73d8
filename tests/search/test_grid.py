"""Grid search covers the space, in order, again and again."""

import pytest

from efficientdl.search import GridSearch, Space, minimize

SPACE = Space({"a": (0, 1, 2), "b": ("x", "y")})


def test_every_point_once_then_again():
    searcher = GridSearch(SPACE)
    points = []
    for _ in range(2 * len(SPACE)):
        points.append(searcher.ask())
        searcher.tell(points[-1], 0.0)
    assert points == [*SPACE, *SPACE]


def test_it_is_sure_of_the_best_in_as_many_evaluations_as_points():
    for best in SPACE:
        found = minimize(GridSearch(SPACE), lambda p, best=best: p != best, budget=len(SPACE))
        assert found.point == best


def test_a_caller_may_change_its_proposal():
    searcher = GridSearch(SPACE)
    searcher.ask()["a"] = 99
    assert all(searcher.ask() in SPACE for _ in range(3 * len(SPACE)))


def test_an_empty_space_cannot_be_made():
    with pytest.raises(ValueError, match="must not be empty"):
        GridSearch(Space({"a": ()}))
