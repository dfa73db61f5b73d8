"""The mapper: of all mappings that fit, the one that takes the fewest cycles."""

from functools import cache

import numpy as np

from efficientdl import _check
from efficientdl.systems.hardware.arch import Arch, Array, Buffer
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.row_stationary.mapping import (
    EYERISS_UNIT,
    Cuts,
    RowMapping,
    RowUnit,
    capacity,
    ceil,
    check_machine,
    lines,
    window,
)
from efficientdl.systems.hardware.row_stationary.passes import count_layer


def map_rows(layer: Conv, arch: Arch, *, unit: RowUnit = EYERISS_UNIT) -> RowMapping:
    """Find the mapping with the fewest cycles; among equals, the one that reads the buffer least.

    All that fit are counted at once: strips that divide the output evenly, every number of filters
    and channels that the registers hold, every stack of sets, and beside each other as many sets
    as there is room for.

    Args:
        layer: The convolution.
        arch: The array and its buffer.
        unit: What one of its units holds.

    Raises:
        BadValue: The filter is higher than the array, or the smallest mapping does not fit.

    >>> from efficientdl.systems.hardware import presets
    >>> map_rows(Conv(48, 27, 27, 128, kernel=5, padding=2), presets.eyeriss()).strip
    27
    """
    check_machine("map_rows", layer, arch)
    _check.kind("map_rows", "unit", unit, RowUnit)
    return _best(layer, arch.array, arch.buffer, unit)


@cache
def _best(conv: Conv, array: Array, buffer: Buffer, unit: RowUnit) -> RowMapping:
    cuts = _fitting(conv, array, buffer, unit)
    if not len(cuts.strip):
        rule = "must have room for the smallest part of the layer in its units and its buffer"
        _check.fail("map_rows", "arch", rule, (array, buffer))
    counts = count_layer(conv, cuts, unit)
    sent = counts.x_sent + counts.weight_sent
    best = np.lexsort((sent, counts.cycles))[0]
    return RowMapping(*(int(values[best]) for values in cuts))


def _fitting(conv: Conv, array: Array, buffer: Buffer, unit: RowUnit) -> Cuts:
    """Every mapping that the units and the buffer have room for."""
    (r, s), (p, q), span = conv.pairs.kernel, conv.outputs, window(conv)[0]
    n_filters, n_channels = conv.c_out // conv.groups, conv.c_in // conv.groups
    strips = np.array(sorted({ceil(p, parts) for parts in range(1, p + 1)}))
    axes = [
        strips,
        np.arange(1, min(unit.psum_words, n_filters) + 1),
        np.arange(1, min(unit.x_words // span, n_channels) + 1),
        np.arange(1, array.rows // r + 1),
        np.arange(1, conv.batch + 1),
    ]
    grid = np.meshgrid(*axes, indexing="ij")
    strip, filters, channels, channel_sets, images = (axis.ravel() for axis in grid)
    room = capacity(array.rows, array.cols, r * channel_sets, strip)
    filter_sets = np.minimum(room, ceil(n_filters, filters))
    table = np.array([lines(conv, strip) for strip in range(p + 1)])
    width = conv.w + 2 * conv.pairs.padding[1]
    x = images * channels * channel_sets * table[strip] * width
    psum = images * filters * filter_sets * strip * q
    fits = (room > 0) & (filters * channels * s <= unit.weight_words)
    fits &= (channel_sets - 1) * channels < n_channels
    fits &= ceil(x * conv.bits.x, 8) + ceil(psum * conv.bits.y, 8) <= buffer.bytes
    cuts = Cuts(strip, filters, channels, channel_sets, filter_sets, images)
    return Cuts(*(values[fits] for values in cuts))
