"""Random sparse matrices with a vector."""

import numpy as np
from hypothesis import strategies as st

from tests.systems.hardware.spgemm.drawn import sparse


@st.composite
def matvecs(draw, max_rows=14, max_columns=20):
    """A matrix, with rows of uneven length, and a vector."""
    m, k = draw(st.integers(1, max_rows)), draw(st.integers(1, max_columns))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    density = draw(st.sampled_from([0, 0.1, 0.3, 0.6, 1])) * 2 * rng.random((m, 1))
    return sparse(rng, m, k, density), rng.integers(-9, 10, k)
