"""A memory plan: the place of every tensor in one arena, and whether that place is safe."""

from collections.abc import Mapping
from dataclasses import dataclass

from efficientdl import _check
from efficientdl.systems.compiler.memory.lifetimes import (
    Lifetimes,
    check_lifetimes,
    lower_bound,
)


@dataclass(frozen=True)
class Plan:
    """Where each tensor lies while it lives.

    Attributes:
        lifetimes: What was planned.
        offsets: The first byte of each tensor, counted from the start of the arena.

    >>> from efficientdl.systems.compiler.memory.lifetimes import Lifetime
    >>> plan = Plan({"x": Lifetime(8, 0, 1), "y": Lifetime(4, 1, 1)}, {"x": 0, "y": 8})
    >>> plan.peak_bytes, plan.overhead
    (12, 0.0)
    """

    lifetimes: Lifetimes
    offsets: Mapping[str, int]

    @property
    def peak_bytes(self) -> int:
        """Size of the arena: the highest end of a tensor."""
        return max(
            (at + self.lifetimes[name].n_bytes for name, at in self.offsets.items()), default=0
        )

    @property
    def overhead(self) -> float:
        """How far above the lower bound it is: 0.05 is five per cent."""
        least = lower_bound(self.lifetimes)
        return self.peak_bytes / least - 1 if least else 0.0


def check_plan(plan: Plan) -> None:
    """Demand that every tensor has a place, and that no two live tensors share a byte.

    Raises:
        BadValue: One has no place, lies before the arena, or overlaps another that lives.

    >>> from efficientdl.systems.compiler.memory.lifetimes import Lifetime
    >>> check_plan(Plan({"x": Lifetime(8, 0, 1), "y": Lifetime(4, 1, 1)}, {"x": 0, "y": 6}))
    Traceback (most recent call last):
    efficientdl._check.BadValue: check_plan: plan must keep tensors apart that live at once, got
    'x at 0..8, y at 6..10'
    """
    _check.kind("check_plan", "plan", plan, Plan)
    check_lifetimes("check_plan", plan.lifetimes)
    if plan.offsets.keys() != plan.lifetimes.keys():
        odd = sorted(plan.offsets.keys() ^ plan.lifetimes.keys())
        _check.fail("check_plan", "plan", "must place exactly the tensors that live", odd)
    for name, at in plan.offsets.items():
        _check.whole("check_plan", f"offset of {name}", at, 0)
    pair = overlapping(plan)
    if pair is not None:
        spans = ", ".join(f"{n} at {plan.offsets[n]}..{_end(plan, n)}" for n in pair)
        _check.fail("check_plan", "plan", "must keep tensors apart that live at once", spans)


def overlapping(plan: Plan) -> tuple[str, str] | None:
    """Two tensors that live at once and share a byte, if there are any."""
    names = sorted(plan.offsets, key=lambda n: plan.offsets[n])
    for i, low in enumerate(names):
        for high in names[i + 1 :]:
            if plan.offsets[high] >= _end(plan, low):
                break  # and so do all that lie still higher
            empty = plan.lifetimes[low].n_bytes == 0 or plan.lifetimes[high].n_bytes == 0
            if not empty and plan.lifetimes[low].meets(plan.lifetimes[high]):
                return low, high
    return None


def _end(plan: Plan, name: str) -> int:
    return plan.offsets[name] + plan.lifetimes[name].n_bytes


def without_sharing(lifetimes: Lifetimes) -> Plan:
    """The naive plan: every tensor has memory of its own for the whole run.

    >>> from efficientdl.systems.compiler.memory.lifetimes import Lifetime
    >>> without_sharing({"x": Lifetime(8, 0, 0), "y": Lifetime(4, 1, 1)}).peak_bytes
    12
    """
    check_lifetimes("without_sharing", lifetimes)
    offsets, at = {}, 0
    for name, life in lifetimes.items():
        offsets[name] = at
        at += life.n_bytes
    return Plan(dict(lifetimes), offsets)
