"""Counting ones, and a table of 32 floats, each as its line of NumPy says."""

import numpy as np
import pytest
from numba import njit

from efficientdl.kernels import simd
from efficientdl.kernels.sparse import instructions

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("word", [0, 1, 2**63, 2**64 - 1, 0x123456789ABCDEF])
def test_ones_are_counted(word):
    assert njit(lambda a: instructions.ones(a))(np.uint64(word)) == bin(word).count("1")


def test_ones_of_a_short_word_are_counted():
    assert njit(lambda a: instructions.ones(a))(np.uint16(0xFFFF)) == 16


@pytest.mark.parametrize(
    "look_up", [instructions.look_up_32, instructions.look_up_32_portable], ids=["best", "portable"]
)
def test_a_table_is_asked_by_the_lowest_five_bits(look_up):
    table = RNG.standard_normal(32).astype(np.float32)
    index = RNG.integers(0, 2**32, 16, dtype=np.uint32)

    @njit
    def run(y, table, index):
        low, high = simd.load(table, 0), simd.load(table, 16)
        simd.store(y, 0, look_up(low, high, simd.load(index, 0)))

    y = np.zeros(16, np.float32)
    run(y, table, index)
    np.testing.assert_array_equal(y, table[index % 32])
