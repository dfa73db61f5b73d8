"""A network as steps that read and write memory, which is what a plan is made for.

The graph says what is computed, and its values never change. Here they have places: a step may
write over what it read, or use scratch memory, and several values may be one piece of memory, a
storage. Layer by layer, in place and patch by patch are three programs for one graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from efficientdl import _check
from efficientdl.report import Cost
from efficientdl.systems.compiler.graph import Graph, Value, check
from efficientdl.systems.compiler.memory.lifetimes import Lifetime, lower_bound
from efficientdl.systems.compiler.memory.steps import Step, stay, step_of


@dataclass(frozen=True)
class Program:
    """Steps in order, and the values that they pass on.

    Attributes:
        values: Every activation by name.
        inputs: What it takes.
        steps: What it does.
        outputs: What it gives.
        outside: Inputs that are read where the caller has them, and need no place in the arena.
    """

    values: Mapping[str, Value]
    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    outside: frozenset[str] = frozenset()

    def cost(self) -> Cost:
        """MACs, and the bytes of the fullest step."""
        macs = sum(step.macs for step in self.steps)
        return Cost(macs=macs, activation_bytes=lower_bound(lifetimes_of(self)))


def program_of(graph: Graph) -> Program:
    """The plain program of a graph: layer by layer, every result in memory of its own.

    A reshape is the exception: it shares its input's memory, since nothing moves.

    >>> import torch
    >>> from torch import nn
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    >>> program = program_of(trace(model, torch.zeros(1, 8)))
    >>> [(step.name, step.reads, step.writes) for step in program.steps]
    [('0', ('x',), ('0',)), ('1', ('0',), ('1',)), ('2', ('1',), ('2',))]
    >>> program.cost()
    Cost(macs=160, activation_bytes=128)
    """
    check(graph)
    values = {name: v for name, v in graph.values().items() if name not in graph.constants}
    for name in graph.outputs:
        if name not in values:
            _check.fail("program_of", "output", "must not be a constant", name)
    every = graph.values()
    steps = tuple(step_of(graph, node, every) for node in graph.nodes)
    return Program(values, tuple(v.name for v in graph.inputs), steps, graph.outputs)


def storages(program: Program) -> dict[str, str]:
    """For each value, the value whose memory it lies in: the first of those that share it."""
    root = {name: name for name in program.values}
    for step in program.steps:
        if step.over is not None:
            root[step.writes[0]] = root[step.over]
    return root


def scratch_name(step: Step) -> str:
    """The name under which a plan knows the scratch memory of a step."""
    return f"{step.name} (scratch)"


def lifetimes_of(program: Program) -> dict[str, Lifetime]:
    """The lifetime of each storage, under the name of the first value that lies in it.

    An input lives from the first step, an output to the last. Sizes are rounded up so that what
    lies on top is aligned.

    >>> import torch
    >>> from torch import nn
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Flatten())
    >>> for name, life in lifetimes_of(program_of(trace(model, torch.zeros(1, 8)))).items():
    ...     print(name, life)
    x Lifetime(n_bytes=32, first=0, last=0)
    0 Lifetime(n_bytes=64, first=0, last=1)
    1 Lifetime(n_bytes=64, first=1, last=2)
    """
    _check.kind("lifetimes_of", "program", program, Program)
    root, align = storages(program), _alignment(program)
    size: dict[str, int] = {}
    for name, value in program.values.items():
        size[root[name]] = max(size.get(root[name], 0), -(-value.n_bytes // align) * align)
    first, last = dict.fromkeys(program.inputs, 0), dict.fromkeys(program.inputs, 0)
    end = max(len(program.steps) - 1, 0)
    for i, step in enumerate(program.steps):
        for name in (*step.reads, *step.writes):
            first.setdefault(root[name], i)
            last[root[name]] = i
    last |= {root[name]: end for name in program.outputs}
    found = {
        name: Lifetime(size[name], first[name], last[name])
        for name in first
        if name not in program.outside
    }
    for i, step in enumerate(program.steps):
        if step.scratch is not None:
            n_bytes = -(-step.scratch.n_bytes // align) * align
            found[scratch_name(step)] = Lifetime(n_bytes, i, i)
    return found


def _alignment(program: Program) -> int:
    return max((value.dtype.itemsize for value in program.values.values()), default=1)


def with_inputs_outside(program: Program) -> Program:
    """The same program when the caller's memory holds the inputs: a camera's buffer, say."""
    _check.kind("with_inputs_outside", "program", program, Program)
    root = storages(program)
    written = {root[s.over] for s in program.steps if s.over is not None and s.run is not stay}
    inside = (written | {root[name] for name in program.outputs}) & set(program.inputs)
    if inside:
        rule = "must not be written over or given back"
        _check.fail("with_inputs_outside", "inputs", rule, sorted(inside))
    return replace(program, outside=frozenset(program.inputs))
