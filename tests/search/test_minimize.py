"""The loop: the best point, its history, and what may go wrong on the way."""

from math import inf, nan

import pytest

from efficientdl.search import GridSearch, RandomSearch, Space, minimize

SPACE = Space({"a": tuple(range(10))})


def test_the_best_of_all_that_was_tried_the_first_of_equals():
    found = minimize(GridSearch(SPACE), lambda p: abs(p["a"] - 4) // 2, budget=10)
    assert found.point == {"a": 3}  # 3, 4 and 5 score 0
    assert found.score == 0
    assert [point["a"] for point, _ in found.history] == list(range(10))
    assert [score for _, score in found.history] == [abs(a - 4) // 2 for a in range(10)]


def test_the_searcher_is_told_every_score_in_order():
    told = []

    class Listens(GridSearch):
        def tell(self, point, score):
            told.append((point, score))

    found = minimize(Listens(SPACE), lambda p: -p["a"], budget=5)
    assert told == found.history
    assert all(isinstance(score, float) for _, score in told)


def test_the_budget_is_spent_and_not_exceeded():
    calls = []
    minimize(RandomSearch(SPACE, seed=0), lambda p: float(calls.append(p) is not None), budget=7)
    assert len(calls) == 7


def test_a_candidate_that_is_not_allowed_scores_infinity():
    found = minimize(GridSearch(SPACE), lambda p: inf if p["a"] < 8 else p["a"], budget=10)
    assert found.point == {"a": 8}


def test_when_none_was_allowed_it_says_so():
    said = r"minimize: objective allowed none of 3 candidates, the last, got \{'a': 0\}"
    with pytest.raises(ValueError, match=said):
        minimize(GridSearch(SPACE), lambda p: inf, budget=3)


def test_a_nan_is_an_error_at_once():
    with pytest.raises(ValueError, match=r"minimize: objective\(point\) must be a number, got nan"):
        minimize(GridSearch(SPACE), lambda p: nan if p["a"] == 2 else 1.0, budget=9)


def test_ctrl_c_keeps_what_was_found():
    def objective(point):
        if point["a"] == 3:
            raise KeyboardInterrupt
        return -point["a"]

    found = minimize(GridSearch(SPACE), objective, budget=10)
    assert found.point == {"a": 2}
    assert len(found.history) == 3


def test_ctrl_c_before_anything_was_found_goes_on():
    def objective(point):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimize(GridSearch(SPACE), objective, budget=10)


def test_an_error_of_the_objective_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        minimize(GridSearch(SPACE), lambda p: 1 / p["a"], budget=10)


def test_history_does_not_change_with_the_points():
    """An objective that writes into its point damages neither the history nor the result."""

    def objective(point):
        score = float(point["a"])
        point["a"] = 99
        return score

    found = minimize(GridSearch(SPACE), objective, budget=3)
    assert [point["a"] for point, _ in found.history] == [0, 1, 2]


def test_a_bad_budget_is_named():
    with pytest.raises(
        ValueError, match=r"minimize: budget must be a whole number, 1 or more, got 0"
    ):
        minimize(GridSearch(SPACE), lambda p: 0.0, budget=0)
