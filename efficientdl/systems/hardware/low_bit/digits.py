"""Whole numbers as digits of few bits: what every machine of this folder computes with.

A number of b bits is the sum of its digits, `x = sum_i d_i 2^(s i)` with digits of s bits. All are
0 to 2^s - 1, but the highest one of a signed number: that bears the sign, as in two's complement.
An operand is signed or not as its NumPy dtype says: int8 is, uint8 is not.
"""

import numpy as np
from jaxtyping import Int, Int64

from efficientdl import _check
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm

WIDEST = 16  # bits of an operand: sums of products then fit 64 bits for any k below 2^31
Whole = Int[np.ndarray, "..."]


def n_digits(bits: int, step: int) -> int:
    """How many digits of `step` bits a number of `bits` bits has.

    >>> n_digits(8, 1), n_digits(5, 2), n_digits(8, 16)
    (8, 3, 1)
    """
    return -(-bits // step)


def digits(x: Whole, *, bits: int, step: int = 1) -> Int64[np.ndarray, "d ..."]:
    """Cut whole numbers into digits, the lowest first.

    Args:
        x: The numbers; the dtype says whether they are signed.
        bits: Their width, 1 to 16.
        step: Width of a digit; 1 gives bit planes.

    Raises:
        BadValue: A number that does not fit its width.

    >>> digits(np.array([5, -3]), bits=4).tolist()  # 5 = 1 + 4, -3 = 1 + 4 - 8
    [[1, 1], [0, 0], [1, 1], [0, -1]]
    >>> digits(np.array([201], np.uint8), bits=8, step=2).tolist()  # 1 + 2 * 4 + 0 * 16 + 3 * 64
    [[1], [2], [0], [3]]
    """
    check_fits("digits", "x", x, bits)
    _check.whole("digits", "step", step, 1)
    n, numbers = n_digits(bits, step), x.astype(np.int64)
    cut = [numbers >> (step * i) for i in range(n)]  # an arithmetic shift: the highest has the sign
    return np.stack([*(d & ((1 << step) - 1) for d in cut[:-1]), cut[-1]])


def check_fits(caller: str, name: str, x: object, bits: int) -> None:
    """Demand an array of whole numbers of this width; the first bad one is named."""
    _check.whole(caller, "bits", bits, 1, WIDEST)
    _check.kind(caller, name, x, np.ndarray)
    assert isinstance(x, np.ndarray)
    if x.dtype.kind not in "iu":
        raise _check.BadKind(f"{caller}: {name} must hold whole numbers, got {x.dtype}")
    signed = x.dtype.kind == "i"
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    bad = np.argwhere((x < low) | (x > high))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        sort = "signed" if signed else "unsigned"
        rule = f"must fit {bits} {sort} bits, [{low}, {high}]"
        _check.fail(caller, f"{name}{list(place)}", rule, int(x[place]))


def check_layer(caller: str, layer: object) -> Bits:
    """Demand a product or a convolution of narrow words; gives their widths."""
    _check.kind(caller, "layer", layer, (Gemm, Conv))
    assert isinstance(layer, Gemm | Conv)
    for name in ("x", "weight"):
        _check.whole(caller, f"layer.bits.{name}", getattr(layer.bits, name), 1, WIDEST)
    return layer.bits
