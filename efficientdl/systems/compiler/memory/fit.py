"""Greedy planners: take the tensors one by one, and give each a gap.

Two decisions make a planner: in which order the tensors come, and which of the gaps that are wide
enough is taken.
"""

from collections.abc import Callable, Sequence
from math import inf

from efficientdl.systems.compiler.memory.lifetimes import Lifetime, Lifetimes, check_lifetimes
from efficientdl.systems.compiler.memory.plan import Plan

Order = Callable[[Lifetime], tuple[int, ...]]
Gap = tuple[int, float]  # where it begins, how many bytes it has; the last one has no end
Choice = Callable[[list[Gap]], Gap]


def by_size(life: Lifetime) -> tuple[int, ...]:
    """The largest first: what is small finds a gap later."""
    return (-life.n_bytes, life.first)


def by_birth(life: Lifetime) -> tuple[int, ...]:
    """In the order in which they are written: all that an allocator at run time can do."""
    return (life.first, -life.n_bytes)


def by_area(life: Lifetime) -> tuple[int, ...]:
    """The largest rectangle first, bytes times steps: what is large for long is hard to place."""
    return (-life.n_bytes * (life.last - life.first + 1), life.first)


def lowest(wide: list[Gap]) -> Gap:
    """First fit: of the gaps that are wide enough, the lowest."""
    return wide[0]


def tightest(wide: list[Gap]) -> Gap:
    """Best fit: of the gaps that are wide enough, the one that is left smallest."""
    return min(wide, key=lambda gap: gap[1])


def first_fit(lifetimes: Lifetimes, *, order: Order = by_size) -> Plan:
    """Give each tensor the lowest gap that is wide enough.

    A gap is what the tensors leave free that have a place already and live at the same time.

    Args:
        lifetimes: The tensors by name.
        order: The tensor whose key is the smallest comes first; `by_size` or `by_birth`.

    >>> tensors = {"x": Lifetime(4, 0, 1), "h": Lifetime(8, 1, 2), "y": Lifetime(4, 2, 3)}
    >>> dict(first_fit(tensors).offsets)
    {'h': 0, 'x': 8, 'y': 8}

    Source: Lin, Chen, Lin, Cohn, Gan, Han, "MCUNet: Tiny Deep Learning on IoT Devices", 2020, whose
        TinyEngine places its buffers so; survey section 6.1; lab 13.
    """
    check_lifetimes("first_fit", lifetimes)
    return _place(lifetimes, order, lowest)


def best_fit(lifetimes: Lifetimes, *, order: Order = by_size) -> Plan:
    """Give each tensor the tightest gap that is wide enough, the lowest of equals.

    With the largest first, it is the "greedy by size" of mobile runtimes.

    Args:
        lifetimes: The tensors by name.
        order: The tensor whose key is the smallest comes first; `by_size` or `by_birth`.

    >>> tensors = {"x": Lifetime(4, 0, 1), "h": Lifetime(8, 1, 2), "y": Lifetime(4, 2, 3)}
    >>> best_fit(tensors).peak_bytes
    12

    Source: Pisarchyk, Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020;
        survey section 6.1; lab 13.
    """
    check_lifetimes("best_fit", lifetimes)
    return _place(lifetimes, order, tightest)


def _place(lifetimes: Lifetimes, order: Order, choose: Choice) -> Plan:
    return place(lifetimes, sorted(lifetimes, key=lambda n: order(lifetimes[n])), choose=choose)


def place(lifetimes: Lifetimes, names: Sequence[str], *, choose: Choice) -> Plan:
    """Give each tensor, in the order of `names`, the gap that is chosen among those wide enough."""
    offsets: dict[str, int] = {}
    for name in names:
        life = lifetimes[name]
        taken = [
            (at, at + lifetimes[other].n_bytes)
            for other, at in offsets.items()
            if lifetimes[other].meets(life)
        ]
        offsets[name] = choose([gap for gap in gaps(taken) if gap[1] >= life.n_bytes])[0]
    return Plan(dict(lifetimes), offsets)


def gaps(taken: Sequence[tuple[int, int]]) -> list[Gap]:
    """What is free between the spans taken, from below; above the last there is no end.

    >>> gaps([(0, 4), (2, 6), (10, 12)])
    [(6, 4), (12, inf)]
    """
    found: list[Gap] = []
    top = 0
    for low, high in sorted(taken):
        if low > top:
            found.append((top, low - top))
        top = max(top, high)
    return [*found, (top, inf)]
