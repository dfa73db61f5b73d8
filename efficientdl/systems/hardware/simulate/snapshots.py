"""What every unit of an array holds, cycle by cycle: the engine itself, stopped after each."""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, Num

from efficientdl import _check
from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow
from efficientdl.systems.hardware.gemm import Gemm, wide
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.simulate import output_array, weight_array
from efficientdl.systems.hardware.simulate.machines import (
    output_machine,
    straight,
    weight_machine,
)
from efficientdl.systems.hardware.simulate.plan import (
    MACS,
    ROW,
    ROWS,
    USED_COLS,
    USED_ROWS,
    Plan,
)

Matrix = Num[np.ndarray, "a b"]
Grid = Num[np.ndarray, "rows cols"]
MOST_CYCLES = 1000


class State(IntEnum):
    """What a unit does in a cycle."""

    EMPTY = 0
    HOLDS = 1  # an operand that waits for its turn
    PASSES = 2  # a sum on its way out
    MULTIPLIES = 3


class Snapshot(NamedTuple):
    """The array at the end of one cycle.

    Attributes:
        cycle: Which, from 0 on.
        product: Of which group of the layer.
        state: A `State` for each unit.
        x: The word of the input in each unit that has one, else 0.
        weight: The weight, likewise.
        psum: The sum, likewise.
        done: MACs so far, in this product.
        y: The output so far, of this product.
    """

    cycle: int
    product: int
    state: Int64[np.ndarray, "rows cols"]
    x: Grid
    weight: Grid
    psum: Grid
    done: int
    y: Matrix

    @property
    def utilisation(self) -> float:
        """Share of the units that multiply in this cycle."""
        return float((self.state == State.MULTIPLIES).mean())


