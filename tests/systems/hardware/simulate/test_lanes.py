"""Sixteen units at a time give what NumPy gives for each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.simulate.lanes import (
    LANES,
    grid,
    moved_down,
    store_first,
    widened,
    window,
    words,
)
from efficientdl.systems.hardware.simulate.machines import straight

quick = settings(deadline=None, max_examples=40, database=None, derandomize=True)


@compiled
def add_product(sums, x, weight, place, n):
    """What a row of units does in a cycle."""
    before = words(sums, place)
    product = widened(x, place, before) * widened(weight, place, before)
    store_first(sums, place, before + product, n)


@pytest.mark.parametrize(
    ("operand", "total"),
    [(np.int16, np.int32), (np.int64, np.int64), (np.float64, np.float64)],
)
@quick
@given(place=st.integers(0, 30), n=st.integers(-1, LANES + 3), seed=st.integers(0, 99))
def test_the_first_units_take_up_a_product_and_the_others_do_not(operand, total, place, n, seed):
    rng = np.random.default_rng(seed)
    x, weight = (rng.integers(-(2**11), 2**11, 64).astype(operand) for _ in range(2))
    sums = rng.integers(-(2**20), 2**20, 64).astype(total)
    expected = sums.copy()
    part = slice(place, place + min(max(n, 0), LANES))
    expected[part] += x[part].astype(total) * weight[part].astype(total)
    add_product(sums, x, weight, place, n)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@quick
@given(row=st.integers(1, 3), left=st.integers(0, 20), right=st.integers(0, 20))
def test_a_part_of_a_row_moves_down(dtype, row, left, right):
    registers = grid(4, 20, dtype)
    registers[:] = np.arange(registers.size).reshape(registers.shape)
    expected = registers.copy()
    if left < right:
        expected[row, left:right] = expected[row - 1, left:right]
    moved_down(registers, row - 1, 1, left, right)
    np.testing.assert_array_equal(registers, expected)


@quick
@given(first=st.integers(-3, 30), steps=st.integers(1, 9), cols=st.integers(1, 9))
def test_the_window_has_the_columns_with_a_word(first, steps, cols):
    there = [j for j in range(cols) if 0 <= first - j < steps]
    left, right = window(first, steps, cols)
    assert list(range(left, right)) == there


def test_outputs_that_left_together_are_put_in_their_places():
    y = np.arange(15).reshape(3, 5)
    skewed = np.zeros((2, 3 + 3 - 1, LANES), int)
    for (m, n), value in np.ndenumerate(y):
        skewed[n // 3, m + n % 3, n % 3] = value
    np.testing.assert_array_equal(straight(skewed, (3, 5), 3), y)
