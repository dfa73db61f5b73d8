"""No two live tensors share a byte, and the peak is as near the bound as can be."""

from functools import cache

import pytest
from hypothesis import given, settings

from efficientdl import models
from efficientdl._check import BadKind, BadValue
from efficientdl.costs.liveness import peak_activation_bytes
from efficientdl.systems.compiler.memory.fit import best_fit, first_fit
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.lifetimes import Lifetime, lower_bound
from efficientdl.systems.compiler.memory.plan import check_plan, without_sharing
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import lifetimes_of, program_of
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.memory.tensors import bytes_used, least_peak, lifetimes

SMALL = [name for name in models.names() if models.resolution(name) < 100]
LARGE = [name for name in models.names() if name not in SMALL]
ZOO = [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]


def skeleton(name):
    return models.skeleton(name).eval(), models.example(name, device="meta")


@cache
def traced(name):
    return program_of(trace(*skeleton(name)))


def test_the_identity_tensors_that_all_live_at_once_share_nothing():
    together = {f"t{i}": Lifetime(2**i, 0, 3) for i in range(6)}
    assert plan_memory(together).peak_bytes == without_sharing(together).peak_bytes == 63


@settings(deadline=None)
@given(tensors=lifetimes())
def test_never_overlaps_and_lies_between_the_bound_and_no_sharing(tensors):
    plan = plan_memory(tensors, max_nodes=200)
    check_plan(plan)
    assert all(uses <= 1 for step in bytes_used(plan) for uses in step)
    assert lower_bound(tensors) <= plan.peak_bytes <= without_sharing(tensors).peak_bytes
    assert plan.peak_bytes <= min(fit(tensors).peak_bytes for fit in (first_fit, best_fit))


@settings(max_examples=50, deadline=None)
@given(tensors=lifetimes(max_tensors=5, max_bytes=4, max_steps=5))
def test_of_a_few_tensors_it_finds_the_best_plan_of_all(tensors):
    assert plan_memory(tensors).peak_bytes == least_peak(tensors)


@pytest.mark.parametrize("name", ZOO)
def test_the_bound_is_what_watching_the_run_says(name):
    # Another road to the same figure: torch's operations below autograd, and who still reads.
    model, x = skeleton(name)
    bound = lower_bound(lifetimes_of(traced(name)))
    watched = peak_activation_bytes(model, x)
    if name == "lenet_5":  # its peak is at a pooling, for which torch also writes the indices
        watched -= 20 * 12 * 12 * 8
    assert bound == watched


@pytest.mark.parametrize("name", ZOO)
def test_the_peak_is_within_five_per_cent_of_the_bound(name):
    for program in (traced(name), in_place(traced(name))):
        tensors = lifetimes_of(program)
        plan = plan_memory(tensors)
        check_plan(plan)
        assert plan.peak_bytes <= 1.05 * lower_bound(tensors)


def test_bad_options_are_named():
    with pytest.raises(BadValue, match="plan_memory: max_nodes must be a whole number, 0 or more"):
        plan_memory({}, max_nodes=-1)
    with pytest.raises(BadKind, match=r"plan_memory: lifetimes\['x'\] must be a Lifetime, got 3"):
        plan_memory({"x": 3})
