"""Random operands of attention."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.attention.tokens import Tokens

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)


@st.composite
def tokens(draw, max_side=9, **fixed):
    """Whole numbers of 8 bits; scores of a few nats."""
    side = st.integers(1, max_side)
    names = ("h", "m", "n", "d", "e")
    h, m, n, d, e = (fixed.get(name) or draw(side) for name in names)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    shapes = ((h, m, d), (h, n, d), (h, n, e))
    return Tokens(*(rng.integers(-128, 128, shape) for shape in shapes), scale=2e-4)
