"""One pass of a row-stationary array, cycle by cycle, with every word in its register.

In each cycle the controller starts the next column if its words are there, the buses move words to
the queues before the units, and each unit does one step of its column: a product into one of its
sums, or a sum from below added to its own. A column starts in the lowest units and, a cycle later
in each, in those above: so a sum is always sent up just before it is needed.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.row_stationary.registers import (
    BUFFER_READ,
    BUFFER_WRITTEN,
    CHAIN,
    CHANNEL_SET,
    CLASHES,
    COL,
    CYCLES,
    FILTER_SET,
    HOPS,
    LEAVING,
    LINE,
    MACS,
    N_COUNTS,
    ROW,
    STARTED,
    SUM_READ,
    SUM_WRITTEN,
    SUMS_LEFT,
    TAP,
    WEIGHT_SENT,
    WEIGHT_TAKEN,
    WEIGHT_USED,
    WEIGHTS_LEFT,
    X_CAME,
    X_SENT,
    X_TAKEN,
    X_USED,
    Job,
    Memory,
    Registers,
    State,
)


@compiled
def run_pass(job: Job, memory: Memory, registers: Registers) -> np.ndarray:
    """Run a pass; gives the counts."""
    counts = np.zeros(N_COUNTS, np.int64)
    n_images, n_filters = memory.y.shape[0], memory.y.shape[1]
    n_columns = n_images * job.columns
    sums = n_filters * memory.y.shape[2]
    state = State(np.zeros(n_columns, np.int64), np.zeros(5, np.int64))
    at = state.at
    at[WEIGHTS_LEFT], at[SUMS_LEFT] = memory.weight.size, sums
    work = job.filters * (job.channels * memory.weight.shape[3] + 1)
    t, finished = counts[CYCLES], 0  # an int64: a plain 0 would be compiled for once more
    while finished < n_columns or at[LEAVING]:
        if at[STARTED] < n_columns and _ready(job, memory, state, t, work):
            state.start[at[STARTED]] = t
            at[STARTED] += 1
            at[X_CAME] = 0
            at[SUMS_LEFT] = sums if at[STARTED] < n_columns else 0
        _weights(job, memory, registers, state, counts)
        if at[STARTED] < n_columns:
            _words(job, memory, registers, state, counts)
        come = min(job.psum_bus, at[SUMS_LEFT])
        for u in range(len(job.units)):
            _unit(job, memory, registers, state, counts, u, t, work)
        gone = min(job.psum_bus, at[LEAVING])
        at[SUMS_LEFT] -= come
        at[LEAVING] -= gone
        counts[BUFFER_READ] += come
        counts[BUFFER_WRITTEN] += gone
        while finished < at[STARTED] and t + 1 >= state.start[finished] + job.depth - 1 + work:
            finished += 1
        t += 1
    counts[CYCLES] = t
    return counts


@compiled
def _new(job: Job, column: int) -> int:
    """Words of a row that a column needs and the one before did not."""
    return job.span if column % job.columns == 0 else min(job.step, job.span)


@compiled
def _ready(job: Job, memory: Memory, state: State, t: int, work: int) -> bool:
    """Whether the lowest units are free, and the buses have brought the next column's words."""
    column = state.at[STARTED]
    chunk = memory.x.shape[1] * len(job.lines) * _new(job, column)
    free = column == 0 or t - state.start[column - 1] >= work - job.hurry
    there = state.at[WEIGHTS_LEFT] == 0 and state.at[SUMS_LEFT] == 0
    return bool(free and there and state.at[X_CAME] == chunk)


@compiled
def _weights(
    job: Job, memory: Memory, registers: Registers, state: State, counts: np.ndarray
) -> None:
    """The next weights go to all units of their rows."""
    _, channels, r, s = memory.weight.shape
    for _ in range(min(job.weight_bus, state.at[WEIGHTS_LEFT])):
        at = memory.weight.size - state.at[WEIGHTS_LEFT]
        state.at[WEIGHTS_LEFT] -= 1
        f, c, i, j = at // (channels * r * s), at // (r * s) % channels, at // s % r, at % s
        counts[WEIGHT_SENT] += 1
        for u in range(len(job.units)):
            unit = job.units[u]
            if (
                unit[FILTER_SET] == f // job.filters
                and unit[CHANNEL_SET] == c // job.channels
                and unit[TAP] == i
            ):
                registers.weight[u, f % job.filters, c % job.channels, j] = memory.weight[
                    f, c, i, j
                ]
                counts[WEIGHT_TAKEN] += 1


