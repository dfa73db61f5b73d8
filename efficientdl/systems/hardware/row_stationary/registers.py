"""What the engine works with: a pass as the controller has it, the buffer's part, the registers."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

# Columns of the table of units: where each lies, and what it is there for, as in `Place`.
ROW, COL, CHAIN, FILTER_SET, CHANNEL_SET, TAP, LINE = range(7)

# Places of the counts.
CYCLES, MACS, X_SENT, WEIGHT_SENT, X_TAKEN, WEIGHT_TAKEN, HOPS = range(7)
X_USED, WEIGHT_USED, SUM_READ, SUM_WRITTEN, BUFFER_READ, BUFFER_WRITTEN, CLASHES = range(7, 14)
N_COUNTS = 14


class Job(NamedTuple):
    """What the controller knows of a pass.

    Attributes:
        units: A row for each unit in use, the tops of the chains first.
        depth: Units of a chain.
        filters: Filters that take turns in a unit.
        channels: Channels that take turns.
        columns: Columns of the output.
        span: Words of a row in a window.
        step: Words by which a window moves on, of those at most `span` are new.
        apart: Distance of its taps.
        lines: Rows of the input that the strip looks at, in order.
        line: For each unit, which of them it takes.
        x_bus: Words of the input a cycle.
        weight_bus: Weights a cycle.
        psum_bus: Sums a cycle, in and out.
        hurry: Cycles by which columns after the first may start too early: 0, but in a test.
    """

    units: Int64[np.ndarray, "units 7"]
    depth: int
    filters: int
    channels: int
    columns: int
    span: int
    step: int
    apart: int
    lines: Int64[np.ndarray, " lines"]
    line: Int64[np.ndarray, " units"]
    x_bus: int
    weight_bus: int
    psum_bus: int
    hurry: int


class Memory(NamedTuple):
    """The part of the buffer that a pass works on.

    Attributes:
        x: Its images, padded, and its channels.
        weight: Its filters and channels.
        y: Its sums, which every pass reads and writes back.
    """

    x: Num[np.ndarray, "n c h w"]
    weight: Num[np.ndarray, "c_out c r s"]
    y: Num[np.ndarray, "n c_out lines q"]


class Registers(NamedTuple):
    """What the units hold; a row for each unit, but `link`, which is laid out as the array is.

    Attributes:
        window: The words of the input, channel by channel.
        queue: Those of the next columns, that have come before they are needed.
        arrived: How many of each column have come.
        weight: Rows of filters.
        psum: Sums.
        link: The sum that a unit has sent up.
        sent: Which one that is.
    """

    window: Num[np.ndarray, "units c span"]
    queue: Num[np.ndarray, "units depth c span"]
    arrived: Int64[np.ndarray, "units depth"]
    weight: Num[np.ndarray, "units f c s"]
    psum: Num[np.ndarray, "units f"]
    link: Num[np.ndarray, "rows cols"]
    sent: Int64[np.ndarray, "rows cols"]


class State(NamedTuple):
    """What the controller and the buses keep from cycle to cycle.

    Attributes:
        start: When each column started.
        at: Weights and sums that still have to come for the next column, words of the input that
            have come for it, sums that wait to leave, columns that have started.
    """

    start: Int64[np.ndarray, " columns"]
    at: Int64[np.ndarray, " 5"]


WEIGHTS_LEFT, SUMS_LEFT, X_CAME, LEAVING, STARTED = range(5)
