"""One unit of a bit-serial machine: a product of vectors, a bit a cycle."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int64

from efficientdl import _check
from efficientdl.systems.hardware.low_bit.digits import WIDEST, check_fits, digits


class SerialProduct(NamedTuple):
    """What a unit makes of two vectors.

    Attributes:
        y: Their product.
        sums: What the unit held after each cycle.
    """

    y: int
    sums: Int64[np.ndarray, " cycles"]


def bit_serial_multiply(
    x: Int[np.ndarray, " k"], weight: Int[np.ndarray, " k"], *, bits: int
) -> SerialProduct:
    """Multiply two vectors as one unit does: a bit of every x a cycle, the highest first.

    sum <- 2 sum + (weights where this bit of x is one). The first bit of signed numbers stands for
    -2^(bits - 1), and its weights are subtracted. There is no multiplication: bits choose weights,
    and doubling is a shift.

    Args:
        x: One operand, of `bits` bits; the dtype says whether it is signed.
        weight: The other, of at most 16 bits.
        bits: Width of x, and how many cycles it takes.

    >>> bit_serial_multiply(np.array([5, -3]), np.array([10, 1]), bits=4)
    SerialProduct(y=47, sums=array([-1,  9, 18, 47]))

    Source: Judd et al., "Stripes: Bit-Serial Deep Neural Network Computing", MICRO 2016; survey
        section 6.2; lab 14.
    """
    check_fits("bit_serial_multiply", "x", x, bits)
    check_fits("bit_serial_multiply", "weight", weight, WIDEST)
    if x.ndim != 1 or x.shape != weight.shape:
        rule = "must be equally long vectors"
        _check.fail("bit_serial_multiply", "x and weight", rule, (x.shape, weight.shape))
    total, sums = 0, []
    for plane in digits(x, bits=bits)[::-1]:
        chosen = weight[plane != 0].astype(np.int64).sum()
        total = 2 * total + (-chosen if (plane < 0).any() else chosen)
        sums.append(total)
    return SerialProduct(int(total), np.array(sums, np.int64))
