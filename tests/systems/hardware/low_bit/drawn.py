"""Random layers of narrow words, and numbers that fit them."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from efficientdl.systems.hardware.gemm import Bits
from tests.systems.hardware.drawn import convs, gemms


@st.composite
def layers(draw, widest=16):
    layer = draw(st.one_of(gemms(max_side=12), convs()))
    width = st.integers(1, widest)
    return replace(layer, bits=Bits(draw(width), draw(width)))


def whole_numbers(shape, bits, signed, seed):
    """Uniform over all numbers of this width, the two ends among them where there is room."""
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if signed else (0, 1 << bits)
    numbers = np.random.default_rng(seed).integers(low, high, shape)
    numbers.flat[: min(2, numbers.size)] = [low, high - 1][: min(2, numbers.size)]
    return numbers if signed else numbers.astype(np.uint32)
