"""When each tensor lives, and what follows from that alone: the least memory that can do.

A tensor is a rectangle: as wide as the steps for which it lives, as high as it has bytes. Planning
memory is stacking rectangles that cannot move sideways. Nothing here knows of networks.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from efficientdl import _check


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What planning needs to know of a tensor.

    Attributes:
        n_bytes: Its size.
        first: The step that writes it.
        last: The last step that reads it; it lives in that step too.

    >>> Lifetime(64, 0, 2).meets(Lifetime(16, 2, 3))
    True
    >>> Lifetime(64, 0, 2).meets(Lifetime(16, 3, 3))
    False
    """

    n_bytes: int
    first: int
    last: int

    def __post_init__(self) -> None:
        _check.whole("Lifetime", "n_bytes", self.n_bytes, 0)
        _check.whole("Lifetime", "first", self.first, 0)
        if self.last < self.first:
            _check.fail("Lifetime", "last", f"must be first = {self.first} or later", self.last)

    def meets(self, other: "Lifetime") -> bool:
        """Whether both live in some step, so that they need places of their own."""
        return self.first <= other.last and other.first <= self.last


Lifetimes = Mapping[str, Lifetime]


def check_lifetimes(caller: str, lifetimes: Lifetimes) -> None:
    """Demand lifetimes by name."""
    _check.kind(caller, "lifetimes", lifetimes, Mapping)
    for name, lifetime in lifetimes.items():
        _check.kind(caller, f"lifetimes[{name!r}]", lifetime, Lifetime)


def live_bytes(lifetimes: Lifetimes) -> list[int]:
    """Bytes alive in each step.

    >>> live_bytes({"x": Lifetime(8, 0, 0), "h": Lifetime(16, 0, 1), "y": Lifetime(2, 1, 1)})
    [24, 18]
    """
    check_lifetimes("live_bytes", lifetimes)
    n_steps = 1 + max((life.last for life in lifetimes.values()), default=-1)
    change = [0] * (n_steps + 1)
    for life in lifetimes.values():
        change[life.first] += life.n_bytes
        change[life.last + 1] -= life.n_bytes
    alive, timeline = 0, []
    for step in range(n_steps):
        alive += change[step]
        timeline.append(alive)
    return timeline


def lower_bound(lifetimes: Lifetimes) -> int:
    """Bytes that every plan needs: `max over steps of the sum of what lives then`.

    With the order of the steps given, nobody can do with less. Whether it can be reached is the
    planner's question: rectangles may leave gaps that nothing fits into.

    >>> lower_bound({"x": Lifetime(8, 0, 0), "h": Lifetime(16, 0, 1), "y": Lifetime(2, 1, 1)})
    24
    """
    return max(live_bytes(lifetimes), default=0)
