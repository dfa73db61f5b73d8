"""Moving what lies too high to the front never loses, and often reaches the bound."""

import random

import pytest
from hypothesis import given, settings

from efficientdl._check import BadValue
from efficientdl.systems.compiler.memory.fit import best_fit, first_fit
from efficientdl.systems.compiler.memory.lifetimes import Lifetime, lower_bound
from efficientdl.systems.compiler.memory.plan import check_plan
from efficientdl.systems.compiler.memory.reorder import reordered
from tests.systems.compiler.memory.tensors import lifetimes


@settings(deadline=None)
@given(tensors=lifetimes())
def test_no_worse_than_where_it_began_and_no_overlap(tensors):
    start = best_fit(tensors)
    plan = reordered(tensors, start=start)
    check_plan(plan)
    assert lower_bound(tensors) <= plan.peak_bytes <= start.peak_bytes


def test_no_rounds_give_the_plan_back():
    tensors = {"a": Lifetime(3, 0, 1), "b": Lifetime(2, 1, 2)}
    start = best_fit(tensors)
    assert reordered(tensors, start=start, rounds=0) is start


def test_most_random_sets_that_greedy_leaves_above_the_bound_come_down():
    rng, mended, missed = random.Random(0), 0, 0
    for _ in range(60):
        firsts = [rng.randrange(20) for _ in range(30)]
        tensors = {
            f"t{i}": Lifetime(rng.randint(1, 64), first, first + rng.randrange(6))
            for i, first in enumerate(firsts)
        }
        least, greedy = lower_bound(tensors), first_fit(tensors).peak_bytes
        missed += greedy > least
        mended += least == reordered(tensors).peak_bytes < greedy
    assert missed > 20
    assert mended > missed / 2


def test_bad_rounds_are_named():
    with pytest.raises(BadValue, match="reordered: rounds must be a whole number, 0 or more"):
        reordered({}, rounds=-1)
