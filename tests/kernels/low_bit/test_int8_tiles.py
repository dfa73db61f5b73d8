"""Each tile, also those for processors with fewer registers, against NumPy."""

import numpy as np
import pytest
from numba import njit

from efficientdl.kernels.low_bit import int8_tiles, pack_int8
from efficientdl.kernels.low_bit.int8_gemm import columns_of, words_of
from efficientdl.kernels.low_bit.int8_panels import room_for_rows
from efficientdl.kernels.simd import aligned


@pytest.mark.parametrize(("name", "n"), [("_six_rows", 6), ("_four_rows", 4), ("_two_rows", 2)])
def test_a_tile_equals_the_product(name, n):
    tile = getattr(int8_tiles, name)

    @njit
    def run(x, w, c):
        tile(x, 1, w, 64, (c, 70), 3)

    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, (11, 128), np.int8)
    packed = pack_int8(weight, rng.integers(-128, 128, 128).astype(np.int32))
    x = room_for_rows(8, 11)
    x[:] = rng.integers(0, 256, x.shape)
    rows = rng.integers(-500, 500, (8, 2)).astype(np.int32)
    c = aligned(70 * (n + 1), np.int32)
    run(words_of(x, rows), columns_of(packed), c)
    start = rows.astype(int) @ packed.columns  # what zero points bring
    exact = x[:, :11].astype(int) @ weight + start
    found = c[3 : 3 + 70 * n].reshape(n, 70)
    np.testing.assert_array_equal(found[:, :64], exact[1 : 1 + n, 64:])
    assert not found[:, 64:].any()
