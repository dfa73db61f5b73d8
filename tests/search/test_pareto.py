"""The Pareto front against brute force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.search import pareto_front

SCORE = st.integers(0, 5)
TABLES = st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[SCORE] * n), max_size=25))


def dominates(a, b):
    worse = any(x > y for x, y in zip(a, b, strict=True))
    better = any(x < y for x, y in zip(a, b, strict=True))
    return better and not worse


@given(TABLES)
def test_it_is_what_nothing_dominates_in_order(table):
    items = [(index, scores) for index, scores in enumerate(table)]
    front = pareto_front(items, scores=lambda item: item[1])
    assert front == [
        item for item in items if not any(dominates(other[1], item[1]) for other in items)
    ]


@given(TABLES)
def test_everything_else_is_dominated_by_one_of_the_front(table):
    front = pareto_front(table, scores=lambda item: item)
    for scores in table:
        assert scores in front or any(dominates(other, scores) for other in front)


@given(TABLES)
def test_the_front_of_the_front_is_the_front(table):
    front = pareto_front(table, scores=lambda item: item)
    assert pareto_front(front, scores=lambda item: item) == front


def test_equals_stay_and_nothing_gives_nothing():
    assert pareto_front([(1, 1), (1, 1), (2, 1)], scores=lambda i: i) == [(1, 1), (1, 1)]
    assert pareto_front([], scores=lambda i: i) == []


def test_one_score_is_the_minimum():
    assert pareto_front([3, 1, 2, 1], scores=lambda i: (i,)) == [1, 1]


def test_unequal_scores_are_named():
    with pytest.raises(
        ValueError, match=r"pareto_front: scores must be equally many for each item"
    ):
        pareto_front([(1, 2), (3,)], scores=lambda i: i)