@compiled
def _words(
    job: Job, memory: Memory, registers: Registers, state: State, counts: np.ndarray
) -> None:
    """The next words of the input go to all units of their diagonals."""
    column, n_lines = state.at[STARTED], len(job.lines)
    new = _new(job, column)
    image, q = column // job.columns, column % job.columns
    slot = column % registers.queue.shape[1]
    begin = q * job.step + job.span - new
    for _ in range(min(job.x_bus, memory.x.shape[1] * n_lines * new - state.at[X_CAME])):
        at = state.at[X_CAME]
        c, line, word = at // (n_lines * new), at // new % n_lines, at % new
        state.at[X_CAME] += 1
        counts[X_SENT] += 1
        value = memory.x[image, c, job.lines[line], begin + word]
        for u in range(len(job.units)):
            if job.line[u] == line and job.units[u, CHANNEL_SET] == c // job.channels:
                registers.queue[u, slot, c % job.channels, word] = value
                registers.arrived[u, slot] += 1
                counts[X_TAKEN] += 1


@compiled
def _unit(
    job: Job,
    memory: Memory,
    registers: Registers,
    state: State,
    counts: np.ndarray,
    u: int,
    t: int,
    work: int,
) -> None:
    """One cycle of a unit: which column it is at follows from when that started below."""
    begun = t - job.units[u, CHAIN]
    column = state.at[STARTED] - 1
    while column >= 0 and state.start[column] > begun:
        column -= 1
    if column < 0 or begun - state.start[column] >= work:
        return
    since = begun - state.start[column]
    if since == 0:
        counts[CLASHES] += column > 0 and begun - state.start[column - 1] < work
        _slide(job, memory, registers, counts, u, column)
    n_taps, f = memory.weight.shape[3], since % job.filters
    if f >= memory.weight.shape[0] - job.units[u, FILTER_SET] * job.filters:
        return  # the last set has fewer filters
    if since < work - job.filters:
        _multiply(job, memory, registers, counts, u, since // job.filters, f, n_taps)
    else:
        _pass_on(job, memory, registers, state, counts, u, column, f)


@compiled
def _slide(
    job: Job, memory: Memory, registers: Registers, counts: np.ndarray, u: int, column: int
) -> None:
    """The window moves on, and takes the words that wait for this column."""
    new, slot = _new(job, column), column % registers.queue.shape[1]
    own = min(job.channels, memory.x.shape[1] - job.units[u, CHANNEL_SET] * job.channels)
    counts[CLASHES] += registers.arrived[u, slot] != own * new
    for c in range(own):
        for word in range(job.span - new):
            registers.window[u, c, word] = registers.window[u, c, word + new]
        for word in range(new):
            registers.window[u, c, job.span - new + word] = registers.queue[u, slot, c, word]
    registers.arrived[u, slot] = 0


@compiled
def _multiply(
    job: Job,
    memory: Memory,
    registers: Registers,
    counts: np.ndarray,
    u: int,
    turn: int,
    f: int,
    n_taps: int,
) -> None:
    """A product is added to a sum; the first one of a sum begins it."""
    c, tap = turn // n_taps, turn % n_taps
    if job.units[u, CHANNEL_SET] * job.channels + c < memory.x.shape[1]:
        product = registers.window[u, c, tap * job.apart] * registers.weight[u, f, c, tap]
        registers.psum[u, f] = product if turn == 0 else registers.psum[u, f] + product
        counts[SUM_READ] += turn > 0
        counts[SUM_WRITTEN] += 1
        counts[X_USED] += 1
        counts[WEIGHT_USED] += 1
        counts[MACS] += 1


@compiled
def _pass_on(
    job: Job,
    memory: Memory,
    registers: Registers,
    state: State,
    counts: np.ndarray,
    u: int,
    column: int,
    f: int,
) -> None:
    """A sum takes up the one from below, or the one that waits in the buffer, and goes up."""
    unit = job.units[u]
    row, col = unit[ROW], unit[COL]
    image, q, own = column // job.columns, column % job.columns, unit[FILTER_SET] * job.filters + f
    name = column * job.filters + f  # which sum of its column of units
    total = registers.psum[u, f]
    counts[SUM_READ] += 1
    if unit[CHAIN] == 0:
        total += memory.y[image, own, unit[LINE], q]
    else:
        counts[CLASHES] += registers.sent[row + 1, col] != name
        total += registers.link[row + 1, col]
    if unit[CHAIN] == job.depth - 1:
        memory.y[image, own, unit[LINE], q] = total
        state.at[LEAVING] += 1
    else:
        registers.link[row, col], registers.sent[row, col] = total, name
        counts[HOPS] += 1
