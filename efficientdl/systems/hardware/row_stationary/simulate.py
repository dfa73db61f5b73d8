"""`simulate_rows`: a convolution on a row-stationary array, every word moved."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import Arch, Array
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.dataflow.counted import counted
from efficientdl.systems.hardware.gemm import check_operands, wide
from efficientdl.systems.hardware.row_stationary import registers as at
from efficientdl.systems.hardware.row_stationary.engine import run_pass
from efficientdl.systems.hardware.row_stationary.formula import describe
from efficientdl.systems.hardware.row_stationary.mapping import (
    EYERISS_UNIT,
    RowMapping,
    RowUnit,
    check_mapping,
    places,
    window,
)
from efficientdl.systems.hardware.row_stationary.search import map_rows
from efficientdl.systems.hardware.run import Run


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    conv = Conv(size, 5, 6, 3, kernel=(3, 2), padding=1, stride=1 + size % 2)
    arch = Arch("drawn", Array(6, 4))
    x = rng.integers(-8, 8, conv.x_shape)
    weight = rng.integers(-8, 8, conv.weight_shape)

    def call() -> tuple[object, Cost]:
        run = simulate_rows(conv, arch, x, weight)
        return run.y, run.cost()

    return call, conv.reference(x, weight), -(-conv.macs // arch.array.n_units)


class Task(NamedTuple):
    """One pass: which part of the layer.

    Attributes:
        images: Of the batch.
        lines: Rows of the output.
        filters: Of all groups.
        channels: Of the group.
        group: Which one.
    """

    images: slice
    lines: slice
    filters: slice
    channels: slice
    group: int


@technique(
    "hw-rs",
    paper="Chen, Emer, Sze, Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for "
    "Convolutional Neural Networks, 2016",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_rows(
    layer: Conv,
    arch: Arch,
    x: Num[np.ndarray, "n c h w"],
    weight: Num[np.ndarray, "c_out c r s"],
    *,
    mapping: RowMapping | None = None,
    unit: RowUnit = EYERISS_UNIT,
    hurry: int = 0,
) -> Run:
    """Run a convolution row stationary: each unit slides a row of the input past rows of filters.

    Weights go along the rows of the array, inputs along its diagonals, and the sums of a column of
    units run up through it: y[j] = sum over i of x[j + i] * w[i], where each product of two rows
    is a one-dimensional convolution in one unit. The counts equal those of `row_stationary`, which
    has them in closed form.

    Args:
        layer: The convolution.
        arch: The array and its buffer.
        x: The input: whole numbers, or finite floats.
        weight: The filters.
        mapping: How the layer is cut; the one of `map_rows` where nothing is said.
        unit: What a unit holds, and the buses.
        hurry: Cycles by which the controller starts columns too early, to see words collide.

    Raises:
        BadValue: An operand of another shape, or with a NaN; a part larger than what holds it.

    >>> arch, conv = Arch("small", Array(3, 4)), Conv(1, 6, 6, 1, kernel=3)
    >>> x, weight = np.ones(conv.x_shape, int), np.ones(conv.weight_shape, int)
    >>> run = simulate_rows(conv, arch, x, weight)
    >>> run.y[0, 0, 0].tolist(), run.cycles
    ([9, 9, 9, 9], 42)

    Source: Chen, Emer, Sze, "Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for
        Convolutional Neural Networks", ISCA 2016; Chen, Krishna, Emer, Sze, "Eyeriss", JSSC 2017;
        survey section 6.2; lab 14.
    """
    mapping = map_rows(layer, arch, unit=unit) if mapping is None else mapping
    check_mapping("simulate_rows", layer, arch, mapping, unit)
    check_operands("simulate_rows", layer, x, weight)
    dtype = np.result_type(wide(x), wide(weight))
    (top, left), (p, q) = layer.pairs.padding, layer.outputs
    padded = np.pad(x.astype(dtype), ((0, 0), (0, 0), (top, top), (left, left)))
    y = np.zeros((layer.batch, layer.c_out, p, q), dtype)
    counts, n_final = np.zeros(at.N_COUNTS, np.int64), 0
    for task in _tasks(layer, mapping):
        part = y[task.images, task.filters, task.lines].copy()
        first = task.group * (layer.c_in // layer.groups)
        seen = slice(first + task.channels.start, first + task.channels.stop)
        memory = at.Memory(
            np.ascontiguousarray(padded[task.images, seen]),
            np.ascontiguousarray(weight[task.filters, task.channels].astype(dtype)),
            part,
        )
        job = _job(layer, mapping, arch.array, unit, task)._replace(hurry=hurry)
        found = run_pass(job, memory, _registers(job, memory, arch.array))
        last = task.channels.stop == layer.c_in // layer.groups
        counts, n_final = counts + found, n_final + last * int(found[at.BUFFER_WRITTEN])
        y[task.images, task.filters, task.lines] = part
    assert hurry or not counts[at.CLASHES], "a word that is not where it is needed"
    return replace(_run(layer, arch, mapping, [int(n) for n in counts], n_final), y=y)


def _tasks(conv: Conv, mapping: RowMapping) -> Iterator[Task]:
    """All passes; those that add to the same sums follow each other."""
    filters, channels = conv.c_out // conv.groups, conv.c_in // conv.groups
    for group, images, lines, found, seen in product(
        range(conv.groups),
        _slices(conv.batch, mapping.images),
        _slices(conv.outputs[0], mapping.strip),
        _slices(filters, mapping.pass_filters),
        _slices(channels, mapping.pass_channels),
    ):
        first = group * filters
        yield Task(images, lines, slice(first + found.start, first + found.stop), seen, group)


def _slices(total: int, size: int) -> list[slice]:
    return [slice(at, min(at + size, total)) for at in range(0, total, size)]


def _job(conv: Conv, mapping: RowMapping, array: Array, unit: RowUnit, task: Task) -> at.Job:
    """The pass as the controller has it: sets that the last part does not need stay idle."""
    n_filters = task.filters.stop - task.filters.start
    n_channels = task.channels.stop - task.channels.start
    filters = -(-n_filters // mapping.filter_sets)
    channels = -(-n_channels // mapping.channel_sets)
    strip = task.lines.stop - task.lines.start
    sets = {"channel_sets": -(-n_channels // channels), "filter_sets": -(-n_filters // filters)}
    used = replace(mapping, strip=strip, filters=filters, channels=channels, **sets)
    units = np.array(places(conv, used, array.cols), np.int64)
    assert len({(u[at.ROW], u[at.COL]) for u in units}) == len(units), "two in one place"
    (_, _), (down, right), _, (apart, beside) = conv.pairs
    rows = (task.lines.start + units[:, at.LINE]) * down + units[:, at.TAP] * apart
    lines, line = np.unique(rows, return_inverse=True)
    return at.Job(
        units=units,
        depth=conv.pairs.kernel[0] * used.channel_sets,
        filters=filters,
        channels=channels,
        columns=conv.outputs[1],
        span=window(conv)[0],
        step=right,
        apart=beside,
        lines=lines,
        line=line,
        x_bus=unit.x_bus,
        weight_bus=unit.weight_bus,
        psum_bus=unit.psum_bus,
        hurry=0,
    )


def _registers(job: at.Job, memory: at.Memory, array: Array) -> at.Registers:
    """Units that hold nothing. A queue is as long as a chain is deep, and two more."""
    n, dtype, s = len(job.units), memory.y.dtype, memory.weight.shape[3]
    slots = job.depth + 2
    return at.Registers(
        window=np.zeros((n, job.channels, job.span), dtype),
        queue=np.zeros((n, slots, job.channels, job.span), dtype),
        arrived=np.zeros((n, slots), np.int64),
        weight=np.zeros((n, job.filters, job.channels, s), dtype),
        psum=np.zeros((n, job.filters), dtype),
        link=np.zeros((array.rows, array.cols), dtype),
        sent=np.full((array.rows, array.cols), -1),
    )


def _run(conv: Conv, arch: Arch, mapping: RowMapping, counts: list[int], n_final: int) -> Run:
    """Counts as a run, under the names of the levels and the operands.

    Of the sums that were written, `n_final` are finished; the others are read again.
    """
    accesses = {
        "register": {
            "x": counts[at.X_USED],
            "weight": counts[at.WEIGHT_USED],
            "psum": counts[at.SUM_READ] + counts[at.SUM_WRITTEN],
        },
        "link": {
            "x": counts[at.X_TAKEN],
            "weight": counts[at.WEIGHT_TAKEN],
            "psum": counts[at.HOPS],
        },
        "buffer": {
            "x": counts[at.X_SENT],
            "weight": counts[at.WEIGHT_SENT],
            "y": n_final,
            "psum": counts[at.BUFFER_READ] + counts[at.BUFFER_WRITTEN] - n_final,
        },
    }
    rule = f"counted, cycle by cycle: {describe(conv, mapping)}"
    run = counted(conv, arch.array, counts[at.CYCLES], accesses, rule=rule)
    return replace(run, macs=counts[at.MACS])
