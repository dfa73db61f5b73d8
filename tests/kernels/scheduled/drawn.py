"""Schedules and operands for tests: whole numbers, so that sums are exact in any order."""

import numpy as np
from hypothesis import strategies as st

from efficientdl.kernels.scheduled import ORDERS, Schedule

INNER = [((1, 1), 1), ((2, 3), 4), ((6, 2), 1), ((5, 1), 3)]  # few, since each is compiled

SIZES = st.integers(1, 70)
SCHEDULES = st.builds(
    lambda order, m, n, k, inner, threads: Schedule(order, m, n, k, *inner, threads),
    st.sampled_from(ORDERS),
    SIZES,
    SIZES,
    SIZES,
    st.sampled_from(INNER),
    st.sampled_from([1, 2, 3]),
)


def whole(shape, seed):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)
