"""Digits add up to the number that they are cut from."""

import numpy as np
import pytest

from efficientdl.systems.hardware.low_bit.digits import digits, n_digits
from tests.systems.hardware.low_bit.drawn import whole_numbers


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("step", [1, 2, 3, 4, 8, 16])
def test_they_add_up(signed, bits, step):
    x = whole_numbers((50,), bits, signed, bits)
    found = digits(x, bits=bits, step=step)
    assert len(found) == n_digits(bits, step)
    total = sum(d.astype(object) * 2 ** (step * i) for i, d in enumerate(found))
    np.testing.assert_array_equal(total, x)
    assert (found[:-1] >= 0).all()
    assert (abs(found) < 2**step).all()


def test_planes_are_the_bits_that_numpy_unpacks():
    x = np.arange(256, dtype=np.uint8)
    bits = np.unpackbits(x[None], axis=0, bitorder="little")
    np.testing.assert_array_equal(digits(x, bits=8), bits)


def test_digits_as_wide_as_the_number_are_the_number():
    x = np.array([-128, 5, 127], np.int8)
    np.testing.assert_array_equal(digits(x, bits=8, step=8), [x])


def test_what_does_not_fit():
    with pytest.raises(
        ValueError, match=r"digits: x\[0, 1\] must fit 2 signed bits, \[-2, 1\], got 2"
    ):
        digits(np.array([[1, 2]]), bits=2)
    with pytest.raises(ValueError, match=r"digits: step must be a whole number, 1 or more, got 0"):
        digits(np.array([1]), bits=2, step=0)
