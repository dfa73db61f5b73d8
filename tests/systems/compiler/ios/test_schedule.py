"""What a valid schedule is, and the two that need no search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl._check import BadValue
from efficientdl.systems.compiler.ios.dag import dag_of
from efficientdl.systems.compiler.ios.schedule import Schedule, check_schedule, greedy, sequential
from tests.systems.compiler.ios.dags import waits

FORK = dag_of({"stem": [], "left": ["stem"], "right": ["stem"], "join": ["left", "right"]})


@given(adjacency=waits(max_ops=9), max_groups=st.integers(1, 4))
def test_sequential_and_greedy_are_valid(adjacency, max_groups):
    dag = dag_of(adjacency)
    for schedule in (sequential(dag), greedy(dag, max_groups=max_groups)):
        check_schedule(dag, schedule)
        at = {n: i for i, stage in enumerate(schedule) for group in stage for n in group}
        assert at.keys() == adjacency.keys()
        assert all(at[other] < at[name] for name in adjacency for other in adjacency[name])
        assert all(len(stage) <= max_groups for stage in schedule)


@given(adjacency=waits(max_ops=9))
def test_greedy_runs_each_operator_as_soon_as_it_can(adjacency):
    depth = {}
    for name, needed in adjacency.items():
        depth[name] = 1 + max((depth[other] for other in needed), default=-1)
    schedule = greedy(dag_of(adjacency), max_groups=99)
    at = {n: i for i, stage in enumerate(schedule) for group in stage for n in group}
    assert at == depth


def test_greedy_with_one_group_is_sequential():
    assert greedy(FORK, max_groups=1) == sequential(FORK)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        (((("stem",),), (("left",), ("right",))), "run each operator once, got \\['join'\\]"),
        (((("stem",),), (("stem",), ("left", "right", "join"))), "once, got \\['stem'\\]"),
        (
            ((("stem",), ("left",)), (("right",),), (("join",),)),
            "after what it waits for, got 'left'",
        ),
        (((("left", "stem"),), (("right",),), (("join",),)), "after what it waits for, got 'left'"),
        (((("stem",),), (("left", "join"), ("right",))), "after what it waits for, got 'join'"),
    ],
)
def test_a_schedule_that_would_compute_with_what_is_not_there_is_refused(stages, message):
    with pytest.raises(BadValue, match=f"check_schedule: schedule must .*{message}"):
        check_schedule(FORK, Schedule(stages))
