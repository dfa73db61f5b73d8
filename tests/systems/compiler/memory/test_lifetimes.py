"""Lifetimes, the bound that follows from them, and which plans are safe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl._check import BadValue
from efficientdl.systems.compiler.memory.lifetimes import Lifetime, live_bytes, lower_bound
from efficientdl.systems.compiler.memory.plan import Plan, check_plan, without_sharing
from tests.systems.compiler.memory.tensors import bytes_used, lifetimes


@given(tensors=lifetimes())
def test_the_bound_is_the_fullest_step_counted_tensor_by_tensor(tensors):
    alive = [
        sum(t.n_bytes for t in tensors.values() if step in range(t.first, t.last + 1))
        for step in range(8)
    ]
    assert lower_bound(tensors) == max(alive)
    timeline = live_bytes(tensors)
    assert timeline == alive[: len(timeline)]
    assert not any(alive[len(timeline) :])


@given(tensors=lifetimes(max_bytes=8), data=st.data())
def test_a_plan_is_refused_exactly_if_some_byte_is_used_twice(tensors, data):
    places = {name: data.draw(st.integers(0, 24)) for name in tensors}
    plan = Plan(tensors, places)
    twice = any(uses > 1 for step in bytes_used(plan) for uses in step)
    if twice:
        with pytest.raises(BadValue, match="check_plan: plan must keep tensors apart that live"):
            check_plan(plan)
    else:
        check_plan(plan)


@given(tensors=lifetimes())
def test_without_sharing_needs_the_sum(tensors):
    plan = without_sharing(tensors)
    check_plan(plan)
    assert plan.peak_bytes == sum(life.n_bytes for life in tensors.values())


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ({}, r"plan must place exactly the tensors that live, got \['x'\]"),
        ({"x": 0, "y": 0}, r"plan must place exactly the tensors that live, got \['y'\]"),
        ({"x": -4}, "offset of x must be a whole number, 0 or more, got -4"),
    ],
)
def test_a_plan_that_leaves_the_arena_is_refused(offsets, message):
    with pytest.raises(BadValue, match=message):
        check_plan(Plan({"x": Lifetime(4, 0, 1)}, offsets))


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ((-1, 0, 0), "Lifetime: n_bytes must be a whole number, 0 or more, got -1"),
        ((1, -1, 0), "Lifetime: first must be a whole number, 0 or more, got -1"),
        ((1, 2, 1), "Lifetime: last must be first = 2 or later, got 1"),
    ],
)
def test_a_lifetime_that_cannot_be_is_refused(given_, message):
    with pytest.raises(BadValue, match=message):
        Lifetime(*given_)
