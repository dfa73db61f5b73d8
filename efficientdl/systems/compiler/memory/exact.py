"""The best plan there is, by branch and bound: for small graphs, and where greedy left a gap.

Which places need trying? In some best plan every tensor rests on the floor or on another: push
each one down until it does, and the peak does not grow. So placing the tensors from the lowest to
the highest, each on what it rests on, meets a best plan. The number of orders is what costs: a
branch is cut as soon as what must still come on top makes it no better than the best plan so far.
"""

from dataclasses import dataclass
from typing import NamedTuple

from efficientdl import _check
from efficientdl.systems.compiler.memory.fit import best_fit, first_fit
from efficientdl.systems.compiler.memory.lifetimes import (
    Lifetime,
    Lifetimes,
    check_lifetimes,
    live_bytes,
    lower_bound,
)
from efficientdl.systems.compiler.memory.plan import Plan


class Exact(NamedTuple):
    """What the search found.

    Attributes:
        plan: The best plan met.
        proven: Whether no plan is better: all branches were tried or cut.
        n_nodes: Partial plans looked at.
    """

    plan: Plan
    proven: bool
    n_nodes: int


def exact_plan(
    lifetimes: Lifetimes, *, start: Plan | None = None, max_nodes: int = 100_000
) -> Exact:
    """Search for the plan with the smallest peak.

    Args:
        lifetimes: The tensors by name.
        start: A plan to improve on; the better greedy one where there is none.
        max_nodes: Partial plans to look at, after which the best so far is given.

    >>> tensors = {"a": Lifetime(2, 0, 1), "b": Lifetime(3, 1, 2), "c": Lifetime(2, 2, 3)}
    >>> exact_plan(tensors).plan.peak_bytes, exact_plan(tensors).proven
    (5, True)

    Source: survey section 6.1; lab 13.
    """
    check_lifetimes("exact_plan", lifetimes)
    _check.whole("exact_plan", "max_nodes", max_nodes, 0)
    if start is None:
        start = min(best_fit(lifetimes), first_fit(lifetimes), key=lambda plan: plan.peak_bytes)
    search = _Search(dict(lifetimes), start, max_nodes)
    search.run()
    return Exact(search.best, search.proven, search.n_nodes)


@dataclass
class _Frame:
    """A partial plan: how high each step is filled, and what is still to come in it."""

    offsets: dict[str, int]
    heights: list[int]
    remaining: list[int]
    floor: tuple[int, str]

    def bound(self) -> int:
        """No plan of this branch is lower: what is still to come stands on what is there."""
        return max(map(sum, zip(self.heights, self.remaining, strict=True)), default=0)


class _Search:
    def __init__(self, lifetimes: dict[str, Lifetime], start: Plan, max_nodes: int) -> None:
        self.lifetimes, self.max_nodes = lifetimes, max_nodes
        self.least = lower_bound(lifetimes)
        self.best, self.best_peak = start, start.peak_bytes
        self.n_nodes, self.proven = 0, True

    def run(self) -> None:
        timeline = live_bytes(self.lifetimes)
        stack = [_Frame({}, [0] * len(timeline), timeline, (-1, ""))]
        while stack and self.best_peak > self.least:
            frame = stack.pop()
            if frame.bound() >= self.best_peak:
                continue
            if self.n_nodes == self.max_nodes:
                self.proven = False
                return
            self.n_nodes += 1
            if len(frame.offsets) == len(self.lifetimes):
                self.best = Plan(self.lifetimes, frame.offsets)
                self.best_peak = self.best.peak_bytes
            stack += [self.placed(frame, at, name) for at, name in self.candidates(frame)]

    def candidates(self, frame: _Frame) -> list[tuple[int, str]]:
        """The tensors that may come next, the best guess last: the lowest place, the largest."""
        found = []
        for name, life in self.lifetimes.items():
            if name not in frame.offsets:
                place = (max(frame.heights[life.first : life.last + 1]), name)
                if place > frame.floor:  # from the lowest to the highest, each order once
                    found.append(place)
        return sorted(found, key=lambda place: (-place[0], self.lifetimes[place[1]].n_bytes))

    def placed(self, frame: _Frame, at: int, name: str) -> _Frame:
        life = self.lifetimes[name]
        heights, remaining = frame.heights.copy(), frame.remaining.copy()
        for step in range(life.first, life.last + 1):
            heights[step] = at + life.n_bytes
            remaining[step] -= life.n_bytes
        return _Frame({**frame.offsets, name: at}, heights, remaining, (at, name))
