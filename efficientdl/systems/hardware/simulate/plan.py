"""The order of work that a controller gives to the array, and what the engines write down."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, Int64

from efficientdl.systems.hardware.arch import Array, Drain, Edge
from efficientdl.systems.hardware.dataflow.folds import Cut

# Columns of the table of folds: where the fold begins, what it uses, what it is scheduled for, and
# which column of folds it is in.
ROW, COL, USED_ROWS, USED_COLS, ROWS, COLS, ACROSS = range(7)

# Places of the counts, and of what went wrong: two words in one place, a sum that is not complete.
MACS, X_READ, WEIGHT_READ, Y_WRITE, PSUM, X_HOP, WEIGHT_HOP, SUM_HOP, CYCLES, CLASHES = range(10)
N_COUNTS = 10
NEVER = 2**62  # no clock gets there
DEEP = 16  # cycles together: of 1 to 64 the fastest, for a product of 512^3 on 128 x 128


class Plan(NamedTuple):
    """What the controller knows.

    Attributes:
        folds: One row for each fold, in order, with the columns above.
        rows: How many rows all folds of a column take together.
        steps: Words that follow each other in time, the same in every fold.
        overlap: Whether a fold may start while others are in the array.
        registers: Stationary words in a unit, 1 or 2.
        bus_words: Sums that leave in a cycle over the bus; 0 where there is none.
        hurry: Cycles by which folds start too early: 0, but in a test.
        until: The clock stops there, if it has not by itself: to look at the registers.
        deep: How many cycles of a fold that is alone in a weight-stationary array are gone through
            together. Nothing that is found depends on it, but the time that this takes.
    """

    folds: Int64[np.ndarray, "folds 7"]
    rows: int
    steps: int
    overlap: bool
    registers: int
    bus_words: int
    hurry: int
    until: int
    deep: int


class Trace(NamedTuple):
    """When things happened to each output, in cycles since the start.

    Attributes:
        last_mac: Its last multiply-accumulate.
        written: Its writing to the buffer; -1 where it never was.
    """

    last_mac: Int32[np.ndarray, "m n"]
    written: Int32[np.ndarray, "m n"]


def plan(
    rows: int,
    cols: int,
    steps: int,
    array: Array,
    *,
    hurry: int = 0,
    until: int = NEVER,
    deep: int = DEEP,
) -> Plan:
    """Folds of a product that takes `rows` by `cols` units: down a column, then the next."""
    bus = array.bus_words if array.drain is Drain.BUS else 0
    overlap = array.drain is Drain.OVERLAP
    table = np.array(list(_folds(rows, cols, array)), np.int64)
    return Plan(table, rows, steps, overlap, array.weight_registers, bus, hurry, until, deep)


def _folds(rows: int, cols: int, array: Array) -> Iterator[tuple[int, ...]]:
    physical = array.edge is Edge.PHYSICAL
    for j, c in enumerate(Cut(cols, array.cols)):
        for i, r in enumerate(Cut(rows, array.rows)):
            scheduled = (array.rows, array.cols) if physical else (r, c)
            yield i * array.rows, j * array.cols, r, c, *scheduled, j


def new_trace(m: int, n: int) -> Trace:
    """A trace in which nothing has happened yet."""
    return Trace(np.full((m, n), -1, np.int32), np.full((m, n), -1, np.int32))
