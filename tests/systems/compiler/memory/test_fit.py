"""Greedy plans never overlap, and choose the gap that their name says."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl._check import BadKind
from efficientdl.systems.compiler.memory.fit import (
    best_fit,
    by_area,
    by_birth,
    by_size,
    first_fit,
    gaps,
)
from efficientdl.systems.compiler.memory.lifetimes import Lifetime
from efficientdl.systems.compiler.memory.plan import check_plan
from tests.systems.compiler.memory.tensors import bytes_used, lifetimes

ORDERS = (by_size, by_birth, by_area)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("fit", [first_fit, best_fit])
@given(tensors=lifetimes())
def test_plans_never_overlap(fit, order, tensors):
    plan = fit(tensors, order=order)
    check_plan(plan)
    assert all(uses <= 1 for step in bytes_used(plan) for uses in step)


@given(tensors=lifetimes(min_tensors=1))
def test_first_fit_takes_the_lowest_place_that_is_free(tensors):
    plan, placed = first_fit(tensors, order=by_birth), []
    for name in sorted(tensors, key=lambda n: by_birth(tensors[n])):
        life = tensors[name]
        taken = {
            byte
            for other in placed
            if not (tensors[other].last < life.first or life.last < tensors[other].first)
            for byte in range(plan.offsets[other], plan.offsets[other] + tensors[other].n_bytes)
        }
        at = 0
        while taken & set(range(at, at + life.n_bytes)):
            at += 1
        assert plan.offsets[name] == at
        placed.append(name)


def test_best_fit_takes_the_tightest_gap_where_first_fit_takes_the_lowest():
    # After step 0 two gaps are left between what stays: five bytes low, two bytes high.
    tensors = {
        "low": Lifetime(5, 0, 0),
        "wall": Lifetime(1, 0, 1),
        "high": Lifetime(2, 0, 0),
        "roof": Lifetime(1, 0, 1),
        "new": Lifetime(2, 1, 1),
    }
    order = lambda life: (life.first,)  # noqa: E731 (as they stand)
    assert first_fit(tensors, order=order).offsets["new"] == 0
    assert best_fit(tensors, order=order).offsets["new"] == 6


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5))))
def test_gaps_are_the_bytes_that_nobody_took(spans):
    taken = [(low, low + n) for low, n in spans]
    free = set(range(60)) - {byte for low, high in taken for byte in range(low, high)}
    found = gaps(taken)
    assert {b for at, n in found for b in range(at, min(60, at + n) if n != inf else 60)} == free
    assert all(n > 0 for _, n in found)
    assert found[-1][1] == inf


@pytest.mark.parametrize("fit", [first_fit, best_fit])
def test_what_is_no_lifetime_is_named(fit):
    with pytest.raises(BadKind, match=rf"{fit.__name__}: lifetimes must be a Mapping, got \[\]"):
        fit([])