def snapshots(
    layer: Gemm | Conv, arch: Arch, x: Num[np.ndarray, "*x"], weight: Num[np.ndarray, "*weight"]
) -> tuple[Snapshot, ...]:
    """Run a small layer, and keep what each unit held after each cycle.

    It is the engine of `simulate` that runs, once for each cycle, and its registers that are shown:
    nothing here computes a product. The products of a layer's groups follow each other.

    Args:
        layer: What to compute, in at most 1,000 cycles.
        arch: The machine, with a dataflow in which units keep something.
        x: The input, as for `simulate`.
        weight: The weights, as for `simulate`.

    Raises:
        BadValue: A run that nobody could look at, or a dataflow without registers to show.

    >>> arch = Arch("tiny", Array(2, 2), Dataflow.OUTPUT_STATIONARY)
    >>> x = np.array([[1, 2, 3], [4, 5, 6]])
    >>> seen = snapshots(Gemm(2, 3, 2), arch, x, np.array([[1, 0], [0, 1], [1, 1]]))
    >>> [f"{one.utilisation:.0%}" for one in seen]
    ['25%', '75%', '100%', '75%', '25%', '0%', '0%']
    >>> seen[2].psum.tolist(), seen[-1].y.tolist()
    ([[4, 2], [4, 0]], [[4, 5], [10, 11]])

    Source: the picture by which Kung, "Why Systolic Architectures?", IEEE Computer 1982, explains
        the array; survey section 6.2; lab 14.
    """
    _check.kind("snapshots", "layer", layer, (Gemm, Conv))
    _check.kind("snapshots", "arch", arch, Arch)
    _check.one_of("snapshots", "arch.dataflow", arch.dataflow, SEEN)
    rows, columns = layer.lower(x, weight)
    cycles = analyse(layer, arch).cycles
    if cycles > MOST_CYCLES:
        rule = f"must take at most {MOST_CYCLES} cycles, that one can look at them"
        _check.fail("snapshots", "layer", rule, cycles)
    one = SEEN[arch.dataflow]
    found = (
        frame._replace(product=group)
        for group, (a, b) in enumerate(zip(rows, columns, strict=True))
        for frame in one(wide(a), wide(b), arch.array, cycles // len(rows))
    )
    return tuple(frame._replace(cycle=cycle) for cycle, frame in enumerate(found))


def _weight_array(x: Matrix, weight: Matrix, array: Array, cycles: int) -> Iterator[Snapshot]:
    size = array.rows, array.cols
    for t in range(cycles):
        machine = weight_machine(x, weight, array, until=t + 1)
        counts, order, units = weight_array.weight_array(*machine), machine.plan, machine.units
        step, fold, busy, passes = _words(order, weight_array.schedule(order)[1], t, array)
        held, coming = _cut(units.owner, size) >= 0, _cut(units.coming, size) >= 0
        loaded = np.where(coming, _cut(units.loading, size), 0)
        yield Snapshot(
            cycle=t,
            product=0,
            state=_state(busy, passes, held | coming),
            x=np.where(busy, x[step, _within(order.folds[fold, ROW], array.rows, x.shape[1])], 0),
            weight=np.where(held, _cut(units.weight, size), loaded),
            psum=np.where(busy | passes, _cut(units.psum[1:], size), 0),
            done=int(counts[MACS]),
            y=wide(straight(machine.work.y, (len(x), weight.shape[1]), array.cols)),
        )


def _input_array(x: Matrix, weight: Matrix, array: Array, cycles: int) -> Iterator[Snapshot]:
    for one in _weight_array(weight.T, x.T, array, cycles):
        yield one._replace(x=one.weight, weight=one.x, y=one.y.T)


def _output_array(x: Matrix, weight: Matrix, array: Array, cycles: int) -> Iterator[Snapshot]:
    size = array.rows, array.cols
    for t in range(cycles):
        machine = output_machine(x, weight, array, until=t + 1)
        counts, order, units = output_array.output_array(*machine), machine.plan, machine.units
        step, fold, busy, _ = _words(order, output_array.schedule(order)[0], t, array)
        passes = (_cut(units.owner, size) >= 0) & ~busy
        leaving = np.where(passes, _cut(units.done, size), 0)
        yield Snapshot(
            cycle=t,
            product=0,
            state=_state(busy, passes, np.zeros_like(busy)),
            x=np.where(busy, x[_within(order.folds[fold, ROW], array.rows, len(x)), step], 0),
            weight=np.where(busy, _cut(units.weight[1:], size), 0),
            psum=np.where(busy, _cut(units.psum, size), leaving),
            done=int(counts[MACS]),
            y=wide(machine.work.y),
        )


def _cut(registers: Matrix, size: tuple[int, int]) -> Grid:
    """The registers that there are, without the room beside them, in 64 bits."""
    return wide(registers[: size[0], : size[1]])


Where = tuple[Grid, Grid, Bool[np.ndarray, "rows cols"], Bool[np.ndarray, "rows cols"]]


def _words(order: Plan, starts: Int64[np.ndarray, " folds"], t: int, array: Array) -> Where:
    """Which word of the stream is where: the step and the fold that each unit is in.

    The last two tell which units multiply, and which only hand a sum down, in rows that the fold is
    scheduled for but does not use.
    """
    i, j = np.indices((array.rows, array.cols))
    step, fold = np.zeros_like(i), np.zeros_like(i)
    busy, passes = np.zeros(i.shape, bool), np.zeros(i.shape, bool)
    for f, row in enumerate(order.folds):
        at = t - starts[f] - i - j
        there = (at >= 0) & (at < order.steps) & (i < row[ROWS]) & (j < row[USED_COLS])
        step[there], fold[there] = at[there], f
        busy |= there & (i < row[USED_ROWS])
        passes |= there & (i >= row[USED_ROWS])
    return step, fold, busy, passes


def _within(first: Grid, rows: int, size: int) -> Grid:
    """The row of an operand that belongs to each unit; the last one where there is none."""
    return np.minimum(first + np.arange(rows)[:, None], size - 1)


def _state(busy: Grid, passes: Grid, holds: Grid) -> Grid:
    """What each unit does: the first of these that is true."""
    return np.select(
        [busy, passes, holds], [State.MULTIPLIES, State.PASSES, State.HOLDS], State.EMPTY
    )


SEEN = {
    Dataflow.OUTPUT_STATIONARY: _output_array,
    Dataflow.WEIGHT_STATIONARY: _weight_array,
    Dataflow.INPUT_STATIONARY: _input_array,
}
