"""The schedule found costs what the best of all schedules costs, and keeps to the limits."""

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl._check import BadKind, BadValue
from efficientdl.systems.compiler.ios.dag import dag_of
from efficientdl.systems.compiler.ios.schedule import check_schedule, greedy, sequential
from efficientdl.systems.compiler.ios.scheduler import schedule_stages
from efficientdl.systems.compiler.ios.threads import modelled_cost
from tests.systems.compiler.ios.dags import any_cost, dags, least_cost, waits

SEEDS = st.integers(0, 2**16)
LIMITS = st.integers(1, 5)


@given(dag=dags(max_ops=6), seed=SEEDS)
def test_the_identity_one_operator_at_a_time_is_sequential(dag, seed):
    cost = any_cost(seed)
    found = schedule_stages(dag, cost, max_group=1, max_groups=1)
    assert found.cost == sequential(dag).cost(cost)
    assert sorted(found.schedule) == sorted(sequential(dag))


@settings(max_examples=60, deadline=None)
@given(adjacency=waits(), seed=SEEDS, max_group=LIMITS, max_groups=LIMITS)
def test_equals_trying_every_schedule(adjacency, seed, max_group, max_groups):
    cost, limits = any_cost(seed), {"max_group": max_group, "max_groups": max_groups}
    found = schedule_stages(dag_of(adjacency), cost, **limits)
    assert found.cost == least_cost(adjacency, cost, **limits)
    assert found.cost == found.schedule.cost(cost)


@settings(deadline=None)
@given(dag=dags(max_ops=8), seed=SEEDS, max_group=LIMITS, max_groups=LIMITS)
def test_never_worse_than_sequential_and_greedy_and_keeps_to_the_limits(
    dag, seed, max_group, max_groups
):
    cost = any_cost(seed)
    found = schedule_stages(dag, cost, max_group=max_group, max_groups=max_groups)
    check_schedule(dag, found.schedule)
    assert found.cost <= sequential(dag).cost(cost)
    assert found.cost <= greedy(dag, max_groups=max_groups).cost(cost)
    for stage in found.schedule:
        assert len(stage) <= max_groups
        assert max(map(len, stage)) <= max_group


@settings(deadline=None)
@given(dag=dags(max_ops=7), seed=SEEDS, max_group=LIMITS, max_groups=LIMITS)
def test_wider_limits_never_cost_more(dag, seed, max_group, max_groups):
    cost = any_cost(seed)
    narrow = schedule_stages(dag, cost, max_group=max_group, max_groups=max_groups)
    for wide in ((max_group + 1, max_groups), (max_group, max_groups + 1)):
        found = schedule_stages(dag, cost, max_group=wide[0], max_groups=wide[1])
        assert found.cost <= narrow.cost


def test_a_case_by_hand_that_greedy_gets_wrong():
    # heavy takes 4; first and then next take 1 and 3. Greedy pairs heavy with first alone.
    dag = dag_of({"heavy": [], "first": [], "next": ["first"], "join": ["heavy", "next"]})
    seconds = {"heavy": 4.0, "first": 1.0, "next": 3.0, "join": 1.0}
    cost = modelled_cost(seconds, n_workers=2)
    found = schedule_stages(dag, cost)
    assert sequential(dag).cost(cost) == 9
    assert greedy(dag).cost(cost) == 4 + 3 + 1
    assert found.cost == 4 + 1
    assert str(found.schedule) == "1: heavy | first, next\n2: join"


@pytest.mark.parametrize(("d", "m"), [(1, 6), (2, 3), (3, 2), (4, 1)])
def test_sets_and_transitions_of_parallel_chains_are_as_many_as_the_formulas_say(d, m):
    # d chains of m operators. A set is a place in each chain: (m + 1)^d. A set and its ending are
    # two places in each, the second not before the first: C(m + 2, 2)^d, those alike left out.
    chains = {f"{c}.{i}": [f"{c}.{i - 1}"] * (i > 0) for c in range(d) for i in range(m)}
    found = schedule_stages(dag_of(chains), any_cost(0), max_group=m, max_groups=d)
    assert found.n_states == (m + 1) ** d
    assert found.n_transitions == comb(m + 2, 2) ** d - (m + 1) ** d


def test_each_stage_is_priced_once():
    asked = []

    def cost(stage):
        asked.append(stage)
        return 1.0

    dag = dag_of({"a": [], "b": [], "c": ["a"], "d": ["b"], "e": ["c", "d"]})
    found = schedule_stages(dag, cost)
    assert len(asked) == len(set(asked)) == found.n_stages


def test_nothing_to_schedule_costs_nothing():
    found = schedule_stages(dag_of({}), any_cost(0))
    assert (len(found.schedule), found.cost) == (0, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_group": 0}, "schedule_stages: max_group must be a whole number, 1 or more, got 0"),
        ({"max_groups": 0}, "schedule_stages: max_groups must be a whole number, 1 or more, got 0"),
    ],
)
def test_bad_limits_are_named(options, message):
    with pytest.raises(BadValue, match=message):
        schedule_stages(dag_of({"a": []}), any_cost(0), **options)


@pytest.mark.parametrize("cost", [-1.0, float("inf"), float("nan")])
def test_a_cost_that_is_none_is_named(cost):
    with pytest.raises(BadValue, match="schedule_stages: stage_cost must be"):
        schedule_stages(dag_of({"a": []}), lambda stage: cost)


def test_something_else_than_a_graph_is_named():
    with pytest.raises(BadKind, match="schedule_stages: dag must be a Dag, got"):
        schedule_stages({"a": []}, any_cost(0))
