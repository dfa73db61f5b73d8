"""Random sparse matrices."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def sparse(rng, rows, columns, density):
    values = rng.integers(1, 9, (rows, columns)) * rng.choice([-1, 1], (rows, columns))
    return values * (rng.random((rows, columns)) < density)


@st.composite
def products(draw, max_side=14):
    """Two matrices that can be multiplied: empty rows and full ones among them."""
    side, density = st.integers(1, max_side), st.sampled_from([0, 0.1, 0.3, 0.6, 1])
    m, k, n = draw(side), draw(side), draw(side)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return sparse(rng, m, k, draw(density)), sparse(rng, k, n, draw(density))


def band(n, highest, lowest, seed=0):
    """All diagonals from `highest` above the main one to `lowest`, full."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 9, (n, n))
    return np.triu(np.tril(values, highest), lowest)
