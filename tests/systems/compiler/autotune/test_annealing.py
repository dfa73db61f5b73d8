"""The searcher proposes points of its space, each once, and the better ones more often."""

import pytest

from efficientdl.search import Searcher
from efficientdl.systems.compiler.autotune import (
    AnnealedSearch,
    MatmulTask,
    Schedule,
    default_schedule,
    space_of,
)
from tests.systems.compiler.autotune.pretended import all_times, pretended

TASK = MatmulTask(128, 128, 128)


def run(search, task, n):
    asked = []
    for _ in range(n):
        point = search.ask()
        assert point in search.space or Schedule(**point) == default_schedule(task)
        asked.append(Schedule(**point))
        search.tell(point, pretended(task, asked[-1]))
    return asked


def test_it_is_a_searcher_that_asks_nothing_twice():
    search = AnnealedSearch(TASK, seed=0)
    assert isinstance(search, Searcher)
    asked = run(search, TASK, 18)
    assert asked[0] == default_schedule(TASK)
    assert len(set(asked)) == 18
    assert run(AnnealedSearch(TASK, seed=0), TASK, 18) == asked
    assert run(AnnealedSearch(TASK, seed=1), TASK, 18) != asked


def test_what_the_model_proposes_is_better_than_what_is_drawn():
    times = sorted(all_times(TASK).values())
    asked = run(AnnealedSearch(TASK, seed=0, epsilon=0.0), TASK, 32)
    proposed = sorted(pretended(TASK, schedule) for schedule in asked[16:])
    assert proposed[len(proposed) // 2] < times[len(times) // 10]  # half among the best tenth


def test_all_of_a_small_space_is_asked_and_then_the_default():
    task = MatmulTask(1, 1, 1)
    n = len(space_of(task))
    search = AnnealedSearch(task, seed=0)
    asked = run(search, task, n + 2)
    assert len(set(asked)) == n
    assert asked[-1] == default_schedule(task)


def test_it_refuses():
    with pytest.raises(ValueError, match="AnnealedSearch: batch must be a whole number"):
        AnnealedSearch(TASK, seed=0, batch=0)
    with pytest.raises(ValueError, match=r"AnnealedSearch: epsilon must be in \[0, 1\], got 2"):
        AnnealedSearch(TASK, seed=0, epsilon=2)
