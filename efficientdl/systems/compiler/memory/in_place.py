"""In place: a layer that writes over its own input needs no memory for its output.

An activation or a batch norm reads each value once, before it writes it, so it always can. A
depthwise convolution reads a neighbourhood, but of one channel alone: with one channel as scratch
memory it can, too, and 2 n channels become n + 1. Elsewhere the input is still needed by the time
the output is written.
"""

from dataclasses import replace

from efficientdl import _check
from efficientdl.systems.compiler.memory.lifetimes import lower_bound
from efficientdl.systems.compiler.memory.program import Program, lifetimes_of, storages
from efficientdl.systems.compiler.memory.steps import Step


def in_place(program: Program) -> Program:
    """Let each step write over its input where it can, and where that does not cost memory.

    It can when nothing reads the input afterwards. Where the output is smaller than the input it
    may cost memory, as the larger one is kept; then the step stays as it is.

    Args:
        program: Steps, of which those that say how may work in place.

    >>> import torch
    >>> from torch import nn
    >>> from efficientdl.systems.compiler.memory.program import program_of
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU())
    >>> program = program_of(trace(model, torch.zeros(1, 8, 16, 16)))
    >>> program.cost().activation_bytes, in_place(program).cost().activation_bytes
    (16384, 9216)

    Source: Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020,
        section 3.2; survey section 6.1; lab 13.
    """
    _check.kind("in_place", "program", program, Program)
    before = None
    while before is not program:  # what one step saves may make room for another
        before = program
        for i, step in enumerate(program.steps):
            if step.over is None and step.overwriting is not None:
                program = _with_step_in_place(program, i)
    return program


def _with_step_in_place(program: Program, i: int) -> Program:
    """The program with one more step in place, or the same one."""
    step, lives, root = program.steps[i], lifetimes_of(program), storages(program)
    assert step.overwriting is not None
    held = {root[name] for name in program.outputs} | program.outside
    for name in step.overwriting.inputs:
        if root[name] in held or lives[root[name]].last != i:
            continue
        steps = (*program.steps[:i], _over(step, name), *program.steps[i + 1 :])
        trial = replace(program, steps=steps)
        if lower_bound(lifetimes_of(trial)) <= lower_bound(lives):
            return trial
    return program


def _over(step: Step, name: str) -> Step:
    how = step.overwriting
    assert how is not None
    return replace(step, over=name, run=how.run, scratch=how.scratch)
