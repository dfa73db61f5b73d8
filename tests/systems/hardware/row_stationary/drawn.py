"""Random convolutions with mappings that fit: each part as large as the layer, or smaller."""

import numpy as np
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Arch, Array, Psums
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.row_stationary.mapping import (
    RowMapping,
    RowUnit,
    capacity,
    ceil,
    window,
)


@st.composite
def convs(draw):
    """Small ones, of every kind: strided, dilated, padded, grouped, in batches."""
    groups, channels = draw(st.integers(1, 2)), st.integers(1, 4)
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    return Conv(
        c_in=groups * draw(channels),
        h=draw(st.integers(5, 7)),
        w=draw(st.integers(5, 7)),
        c_out=groups * draw(channels),
        kernel=draw(pair),
        stride=draw(pair),
        padding=draw(st.tuples(st.integers(0, 2), st.integers(0, 2))),
        dilation=draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        groups=groups,
        batch=draw(st.integers(1, 3)),
    )


@st.composite
def mapped(draw):
    """A convolution, a machine, a unit and a mapping."""
    conv = draw(convs())
    (r, s), span = conv.pairs.kernel, window(conv)[0]
    filters, channels = conv.c_out // conv.groups, conv.c_in // conv.groups
    array = Array(
        draw(st.integers(r, 9)), draw(st.integers(1, 6)), psums=draw(st.sampled_from(Psums))
    )
    p, q = draw(st.integers(1, filters)), draw(st.integers(1, channels))
    channel_sets = draw(st.integers(1, min(array.rows // r, ceil(channels, q))))
    depth = r * channel_sets
    room = [n for n in range(1, conv.outputs[0] + 1) if capacity(array.rows, array.cols, depth, n)]
    strip = draw(st.sampled_from(room))
    sets = capacity(array.rows, array.cols, depth, strip)
    filter_sets = draw(st.integers(1, int(min(sets, ceil(filters, p)))))
    mapping = RowMapping(strip, p, q, channel_sets, filter_sets, draw(st.integers(1, conv.batch)))
    bus = st.integers(1, 5)
    unit = RowUnit(q * span, p * q * s, p, draw(bus), draw(bus), draw(bus))
    return conv, Arch("drawn", array), unit, mapping


def operands(conv, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, conv.x_shape), rng.integers(-128, 128, conv.weight_shape)
