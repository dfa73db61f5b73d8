"""Branch and bound finds what trying every offset finds, and says when it did not finish."""

import pytest
from hypothesis import given, settings

from efficientdl._check import BadValue
from efficientdl.systems.compiler.memory.exact import exact_plan
from efficientdl.systems.compiler.memory.fit import best_fit, by_area, by_birth, by_size, first_fit
from efficientdl.systems.compiler.memory.lifetimes import Lifetime, lower_bound
from efficientdl.systems.compiler.memory.plan import check_plan, without_sharing
from tests.systems.compiler.memory.tensors import fits_into, least_peak, lifetimes

# Greedy in any of three orders leaves a hole, the best plan none.
MISSED = {
    "a": Lifetime(3, 4, 4),
    "b": Lifetime(3, 1, 4),
    "c": Lifetime(3, 4, 4),
    "d": Lifetime(1, 2, 4),
    "e": Lifetime(4, 2, 2),
}
# No plan meets the bound: eleven tensors, never more than 7 bytes alive, 8 needed.
HOLE = {
    "a": Lifetime(2, 3, 5),
    "b": Lifetime(1, 1, 2),
    "c": Lifetime(3, 1, 3),
    "d": Lifetime(3, 5, 7),
    "e": Lifetime(2, 0, 0),
    "f": Lifetime(3, 7, 7),
    "g": Lifetime(3, 0, 1),
    "h": Lifetime(1, 2, 4),
    "i": Lifetime(2, 0, 0),
    "j": Lifetime(1, 4, 6),
    "k": Lifetime(1, 3, 5),
}


@settings(max_examples=80, deadline=None)
@given(tensors=lifetimes(max_tensors=6, max_bytes=4, max_steps=5))
def test_equals_trying_every_offset(tensors):
    found = exact_plan(tensors, start=without_sharing(tensors))
    assert found.proven
    check_plan(found.plan)
    assert found.plan.peak_bytes == least_peak(tensors)


def test_finds_what_greedy_misses():
    orders = (by_size, by_birth, by_area)
    greedy = {fit(MISSED, order=o).peak_bytes for fit in (first_fit, best_fit) for o in orders}
    assert min(greedy) > lower_bound(MISSED) == 10
    assert exact_plan(MISSED).plan.peak_bytes == least_peak(MISSED) == 10


def test_proves_that_a_hole_cannot_be_filled():
    found = exact_plan(HOLE)
    assert found.proven
    assert lower_bound(HOLE) == 7
    assert found.plan.peak_bytes == 8
    assert not fits_into(HOLE, 7)
    assert fits_into(HOLE, 8)


def test_a_search_cut_short_says_so_and_keeps_its_best():
    start = without_sharing(HOLE)
    cut = exact_plan(HOLE, start=start, max_nodes=0)
    assert (cut.plan, cut.proven, cut.n_nodes) == (start, False, 0)
    more = exact_plan(HOLE, start=start, max_nodes=30)
    assert not more.proven
    assert more.n_nodes == 30
    assert 8 <= more.plan.peak_bytes < start.peak_bytes


def test_nothing_to_plan():
    found = exact_plan({})
    assert (found.plan.peak_bytes, found.proven) == (0, True)


def test_a_bad_limit_is_named():
    with pytest.raises(BadValue, match="exact_plan: max_nodes must be a whole number, 0 or more"):
        exact_plan({}, max_nodes=-1)
