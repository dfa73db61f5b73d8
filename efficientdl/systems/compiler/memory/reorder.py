"""Mend a greedy plan by its order: what came to lie too high may choose earlier next time."""

from efficientdl import _check
from efficientdl.systems.compiler.memory.fit import by_birth, by_size, first_fit, lowest, place
from efficientdl.systems.compiler.memory.lifetimes import Lifetimes, check_lifetimes, lower_bound
from efficientdl.systems.compiler.memory.plan import Plan


def reordered(lifetimes: Lifetimes, *, start: Plan | None = None, rounds: int = 50) -> Plan:
    """Place first fit, move to the front what ends above the lower bound, and begin again.

    No order is good for every graph, but every graph has a good one: place the tensors in the
    order of their offsets in a best plan, and first fit puts none of them higher than there. The
    tensors that end above the bound tell which order to try next.

    Args:
        lifetimes: The tensors by name.
        start: A plan to improve on; the first greedy one where there is none.
        rounds: Plans to make from each of two orders.

    >>> from efficientdl.systems.compiler.memory.lifetimes import Lifetime
    >>> chain = {"left": Lifetime(11, 1, 2), "wide": Lifetime(11, 2, 4), "next": Lifetime(10, 4, 6)}
    >>> tensors = {"pool": Lifetime(3, 1, 5), "join": Lifetime(11, 6, 7), **chain}
    >>> first_fit(tensors).peak_bytes, reordered(tensors).peak_bytes, lower_bound(tensors)
    (35, 25, 25)

    Source: Joslin, Clements, "Squeaky Wheel Optimization", 1999; survey section 6.1; lab 13.
    """
    check_lifetimes("reordered", lifetimes)
    _check.whole("reordered", "rounds", rounds, 0)
    least, best = lower_bound(lifetimes), first_fit(lifetimes) if start is None else start
    for order in (by_size, by_birth):
        names = sorted(lifetimes, key=lambda name: order(lifetimes[name]))
        for _ in range(rounds):
            plan = place(lifetimes, names, choose=lowest)
            best = min(best, plan, key=lambda plan: plan.peak_bytes)
            high = [n for n in names if plan.offsets[n] + lifetimes[n].n_bytes > least]
            if not high:
                return plan
            names = high + [n for n in names if n not in high]
    return best
