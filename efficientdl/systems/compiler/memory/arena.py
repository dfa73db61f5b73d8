"""Run a program in one flat buffer, every activation at its planned place."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from efficientdl import _check
from efficientdl.systems.compiler.graph import Array, Value, check_inputs
from efficientdl.systems.compiler.memory.plan import Plan, check_plan
from efficientdl.systems.compiler.memory.program import (
    Program,
    lifetimes_of,
    scratch_name,
    storages,
)
from efficientdl.systems.compiler.memory.steps import Step

_POISON = 255  # four such bytes are a float that is not a number: what nobody wrote shows


def run_in_arena(program: Program, plan: Plan, *x: Array) -> list[Array]:
    """Run a program in an arena, and give copies of its outputs.

    The arena has exactly the plan's bytes, and no activation is kept anywhere else: a step reads
    its inputs from there and its results are put there. So a wrong plan gives wrong numbers, and
    is refused before anything runs. What torch's own kernel needs beside its operands while it
    runs is not in the arena.

    Args:
        program: Layer by layer, in place or patch by patch.
        plan: A place for each of `lifetimes_of(program)`.
        x: The inputs.

    Raises:
        BadValue: The plan is not for this program, two tensors overlap, one is not aligned, or an
            input has another shape or dtype.

    >>> from torch import nn
    >>> from efficientdl.systems.compiler.memory.planner import plan_memory
    >>> from efficientdl.systems.compiler.memory.program import program_of
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model, image = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), torch.ones(1, 4)
    >>> program = program_of(trace(model, image))
    >>> y, = run_in_arena(program, plan_memory(lifetimes_of(program)), image)
    >>> torch.equal(y, model(image))
    True

    Source: Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020;
        survey section 6.1; lab 13.
    """
    _check.kind("run_in_arena", "program", program, Program)
    _check.kind("run_in_arena", "plan", plan, Plan)
    wanted = [program.values[name] for name in program.inputs]
    check_inputs("run_in_arena", wanted, x, device="cpu")
    _check_places(program, plan)
    arena = torch.full((plan.peak_bytes,), _POISON, dtype=torch.uint8)
    places = _places(program, plan, arena)
    places |= dict(zip(program.inputs, x, strict=True)) if program.outside else {}
    with torch.no_grad():
        for name, tensor in zip(program.inputs, x, strict=True):
            if name not in program.outside:
                places[name].copy_(tensor)
        for step in program.steps:
            scratch = _scratch(step, plan, arena)
            _poison(step, places)
            step.run([places[n] for n in step.reads], [places[n] for n in step.writes], scratch)
        return [places[name].clone() for name in program.outputs]


def _check_places(program: Program, plan: Plan) -> None:
    if dict(plan.lifetimes) != lifetimes_of(program):
        odd = sorted(plan.lifetimes.keys() ^ lifetimes_of(program).keys()) or "other lifetimes"
        _check.fail("run_in_arena", "plan", "must be made for this program", odd)
    check_plan(plan)
    scratches = {scratch_name(step): step.scratch for step in program.steps if step.scratch}
    for name, at in plan.offsets.items():
        value = scratches.get(name) or program.values[name]
        rule = f"must be a multiple of {value.dtype.itemsize}, the bytes of {value.dtype}"
        if at % value.dtype.itemsize:
            _check.fail("run_in_arena", f"offset of {name}", rule, at)


def _places(program: Program, plan: Plan, arena: UInt8[Tensor, " bytes"]) -> dict[str, Array]:
    root = storages(program)
    return {
        name: _view(arena, plan.offsets[root[name]], value)
        for name, value in program.values.items()
        if root[name] in plan.offsets
    }


def _scratch(step: Step, plan: Plan, arena: UInt8[Tensor, " bytes"]) -> Array | None:
    if step.scratch is None:
        return None
    return _view(arena, plan.offsets[scratch_name(step)], step.scratch)


def _poison(step: Step, places: dict[str, Array]) -> None:
    """Spoil what is to be written, and so any input there: real kernels write before they end."""
    fresh = step.writes if step.over is None else step.writes[1:]
    for name in fresh:
        places[name].view(-1).view(torch.uint8).fill_(_POISON)


def _view(arena: UInt8[Tensor, " bytes"], at: int, value: Value) -> Array:
    return arena[at : at + value.n_bytes].view(value.dtype).view(value.shape)
