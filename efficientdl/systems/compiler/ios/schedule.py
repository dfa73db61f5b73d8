"""A schedule: stages one after another, in each some groups at once, in each group operators.

Or a stage is several convolutions that are done as one. And the two schedules that need no search,
between which the search has to find its place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from efficientdl import _check
from efficientdl.systems.compiler.ios.dag import Dag, members

Group = tuple[str, ...]


@dataclass(frozen=True)
class Merged:
    """A stage whose operators, convolutions of the same input, are computed as one.

    Attributes:
        groups: The operators, each a group of its own.

    >>> print(Schedule(((("stem",),), Merged((("left",), ("right",))))))
    1: stem
    2: left + right
    """

    groups: tuple[Group, ...]

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)


Stage = tuple[Group, ...] | Merged
# Seconds, or any other cost, of a stage: its groups run at the same time, or as one.
StageCost = Callable[[Stage], float]


@dataclass(frozen=True)
class Schedule:
    """What runs when.

    Attributes:
        stages: In order. The groups of a stage run at once, the operators of a group in order.

    >>> print(Schedule(((("stem",),), (("left",), ("right", "norm")), (("join",),))))
    1: stem
    2: left | right, norm
    3: join
    """

    stages: tuple[Stage, ...]

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __str__(self) -> str:
        between = [" + " if isinstance(stage, Merged) else " | " for stage in self.stages]
        groups = [[", ".join(group) for group in stage] for stage in self.stages]
        texts = [by.join(texts) for by, texts in zip(between, groups, strict=True)]
        return "\n".join(f"{i}: {text}" for i, text in enumerate(texts, start=1))

    def cost(self, stage_cost: StageCost) -> float:
        """The stages' costs, added up: one starts when all groups of the one before have ended."""
        return sum(map(stage_cost, self.stages))


def stage_of(dag: Dag, ops: int) -> tuple[Group, ...]:
    """The stage that a set of operators makes: its groups by name."""
    return tuple(dag.named(group) for group in dag.groups(ops))


def check_schedule(dag: Dag, schedule: Schedule) -> None:
    """Demand that each operator runs once, and after all that it waits for.

    What an operator waits for stands in an earlier stage, or before it in its own group.

    Raises:
        BadValue: An operator is missing, runs twice, too early, or beside one that it waits for.

    >>> from efficientdl.systems.compiler.ios.dag import dag_of
    >>> check_schedule(dag_of({"a": [], "b": ["a"]}), Schedule(((("a",), ("b",)),)))
    Traceback (most recent call last):
    efficientdl._check.BadValue: check_schedule: schedule must run an operator after what it waits
    for, got 'b'
    """
    _check.kind("check_schedule", "schedule", schedule, Schedule)
    numbers = {name: i for i, name in enumerate(dag.names)}
    ran = [name for stage in schedule for group in stage for name in group]
    if sorted(ran) != sorted(dag.names):
        odd = sorted(set(ran) ^ set(dag.names)) or sorted({n for n in ran if ran.count(n) > 1})
        _check.fail("check_schedule", "schedule", "must run each operator once", odd)
    done = 0
    for stage in schedule:
        ended = done
        for group in stage:
            seen = done
            for name in group:
                if dag.before[numbers[name]] & ~seen:
                    rule = "must run an operator after what it waits for"
                    _check.fail("check_schedule", "schedule", rule, name)
                seen |= 1 << numbers[name]
            ended |= seen
        done = ended


def sequential(dag: Dag) -> Schedule:
    """One operator after another: what a framework does.

    >>> from efficientdl.systems.compiler.ios.dag import dag_of
    >>> print(sequential(dag_of({"stem": [], "left": ["stem"], "right": ["stem"]})))
    1: stem
    2: left
    3: right
    """
    return Schedule(tuple(((name,),) for name in dag.names))


def greedy(dag: Dag, *, max_groups: int = 8) -> Schedule:
    """In each stage everything that is ready: as soon as possible, whatever it costs.

    A heavy operator beside three light ones makes the threads of the three wait, and one that is
    ready early may be better company for a later stage.

    Args:
        dag: The operators.
        max_groups: Operators that may run at once; the earliest come first.

    >>> from efficientdl.systems.compiler.ios.dag import dag_of
    >>> print(greedy(dag_of({"stem": [], "left": ["stem"], "right": ["stem"]})))
    1: stem
    2: left | right

    Source: Ding, Zhu, Jia, Pekhimenko, Han, "IOS: Inter-Operator Scheduler for CNN Acceleration",
        2021, which compares itself with it; lab 13.
    """
    _check.kind("greedy", "dag", dag, Dag)
    _check.whole("greedy", "max_groups", max_groups, 1)
    done, stages = 0, []
    while done != dag.all:
        ready = [i for i in members(dag.all & ~done) if not dag.before[i] & ~done][:max_groups]
        stages.append(tuple((dag.names[i],) for i in ready))
        for i in ready:
            done |= 1 << i
    return Schedule(tuple(stages))
