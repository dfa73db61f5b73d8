"""Random tilings, and machines with memories of all speeds."""

from math import inf

from hypothesis import settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.analyse import FORMULAS
from efficientdl.systems.hardware.arch import Arch, Buffer, Dram, Psums
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.memory.plan import ORDERS
from efficientdl.systems.hardware.memory.tiling import OPERANDS, Tiling, units
from tests.systems.hardware.drawn import arrays, convs, gemms

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
rates = st.sampled_from([0.7, 8, 24, 100, 1000, inf])
LARGE = 2**30


@st.composite
def layers(draw):
    layer = draw(st.one_of(gemms(max_side=20, max_groups=3), convs()))
    assert isinstance(layer, Gemm | Conv)
    return layer


@st.composite
def tilings(draw, layer):
    (gemm,), (pixels, taps) = layer.gemms(), units(layer)
    return Tiling(
        pixels * draw(st.integers(1, gemm.m // pixels)),
        taps * draw(st.integers(1, gemm.k // taps)),
        draw(st.integers(1, gemm.n)),
        order=draw(st.sampled_from(ORDERS)),
        kept=draw(st.sets(st.sampled_from(OPERANDS))),
    )


@st.composite
def machines(draw, max_side=6, n_bytes=LARGE):
    return Arch(
        "drawn",
        draw(arrays(max_side=max_side, psums=Psums.ON_CHIP)),
        draw(st.sampled_from([*FORMULAS])),
        Buffer(n_bytes, bits_per_cycle=draw(rates)),
        Dram(draw(rates), latency_cycles=draw(st.integers(0, 20))),
    )


@st.composite
def cut_layers(draw):
    layer = draw(layers())
    return layer, draw(tilings(layer))
