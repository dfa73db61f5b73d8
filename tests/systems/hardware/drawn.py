"""Random products, convolutions and arrays."""

import numpy as np
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Arch, Array, Drain, Edge, Psums
from efficientdl.systems.hardware.layer import Conv, Gemm


@st.composite
def arrays(draw, max_side=16, **fixed):
    policies = {
        "drain": st.sampled_from(Drain),
        "edge": st.sampled_from(Edge),
        "psums": st.sampled_from(Psums),
        "weight_registers": st.integers(1, 2),
        "bus_words": st.integers(1, 5),
    }
    drawn = {name: draw(values) for name, values in policies.items() if name not in fixed}
    side = st.integers(1, max_side)
    return Array(draw(side), draw(side), **drawn, **fixed)


@st.composite
def gemms(draw, max_side=40, max_groups=2):
    side = st.integers(1, max_side)
    return Gemm(draw(side), draw(side), draw(side), groups=draw(st.integers(1, max_groups)))


@st.composite
def convs(draw):
    groups = draw(st.integers(1, 3))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    padding = st.tuples(st.integers(0, 2), st.integers(0, 2))
    channels = st.integers(1, 3)
    return Conv(
        c_in=groups * draw(channels),
        h=draw(st.integers(5, 8)),
        w=draw(st.integers(5, 8)),
        c_out=groups * draw(channels),
        kernel=draw(pair),
        stride=draw(pair),
        padding=draw(padding),
        dilation=draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        groups=groups,
        batch=draw(st.integers(1, 2)),
    )


def operands(layer, seed=0, low=-128, high=128):
    rng = np.random.default_rng(seed)
    return rng.integers(low, high, layer.x_shape), rng.integers(low, high, layer.weight_shape)


def machine(array, dataflow):
    return Arch("drawn", array, dataflow)
