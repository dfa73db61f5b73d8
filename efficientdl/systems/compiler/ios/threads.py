"""Run a schedule: stage after stage, the groups of a stage in threads.

Torch lets go of Python's lock while it computes, so threads of one process do run at once. Each
operator keeps to one core; the parallelism is between operators.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch

from efficientdl import _check
from efficientdl.costs.latency import latency
from efficientdl.systems.compiler.graph import Array, Node, check_inputs
from efficientdl.systems.compiler.ios.merge import apply_merges, merged_nodes
from efficientdl.systems.compiler.ios.operators import Operators
from efficientdl.systems.compiler.ios.schedule import (
    Group,
    Merged,
    Schedule,
    Stage,
    StageCost,
    check_schedule,
)


@contextmanager
def workers(n_workers: int) -> Iterator[Executor]:
    """Threads that run groups, each of them on one core; torch has its threads back afterwards.

    Args:
        n_workers: Groups that may run at once.
    """
    _check.whole("workers", "n_workers", n_workers, 1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # OpenMP counts its threads for each thread that calls it.
        with ThreadPoolExecutor(
            n_workers, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def run_schedule(
    operators: Operators, schedule: Schedule, *x: Array, executor: Executor
) -> list[Array]:
    """Run a network as scheduled.

    A schedule that merges operators is run, too; `apply_merges` beforehand spares each run the
    making of the merged weights.

    Args:
        operators: The network.
        schedule: For its operators.
        x: The inputs.
        executor: Runs the groups of a stage: `workers(2)`.

    Raises:
        BadValue: The schedule leaves out an operator or runs one too early, or an input has
            another shape or dtype than the graph's.

    >>> from torch import nn
    >>> from efficientdl.systems.compiler.ios.operators import operators_of
    >>> from efficientdl.systems.compiler.ios.schedule import sequential
    >>> from efficientdl.systems.compiler.trace import trace
    >>> model, row = nn.Sequential(nn.Linear(4, 2), nn.ReLU()), torch.ones(1, 4)
    >>> operators = operators_of(trace(model, row))
    >>> with workers(2) as pool:
    ...     y, = run_schedule(operators, sequential(operators.dag), row, executor=pool)
    >>> torch.equal(y, model(row))
    True

    Source: Ding, Zhu, Jia, Pekhimenko, Han, "IOS: Inter-Operator Scheduler for CNN Acceleration",
        2021; survey section 6.1; lab 13.
    """
    check_schedule(operators.dag, schedule)
    if any(isinstance(stage, Merged) for stage in schedule):
        operators, schedule = apply_merges(operators, schedule)
    held = _inputs(operators, x)
    for stage in schedule:
        held |= _run_stage(operators, stage, held, executor)
    return [held[name] for name in operators.graph.outputs]


def _inputs(operators: Operators, x: tuple[Array, ...]) -> dict[str, Array]:
    inputs = operators.graph.inputs
    check_inputs("run_schedule", inputs, x)
    given = zip(inputs, x, strict=True)
    return {value.name: tensor for value, tensor in given} | dict(operators.graph.constants)


def _run_stage(
    operators: Operators, stage: Stage, held: Mapping[str, Array], executor: Executor
) -> dict[str, Array]:
    """What the groups make; the calling thread takes the first group itself."""
    first, *others = stage
    running = [executor.submit(_run_group, operators, group, held) for group in others]
    made = _run_group(operators, first, held)
    for future in running:
        made |= future.result()
    return made


def _run_group(operators: Operators, group: Group, held: Mapping[str, Array]) -> dict[str, Array]:
    return _run_nodes([node for name in group for node in operators.nodes[name]], held)


def _run_nodes(nodes: Iterable[Node], held: Mapping[str, Array]) -> dict[str, Array]:
    made: dict[str, Array] = {}
    with torch.no_grad():  # this holds for one thread only
        for node in nodes:
            taken = [made[n] if n in made else held[n] for n in node.inputs]
            given = node.rule.run(taken, node.attributes)
            made |= {value.name: t for value, t in zip(node.outputs, given, strict=True)}
    return made


def measured_cost(
    operators: Operators, *x: Array, executor: Executor, repeats: int = 5
) -> StageCost:
    """Measure what a stage costs on this machine, in seconds: run as a schedule would run it.

    The same stage is measured once, so that schedules are compared by the same figures.

    Args:
        operators: The network.
        x: The inputs.
        executor: Runs the groups of a stage: `workers(2)`.
        repeats: Samples of each stage, of which the median counts.
    """
    _check.whole("measured_cost", "repeats", repeats, 1)
    held = _inputs(operators, x)
    held |= _run_group(operators, operators.dag.names, held)

    @cache
    def cost(stage: Stage) -> float:
        call = _merged_call(stage) if isinstance(stage, Merged) else _at_once(stage)
        return latency(call, warmup=1, repeats=repeats, threads=1).median_s

    def _at_once(stage: Stage) -> Callable[[], object]:
        return lambda: _run_stage(operators, stage, held, executor)

    def _merged_call(stage: Merged) -> Callable[[], object]:
        nodes, new = merged_nodes(operators, tuple(name for group in stage for name in group))
        both = held | new
        return lambda: _run_nodes(nodes, both)

    return cost


def modelled_cost(
    seconds: Mapping[str, float], *, n_workers: int, start_s: float = 0.0
) -> StageCost:
    """What a stage costs on a simple machine: equal workers, and a price for starting a stage.

    Each group, the longest first, goes to the worker who is free first; the stage ends with the
    last of them. No schedule can beat the longest chain of operators, nor all work divided by
    the workers. Operators that are merged take as long as one after another.

    Args:
        seconds: What each operator takes alone.
        n_workers: Groups that run at once; the others wait.
        start_s: What every stage costs beside its work.

    >>> cost = modelled_cost({"a": 3.0, "b": 2.0, "c": 2.0}, n_workers=2, start_s=0.5)
    >>> cost((("a",), ("b",), ("c",)))
    4.5
    """
    _check.whole("modelled_cost", "n_workers", n_workers, 1)
    _check.at_least("modelled_cost", "start_s", start_s, 0)

    def cost(stage: Stage) -> float:
        if isinstance(stage, Merged):
            return start_s + sum(seconds[op] for group in stage for op in group)
        ends = [0.0] * n_workers
        for work in sorted((sum(seconds[op] for op in group) for group in stage), reverse=True):
            ends[ends.index(min(ends))] += work
        return start_s + max(ends)

    return cost
