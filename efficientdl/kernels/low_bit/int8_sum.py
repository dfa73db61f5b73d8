"""Codes of several scales into one scale: added up, or looked up one by one."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int8

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_pictures import whole
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Codes = Int8[np.ndarray, "..."]
Shape = tuple[int, ...]
CHUNK = 4096  # codes at a time: their sums stay in the nearest cache


class ScaledSum(NamedTuple):
    """How codes are added up: `(sum_i multiplier_i (x_i - z_i)) 2**-shift + z_y`.

    Attributes:
        multipliers: One for each term, 0 to 2**31 - 1.
        zero_points: The code of zero in each term.
        shift: 1 to 62.
        zero_point: The code of zero in the sum.
        lowest: The least code of the sum.
        highest: The largest.
    """

    multipliers: tuple[int, ...]
    zero_points: tuple[int, ...]
    shift: int
    zero_point: int = 0
    lowest: int = -128
    highest: int = 127


def int8_sum(xs: tuple[Codes, ...], by: ScaledSum) -> Codes:
    """Add codes of several scales, as a residual connection does; rounded once, a half upwards.

    Args:
        xs: Codes, all of one shape.
        by: Their scales, and that of the sum.

    Raises:
        BadKind: A term is not int8.
        BadValue: Shapes differ, or a number is outside its range.

    >>> halves = ScaledSum((2**30, 2**30), (0, 0), 31)
    >>> int8_sum((np.int8([3, 100]), np.int8([4, 10])), halves)
    array([ 4, 55], dtype=int8)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018; the survey's section 2.3; lab 13.
    """
    _demand_sum(xs, by)
    flat = tuple(whole(x).reshape(-1) for x in xs)
    y = np.empty(xs[0].size, np.int8)
    middle = sum(m * z for m, z in zip(by.multipliers, by.zero_points, strict=True))
    start = (1 << (by.shift - 1)) - middle
    numbers = start, int(by.shift), int(by.zero_point), int(by.lowest), int(by.highest)
    multipliers = np.array(by.multipliers, np.int64)
    deal(_add, -(-y.size // CHUNK), flat, multipliers, numbers, y)
    return y.reshape(xs[0].shape)


def int8_sum_reference(xs: tuple[Codes, ...], by: ScaledSum) -> Codes:
    """The same in NumPy."""
    steps = [x.astype(np.int64) - zero for x, zero in zip(xs, by.zero_points, strict=True)]
    total = sum(step * m for step, m in zip(steps, by.multipliers, strict=True))
    scaled = (total + (1 << (by.shift - 1))) >> by.shift
    return np.clip(scaled + by.zero_point, by.lowest, by.highest).astype(np.int8)


def int8_sum_cost(xs: tuple[Shape, ...], _by: ScaledSum) -> Cost:
    """A MAC for each code of each term, and the bytes of terms and sum.

    >>> int8_sum_cost(((2, 4), (2, 4)), ScaledSum((1, 1), (0, 0), 1))
    Cost(macs=16, traffic_bytes=24)
    """
    size = int(np.prod(xs[0]))
    return Cost(macs=len(xs) * size, traffic_bytes=(len(xs) + 1) * size)


def int8_look_up(x: Codes, table: Int8[np.ndarray, "256"]) -> Codes:
    """The code that stands for each of 256 codes in another scale.

    A byte has 256 codes: whatever is done to each alone can be done to all of them beforehand.

    Args:
        x: Codes.
        table: The new code of -128, of -127, and so on.

    Raises:
        BadKind: An array is not int8.
        BadValue: The table has not 256 codes.

    >>> int8_look_up(np.int8([-128, 0, 127]), np.arange(-128, 128).astype(np.int8)[::-1])
    array([ 127,   -1, -128], dtype=int8)

    Source: the survey's section 2.3; lab 13.
    """
    for name, array in (("x", x), ("table", table)):
        _demand_codes("int8_look_up", name, array)
    if table.shape != (256,):
        _check.fail("int8_look_up", "table", "must have 256 codes", table.shape)
    flat = whole(x).reshape(-1)
    y = np.empty(flat.size, np.int8)
    deal(_look_up, -(-y.size // CHUNK), flat.view(np.uint8), whole(table), y)
    return y.reshape(x.shape)


def int8_look_up_reference(x: Codes, table: Int8[np.ndarray, "256"]) -> Codes:
    """The same in NumPy."""
    return table[x.astype(np.int64) + 128]


def int8_look_up_cost(x: Shape, table: Shape) -> Cost:
    """No MACs, and the bytes of the codes, old and new, and of the table.

    >>> int8_look_up_cost((2, 4), (256,))
    Cost(macs=0, traffic_bytes=272)
    """
    return Cost(macs=0, traffic_bytes=2 * int(np.prod(x)) + table[0])


def _demand_codes(caller: str, name: str, array: object) -> None:
    demand_array(caller, name, array, np.int8)


def _demand_sum(xs: tuple[Codes, ...], by: ScaledSum) -> None:
    caller = "int8_sum"
    _check.kind(caller, "by", by, ScaledSum)
    _check.same_length(caller, xs=xs, multipliers=by.multipliers, zero_points=by.zero_points)
    _check.whole(caller, "number of terms", len(xs), 1, 2**20)  # each has 40 bits
    for x in xs:
        _demand_codes(caller, "each of xs", x)
        if x.shape != xs[0].shape:
            _check.fail(caller, "shapes of xs", "must be one", [x.shape for x in xs])
    for multiplier, zero_point in zip(by.multipliers, by.zero_points, strict=True):
        _check.whole(caller, "multiplier", multiplier, 0, 2**31 - 1)
        _check.whole(caller, "zero point", zero_point, -128, 127)
    _check.whole(caller, "shift", by.shift, 1, 62)
    for name in ("zero_point", "lowest", "highest"):
        _check.whole(caller, name, getattr(by, name), -128, 127)


@compiled
def _add(first, last, xs, multipliers, numbers, y):
    start, shift, zero, low, high = numbers
    sums = np.empty(CHUNK, np.int64)
    for chunk in range(first, last):
        begin = chunk * CHUNK
        n = min(CHUNK, len(y) - begin)
        sums[:] = start
        for t in range(len(xs)):
            x, multiplier = xs[t][begin : begin + n], multipliers[t]
            for i in range(n):
                sums[i] += np.int64(x[i]) * multiplier
        to = y[begin : begin + n]
        for i in range(n):
            to[i] = min(max((sums[i] >> shift) + zero, low), high)


@compiled
def _look_up(first, last, x, table, y):
    for i in range(first * CHUNK, min(last * CHUNK, len(y))):
        y[i] = table[x[i] ^ np.uint8(128)]
