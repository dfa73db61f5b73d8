"""In one flat buffer, every activation at its place, a network gives what torch gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from efficientdl import models
from efficientdl._check import BadValue
from efficientdl.systems.compiler.memory import arena
from efficientdl.systems.compiler.memory.arena import run_in_arena
from efficientdl.systems.compiler.memory.fit import best_fit, by_birth, first_fit
from efficientdl.systems.compiler.memory.in_place import in_place
from efficientdl.systems.compiler.memory.lifetimes import Lifetime
from efficientdl.systems.compiler.memory.plan import Plan, without_sharing
from efficientdl.systems.compiler.memory.planner import plan_memory
from efficientdl.systems.compiler.memory.program import (
    lifetimes_of,
    program_of,
    with_inputs_outside,
)
from efficientdl.systems.compiler.trace import trace
from tests.systems.compiler.memory.programs import graphs, seeded

SMALL = [name for name in models.names() if models.resolution(name) < 100]
LARGE = [name for name in models.names() if name not in SMALL]
ZOO = [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)]
EXACT = {"rtol": 0, "atol": 0}


def two_layers():
    model = seeded(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    x = torch.linspace(-1, 1, 4).reshape(1, 4)
    return program_of(trace(model, x)), x, model(x).detach()


@pytest.mark.parametrize("name", ZOO)
def test_networks_of_the_zoo_give_what_torch_gives(name):
    model = models.build(name, seed=0).eval()
    shape = models.example(name, batch=1 if name in LARGE else 2).shape
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    program = program_of(trace(model, x))
    plan = plan_memory(lifetimes_of(program))
    (y,) = run_in_arena(program, plan, x)
    assert plan.peak_bytes < sum(life.n_bytes for life in plan.lifetimes.values())
    with torch.no_grad():
        # The same kernels on the same numbers, but sums split up by where a tensor is aligned.
        torch.testing.assert_close(y, model(x), rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(graph=graphs())
def test_any_graph_in_any_plan_plain_and_in_place(graph):
    inputs = graph.example(np.random.default_rng(0))
    given_ = [x.clone() for x in inputs]
    expected = graph.run(*inputs)
    plain = program_of(graph)
    for program in (plain, in_place(plain)):
        lives = lifetimes_of(program)
        for plan in (plan_memory(lives), first_fit(lives, order=by_birth), best_fit(lives)):
            torch.testing.assert_close(run_in_arena(program, plan, *inputs), expected, **EXACT)
    torch.testing.assert_close(inputs, given_, **EXACT)


def test_the_outputs_are_copies():
    program, x, y = two_layers()
    plan = plan_memory(lifetimes_of(program))
    (first,) = run_in_arena(program, plan, x)
    run_in_arena(program, plan, -x)
    torch.testing.assert_close(first, y)


def test_an_input_outside_needs_no_place():
    program, x, y = two_layers()
    outside = with_inputs_outside(program)
    assert lifetimes_of(program).keys() - lifetimes_of(outside).keys() == {"x"}
    (ours,) = run_in_arena(outside, plan_memory(lifetimes_of(outside)), x)
    torch.testing.assert_close(ours, y)


def test_an_input_that_is_written_over_or_given_back_cannot_be_outside():
    graph = trace(nn.ReLU(), torch.zeros(4))
    with pytest.raises(BadValue, match=r"inputs must not be written over or given back, got \['x'"):
        with_inputs_outside(in_place(program_of(graph)))


def test_a_place_used_twice_gives_wrong_numbers_so_the_arena_is_really_used(monkeypatch):
    program, x, y = two_layers()
    lives = lifetimes_of(program)
    monkeypatch.setattr(arena, "check_plan", lambda plan: None)
    (ours,) = run_in_arena(program, Plan(lives, dict.fromkeys(lives, 0)), x)
    assert not torch.allclose(ours, y)


@pytest.mark.parametrize("name", ["x", "0", "1", "2"])
def test_a_live_tensor_on_another_is_refused_before_anything_runs(name):
    program, x, _ = two_layers()
    lives = lifetimes_of(program)
    offsets = dict(without_sharing(lives).offsets)
    offsets[name] = next(
        at for n, at in offsets.items() if n != name and lives[n].meets(lives[name])
    )
    with pytest.raises(
        BadValue, match="check_plan: plan must keep tensors apart that live at once"
    ):
        run_in_arena(program, Plan(lives, offsets), x)


def test_an_address_that_is_not_aligned_is_refused():
    program, x, _ = two_layers()
    lives = lifetimes_of(program)
    offsets = {name: at + 2 for name, at in without_sharing(lives).offsets.items()}
    message = "run_in_arena: offset of x must be a multiple of 4, the bytes of torch.float32, got 2"
    with pytest.raises(BadValue, match=message):
        run_in_arena(program, Plan(lives, offsets), x)


def test_a_plan_for_smaller_tensors_is_refused():
    program, x, _ = two_layers()
    lives = {
        name: Lifetime(4, life.first, life.last) for name, life in lifetimes_of(program).items()
    }
    with pytest.raises(BadValue, match="run_in_arena: plan must be made for this program, got"):
        run_in_arena(program, plan_memory(lives), x)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((), "run_in_arena: inputs must be 1, got 0"),
        ((torch.zeros(1, 5),), r"run_in_arena: x must be torch.float32 \(1, 4\), on cpu, got"),
        (
            (torch.zeros(1, 4, dtype=torch.float64),),
            r"run_in_arena: x must be torch.float32 \(1, 4",
        ),
        (
            (torch.zeros(1, 4, device="meta"),),
            r"run_in_arena: x must be torch.float32 \(1, 4\), on",
        ),
    ],
)
def test_inputs_of_another_shape_dtype_or_device_are_refused(x, message):
    program, _, _ = two_layers()
    with pytest.raises(BadValue, match=message):
        run_in_arena(program, plan_memory(lifetimes_of(program)), *x)
