"""Random graphs and costs, and the best schedule found by trying every one."""

import random
from itertools import product

from hypothesis import strategies as st

from efficientdl.systems.compiler.ios.dag import dag_of


@st.composite
def waits(draw, max_ops=5, min_ops=1):
    """An adjacency: each operator waits for some of those before it."""
    n = draw(st.integers(min_ops, max_ops))
    names = [f"op{i}" for i in range(n)]
    return {
        name: [other for other in names[:i] if draw(st.booleans())] for i, name in enumerate(names)
    }


def dags(max_ops=5):
    return waits(max_ops).map(dag_of)


def any_cost(seed):
    """A cost that follows no rule, but is the same for the same stage."""
    return lambda stage: random.Random(f"{seed} {sorted(stage)}").randint(1, 100)


def least_cost(adjacency, stage_cost, *, max_group, max_groups):
    """Give every operator the number of a stage in every way that keeps the order; take the best.

    Nothing of the search's own code runs here: groups come from a search through the edges.
    """
    names = list(adjacency)
    best = float("inf")
    for numbers in product(range(len(names)), repeat=len(names)):
        at = dict(zip(names, numbers, strict=True))
        if any(at[other] > at[name] for name in names for other in adjacency[name]):
            continue
        stages = [[n for n in names if at[n] == i] for i in range(max(numbers) + 1)]
        if not all(stages):
            continue
        grouped = [tuple(connected(stage, adjacency)) for stage in stages]
        if any(len(s) > max_groups or max(map(len, s)) > max_group for s in grouped):
            continue
        best = min(best, sum(map(stage_cost, grouped)))
    return best


def connected(stage, adjacency):
    """The groups of a stage: two operators with an edge between them are in the same one."""
    groups = [{name} for name in stage]
    for name in stage:
        for other in adjacency[name]:
            if other in stage:
                mine = next(g for g in groups if name in g)
                theirs = next(g for g in groups if other in g)
                if mine is not theirs:
                    groups.remove(theirs)
                    mine |= theirs
    order = list(adjacency)
    return sorted(
        (tuple(sorted(g, key=order.index)) for g in groups), key=lambda g: order.index(g[0])
    )
