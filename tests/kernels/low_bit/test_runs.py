"""Runs of codes against the codes that were packed."""

import numpy as np
import pytest
from numba import njit

from efficientdl.kernels.low_bit import pack_codes
from efficientdl.kernels.low_bit.runs import runs_of_2, runs_of_3, runs_of_4
from efficientdl.kernels.simd import as_uint8, splat, store
from tests.kernels.low_bit.test_packed_codes import weights


@njit
def run_4(y, words, mask):
    a, b = runs_of_4(words, 0)
    store(y, 0, as_uint8(a & splat(mask)))
    store(y, 64, as_uint8(b & splat(mask)))


@njit
def run_3(y, words, mask):
    a, b, c, d, e, f, g, h = runs_of_3(words, 0)
    store(y, 0, as_uint8(a))
    store(y, 64, as_uint8(b))
    store(y, 128, as_uint8(c))
    store(y, 192, as_uint8(d))
    store(y, 256, as_uint8(e))
    store(y, 320, as_uint8(f))
    store(y, 384, as_uint8(g))
    store(y, 448, as_uint8(h))


@njit
def run_2(y, words, mask):
    a, b, c, d = runs_of_2(words, 0)
    store(y, 0, as_uint8(a & splat(mask)))
    store(y, 64, as_uint8(b & splat(mask)))
    store(y, 128, as_uint8(c & splat(mask)))
    store(y, 192, as_uint8(d & splat(mask)))


@pytest.mark.parametrize(
    ("levels", "run", "mask"), [(16, run_4, 0x0F0F0F0F), (8, run_3, 0), (4, run_2, 0x03030303)]
)
def test_a_run_is_64_codes_that_follow_each_other(levels, run, mask):
    k = {16: 128, 8: 512, 4: 256}[levels]
    plain = weights(np.random.default_rng(0), 1, k, levels)
    y = np.zeros(k, np.uint8)
    run(y, pack_codes(plain).words, np.uint32(mask))
    in_order = y.reshape(-1, 16, 4).transpose(0, 2, 1).reshape(-1)  # byte b of word l: 16 b + l
    np.testing.assert_array_equal(in_order, plain.codes[0])
