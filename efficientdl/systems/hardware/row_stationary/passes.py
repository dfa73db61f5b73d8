"""Passes: what the array does at a time, how long one takes, and how many a layer needs.

All counts are sums and products of whole numbers. So the same lines serve one mapping or, with an
array in each field, thousands of mappings at a time: `search.py` looks for the best that way.
"""

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.row_stationary.mapping import (
    Cuts,
    RowUnit,
    Whole,
    ceil,
    lines,
    window,
)


class Pass(NamedTuple):
    """What one pass is given: a full one what the mapping says, the last ones what is left.

    Attributes:
        strip: Rows of the output.
        filters: Filters of all sets.
        channels: Channels of all sets.
        images: Images.
        lines: Rows of the input that the strip looks at.
        taken: Filters that take turns in a unit.
        turns: Channels that take turns in a unit.
        filter_sets: Sets with filters of their own.
        channel_sets: Sets whose sums run through.
    """

    strip: Whole
    filters: Whole
    channels: Whole
    images: Whole
    lines: Whole
    taken: Whole
    turns: Whole
    filter_sets: Whole
    channel_sets: Whole


class Counts(NamedTuple):
    """Cycles of a layer, words that the buffer sends, and words that units take.

    Attributes:
        cycles: Clock cycles.
        x_sent: Words of the input that leave the buffer.
        weight_sent: Weights that leave the buffer.
        x_taken: The same words, once for each unit that takes them.
        weight_taken: Likewise.
        hops: Sums that move up by one unit.
    """

    cycles: Whole
    x_sent: Whole
    weight_sent: Whole
    x_taken: Whole
    weight_taken: Whole
    hops: Whole


def count_layer(conv: Conv, cuts: Cuts, unit: RowUnit) -> Counts:
    """Add up all passes of a layer."""
    total = Counts(*[0] * len(Counts._fields))
    for times, one in _passes(conv, cuts):
        total = Counts(
            *(a + times * b for a, b in zip(total, _count(conv, one, unit), strict=True))
        )
    return total


def _passes(conv: Conv, cuts: Cuts) -> Iterator[tuple[Whole, Pass]]:
    """At most sixteen kinds of passes, full or rest in four directions, and how often each runs."""
    m, table = cuts, _lines(conv)
    sizes = (m.strip, m.filters * m.filter_sets, m.channels * m.channel_sets, m.images)
    totals = (conv.outputs[0], conv.c_out // conv.groups, conv.c_in // conv.groups, conv.batch)
    kinds = [_cut(total, size) for total, size in zip(totals, sizes, strict=True)]
    for (a, strip), (b, filters), (c, channels), (d, images) in product(*kinds):
        taken, turns = ceil(filters, m.filter_sets), ceil(channels, m.channel_sets)
        sets = ceil(filters, taken), ceil(channels, turns)
        one = Pass(strip, filters, channels, images, table[strip], taken, turns, *sets)
        yield conv.groups * a * b * c * d, one


def _cut(total: int, size: Whole) -> list[tuple[Whole, Whole]]:
    """How often a length holds a size, and the rest; a rest of nothing is one of 1, no time."""
    rest = total % size
    return [(total // size, np.minimum(size, total)), (np.minimum(rest, 1), np.maximum(rest, 1))]


@cache
def _lines(conv: Conv) -> Int64[np.ndarray, " strips"]:
    """Rows of the input for each number of rows of the output."""
    return np.array([lines(conv, strip) for strip in range(conv.outputs[0] + 1)])


class Times(NamedTuple):
    """Cycles of a pass.

    Attributes:
        head: Until the first column can start.
        step: From the start of a column to that of the next.
        turn: The same, from the last column of an image to the first of the next.
        tail: From the start of the last column to the end.
    """

    head: Whole
    step: Whole
    turn: Whole
    tail: Whole


def pass_times(conv: Conv, one: Pass, unit: RowUnit) -> Times:
    """When the columns of a pass start: each as soon as all its words have come.

    A column is p sums of each unit: p q s products, and p additions of the sums from below, which
    need the one adder too. Meanwhile the buses bring what the next column needs. At the end the
    last sums run up the chain and leave.
    """
    r, s = conv.pairs.kernel
    first, further = window(conv)
    products = one.taken * one.turns * s
    work = products + one.taken
    sums = ceil(one.filters * one.strip, unit.psum_bus)
    fill = np.maximum(ceil(one.channels * one.lines * first, unit.x_bus), sums)
    refill = np.maximum(ceil(one.channels * one.lines * further, unit.x_bus), sums)
    return Times(
        head=np.maximum(fill, ceil(one.filters * one.channels * r * s, unit.weight_bus)),
        step=np.maximum(work, refill),
        turn=np.maximum(work, fill),
        tail=products + r * one.channel_sets - 1 + np.maximum(one.taken, sums),
    )


def full_pass(conv: Conv, cuts: Cuts, unit: RowUnit) -> Times:
    """The times of the first pass, which is as large as any."""
    return pass_times(conv, next(one for times, one in _passes(conv, cuts) if times), unit)


def _count(conv: Conv, one: Pass, unit: RowUnit) -> Counts:
    """One pass: its cycles, and each of its words once for the buffer and once for each unit."""
    (r, s), q = conv.pairs.kernel, conv.outputs[1]
    first, further = window(conv)
    times = pass_times(conv, one, unit)
    steps = one.images * (q - 1) * times.step + (one.images - 1) * times.turn
    row = first + (q - 1) * further  # words of a row of the input that go to a unit
    weights = one.filters * one.channels * r * s
    return Counts(
        cycles=times.head + steps + times.tail,
        x_sent=one.images * one.channels * one.lines * row,
        weight_sent=weights,
        x_taken=one.images * one.channels * r * one.strip * row * one.filter_sets,
        weight_taken=weights * one.strip,
        hops=one.images * one.filters * one.strip * q * (r * one.channel_sets - 1),
    )
