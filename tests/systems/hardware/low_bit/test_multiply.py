"""The unit of a bit-serial machine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.low_bit.multiply import bit_serial_multiply
from tests.systems.hardware.low_bit.drawn import whole_numbers

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)


def test_one_bit_chooses_weights_and_adds_them():
    x, weight = np.array([1, 0, 1], np.uint8), np.array([3, 5, -7])
    y, sums = bit_serial_multiply(x, weight, bits=1)
    assert y == 3 - 7
    np.testing.assert_array_equal(sums, [-4])


@quick
@given(
    bits=st.integers(1, 16),
    weight_bits=st.integers(1, 16),
    k=st.integers(1, 40),
    signs=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 99),
)
def test_it_is_the_product_and_holds_that_of_the_bits_seen_so_far(
    bits, weight_bits, k, signs, seed
):
    x = whole_numbers(k, bits, signs[0], seed)
    weight = whole_numbers(k, weight_bits, signs[1], seed + 1)
    y, sums = bit_serial_multiply(x, weight, bits=bits)
    assert y == sum(a * b for a, b in zip(x.tolist(), weight.tolist(), strict=True))
    assert len(sums) == bits
    for seen, held in enumerate(sums, start=1):
        cut = x.astype(np.int64) >> (bits - seen)  # x without the bits that are still to come
        assert held == cut @ weight.astype(np.int64)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"x\[1\] must fit 3 signed bits, \[-4, 3\], got 4"):
        bit_serial_multiply(np.array([3, 4]), np.array([1, 1]), bits=3)
    with pytest.raises(ValueError, match=r"bits must be a whole number in \[1, 16\], got 0"):
        bit_serial_multiply(np.array([0]), np.array([1]), bits=0)
    with pytest.raises(
        ValueError, match=r"x and weight must be equally long vectors, got \(\(2,\)"
    ):
        bit_serial_multiply(np.array([0, 1]), np.array([1]), bits=2)
    with pytest.raises(TypeError, match=r"weight must hold whole numbers, got float64"):
        bit_serial_multiply(np.array([0]), np.array([1.0]), bits=2)
