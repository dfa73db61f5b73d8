"""The loops go in the order that the schedule names, and threads share them without a gap."""

from itertools import product

import pytest

from efficientdl.kernels.scheduled import ORDERS, loops

ENDS, TILE, ROWS = (8, 5, 7), (4, 2, 3), 2  # rows, panels, steps


def visits(monkeypatch, order, first, last):
    """Each strip that the loops ask for, in order."""
    seen = []
    monkeypatch.setattr(
        loops, "_strip", lambda _, inner, row, panel, steps: seen.append((row, panel, *steps))
    )
    cut = ENDS, TILE, tuple("mnk".index(axis) for axis in order)
    walk = getattr(loops.tiles, "py_func", loops.tiles)
    walk(first, last, None, cut, ((0,) * ROWS, (0,), (0,)))
    return seen


def inside(axis, number):
    start = number * TILE[axis]
    return start, min(start + TILE[axis], ENDS[axis])


def expected(order):
    axes = ["mnk".index(axis) for axis in order]
    found = []
    for numbers in product(*(range(-(-ENDS[axis] // TILE[axis])) for axis in axes)):
        at = dict(zip(axes, numbers, strict=True))
        (top, bottom), (left, right), steps = (inside(axis, at[axis]) for axis in range(3))
        strips = product(range(left, right), range(top, bottom, ROWS))
        found += [(row, panel, *steps) for panel, row in strips]
    return found


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_is_the_schedules(monkeypatch, order):
    shared = next(axis for axis in order if axis != "k")
    n = -(-ENDS["mnk".index(shared)] // TILE["mnk".index(shared)])
    assert visits(monkeypatch, order, 0, n) == expected(order)
    assert len({tuple(expected(other)) for other in ORDERS}) == len(ORDERS)


@pytest.mark.parametrize("order", ORDERS)
def test_shares_make_the_whole(monkeypatch, order):
    shared = next(axis for axis in order if axis != "k")
    n = -(-ENDS["mnk".index(shared)] // TILE["mnk".index(shared)])
    parts = [set(visits(monkeypatch, order, i, i + 1)) for i in range(n)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(expected(order))
    outputs = [{(row, panel) for row, panel, *_ in part} for part in parts]
    assert sum(map(len, outputs)) == len(set().union(*outputs))  # no sum belongs to two threads
