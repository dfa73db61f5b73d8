"""The schedule of least cost, by dynamic programming over the ends that a graph may have.

What a network computes last can be any set S' of operators that nothing outside S' waits for: an
ending. Whatever the last stage is, all before it must be scheduled best, and that is the same
question about fewer operators. Few sets S are ever asked about: those closed under what they wait
for, about (n / d + 1)^d of them for n operators of which at most d could run at once.
"""

from collections.abc import Callable, Iterator
from sys import float_info
from typing import NamedTuple

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.systems.compiler.ios.dag import Dag, members
from efficientdl.systems.compiler.ios.schedule import (
    Group,
    Merged,
    Schedule,
    Stage,
    StageCost,
    stage_of,
)

MayMerge = Callable[[Group], bool]


class Scheduled(NamedTuple):
    """What the search found.

    Attributes:
        schedule: The best schedule.
        cost: Its cost.
        n_states: Sets of operators for which the question was asked.
        n_stages: Different sets of operators whose cost as a stage was asked for.
        n_transitions: Pairs of a set and an ending of it that were tried.
    """

    schedule: Schedule
    cost: float
    n_states: int
    n_stages: int
    n_transitions: int


@technique(
    "sys-ios",
    paper="Ding, Zhu, Jia, Pekhimenko and Han, IOS: Inter-Operator Scheduler for CNN "
    "Acceleration, 2021",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Measure(),
)
def schedule_stages(
    dag: Dag,
    stage_cost: StageCost,
    *,
    max_group: int = 3,
    max_groups: int = 8,
    may_merge: MayMerge | None = None,
) -> Scheduled:
    """Find the schedule of least cost: which operators share a stage, and in which order.

    A stage is a set of operators. Those that an edge connects are a group and run one by one; the
    groups run at once. With `cost[{}] = 0`, over all endings S' of S,

        cost[S] = min (cost[S - S'] + stage_cost(S')).

    A stage whose operators may be merged is priced in both ways, at once and as one, and the
    cheaper counts. With groups of one operator and one group in a stage, this is `sequential`.

    Args:
        dag: The operators, and what each waits for.
        stage_cost: What a stage costs: measured, or modelled. Asked once for each stage.
        max_group: Most operators in a group; the paper's r.
        max_groups: Most groups in a stage; the paper's s.
        may_merge: Whether some operators can be computed as one, `mergeable(operators)`; without
            it, nothing is merged.

    >>> from efficientdl.systems.compiler.ios.dag import dag_of
    >>> fork = dag_of({"stem": [], "left": ["stem"], "right": ["stem"], "join": ["left", "right"]})
    >>> longest = lambda stage: 1 + max(len(group) for group in stage)  # 1 to start any stage
    >>> found = schedule_stages(fork, longest)
    >>> print(found.schedule, found.cost, sep="\\n")
    1: stem
    2: left | right
    3: join
    6.0

    Source: Ding, Zhu, Jia, Pekhimenko, Han, "IOS: Inter-Operator Scheduler for CNN Acceleration",
        2021; survey section 6.1; lab 13.
    """
    _check.kind("schedule_stages", "dag", dag, Dag)
    _check.whole("schedule_stages", "max_group", max_group, 1)
    _check.whole("schedule_stages", "max_groups", max_groups, 1)
    search = _Search(dag, stage_cost, max_group, max_groups, may_merge or _never)
    cost = search.solve()
    return Scheduled(
        search.schedule(), cost, len(search.cost), len(search.priced), search.n_transitions
    )


def _never(_: Group) -> bool:
    return False


class _Search:
    def __init__(
        self,
        dag: Dag,
        stage_cost: StageCost,
        max_group: int,
        max_groups: int,
        may_merge: MayMerge,
    ) -> None:
        self.dag, self.stage_cost, self.may_merge = dag, stage_cost, may_merge
        self.max_group, self.max_groups = max_group, max_groups
        self.cost: dict[int, float] = {0: 0.0}
        self.last: dict[int, int] = {}
        self.priced: dict[int, tuple[float, Stage]] = {}
        self.n_transitions = 0

    def solve(self) -> float:
        """Fill the table from the smallest sets up; a set is larger than all that it asks for."""
        for ops in sorted(self.states(), key=int.bit_count):
            if ops:
                self.cost[ops] = self.best(ops)
        return self.cost[self.dag.all]

    def states(self) -> set[int]:
        """The sets that the question about all operators leads to."""
        found, front = {self.dag.all}, [self.dag.all]
        while front:
            ops = front.pop()
            for ending in self.endings(ops):
                if ops & ~ending not in found:
                    found.add(ops & ~ending)
                    front.append(ops & ~ending)
        return found

    def best(self, ops: int) -> float:
        least = float("inf")
        for ending in self.endings(ops):
            self.n_transitions += 1
            cost = self.cost[ops & ~ending] + self.price(ending)  # the recurrence
            if cost < least:
                least, self.last[ops] = cost, ending
        return least

    def price(self, ending: int) -> float:
        """The cost of a stage, run in the cheaper of the ways that it can be run."""
        if ending not in self.priced:
            priced = [(self.cost_of(stage), stage) for stage in self.ways(ending)]
            self.priced[ending] = min(priced, key=lambda pair: pair[0])
        return self.priced[ending][0]

    def cost_of(self, stage: Stage) -> float:
        cost = self.stage_cost(stage)
        _check.in_range("schedule_stages", "stage_cost", cost, 0, float_info.max)
        return cost

    def ways(self, ending: int) -> Iterator[Stage]:
        """A set of operators as a stage: at once, and as one where that can be."""
        groups = stage_of(self.dag, ending)
        yield groups
        if len(groups) == ending.bit_count() > 1 and self.may_merge(self.dag.named(ending)):
            yield Merged(groups)

    def endings(self, ops: int) -> Iterator[int]:
        """The endings of a set, each once, that keep to the limits."""
        seen, front = set(), [0]
        while front:
            ending = front.pop()
            for i in members(ops & ~ending):
                larger = ending | 1 << i
                if larger not in seen and not self.dag.after[i] & ops & ~ending:
                    seen.add(larger)
                    if self.allowed(larger):
                        yield larger
                    if self.may_grow(larger):
                        front.append(larger)

    def allowed(self, ending: int) -> bool:
        groups = self.dag.groups(ending)
        return len(groups) <= self.max_groups and self.may_grow(ending)

    def may_grow(self, ending: int) -> bool:
        """Groups only grow and join: one too large stays so, and few enough may join to one."""
        groups = self.dag.groups(ending)
        join = max(1, self.max_group - 1)  # most groups that one operator before them makes one
        few = len(groups) <= self.max_groups * join
        return few and max(map(int.bit_count, groups)) <= self.max_group

    def schedule(self) -> Schedule:
        """Walk back from all operators, stage by stage."""
        ops, stages = self.dag.all, []
        while ops:
            stages.append(self.priced[self.last[ops]][1])
            ops &= ~self.last[ops]
        return Schedule(tuple(reversed(stages)))
