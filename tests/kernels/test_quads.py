"""Four registers at a time do what NumPy does with 64 floats."""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.quads import WIDTH, fma4, load4, store4, zeros4
from efficientdl.kernels.simd import aligned, splat


@compiled
def scaled_sum(a, b, factor, y):
    store4(y, 0, fma4(splat(factor), load4(a, 0), load4(b, 3)))
    store4(y, WIDTH, zeros4())


def test_a_row_times_a_number_plus_a_row():
    rng = np.random.default_rng(0)
    a, b = aligned(WIDTH, np.float32), aligned(WIDTH + 3, np.float32)
    a[:], b[:] = rng.integers(-99, 99, WIDTH), rng.integers(-99, 99, WIDTH + 3)
    y = aligned(3 * WIDTH, np.float32)
    y[:] = 7
    scaled_sum(a, b, np.float32(3), y)
    np.testing.assert_array_equal(y[:WIDTH], 3 * a + b[3:])
    np.testing.assert_array_equal(y[WIDTH : 2 * WIDTH], np.zeros(WIDTH))
    np.testing.assert_array_equal(y[2 * WIDTH :], np.full(WIDTH, 7))
