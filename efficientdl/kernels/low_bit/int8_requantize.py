"""Products of bytes whose sums become bytes again while they are in the nearest cache."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int8, Int32

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_gemm import (
    Codes,
    Shape,
    ZeroPoints,
    columns_of,
    cropped,
    int8_gemm_cost,
    int8_gemm_reference,
    rows_of,
    words_of,
)
from efficientdl.kernels.low_bit.int8_panels import Int8Panels
from efficientdl.kernels.low_bit.int8_tiles import BLOCK, PANEL, add_block
from efficientdl.kernels.low_bit.operations import between, low_bytes, shift_each, widen
from efficientdl.kernels.simd import aligned, load, load_half, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost


class Requantize(NamedTuple):
    """How sums become codes of the next layer: `(sum + bias) multiplier 2**-shift + zero point`.

    Multipliers and shifts are those of `tensors.fixed_point`; `requantized` rounds as its
    `rescale` does, bit for bit.

    Attributes:
        bias: For each column, in steps of the sums.
        multiplier: For each column, 0 or more.
        shift: For each column, 1 to 62.
        zero_point: The code of zero.
        lowest: The least code, -128 or more.
        highest: The largest, 127 or less.
    """

    bias: Int32[np.ndarray, " n"]
    multiplier: Int32[np.ndarray, " n"]
    shift: Int32[np.ndarray, " n"]
    zero_point: int = 0
    lowest: int = -128
    highest: int = 127


def int8_gemm_codes(
    x: Codes, weight: Int8Panels, zero_points: ZeroPoints, to: Requantize
) -> Int8[np.ndarray, "m n"]:
    """`int8_gemm`, and its sums requantized while they are in the nearest cache.

    Only a byte of each sum reaches memory, not four.

    Args:
        x: Activations.
        weight: What `pack_int8` made of the weights.
        zero_points: The code of zero in each row of `x`.
        to: The codes of the result.

    Raises:
        BadKind: An array has another dtype.
        BadValue: The shapes do not fit, or a number is outside its range.

    >>> to = Requantize(np.int32([0]), np.int32([2**30]), np.int32([32]))  # a quarter
    >>> from efficientdl.kernels.low_bit.int8_panels import pack_int8
    >>> int8_gemm_codes(np.uint8([[10], [200]]), pack_int8(np.int8([[1]])), np.int32([0, 0]), to)
    array([[ 3],
           [50]], dtype=int8)

    Source: Jacob et al., 2018, section 2.4; the survey's section 2.3; lab 13.
    """
    codes, rows = rows_of("int8_gemm_codes", x, weight, zero_points)
    demand_requantize("int8_gemm_codes", to, weight.n)
    width = weight.columns.shape[1]
    factors = aligned((4, width), np.int64)
    factors[3] = 1
    factors[:, : weight.n] = (
        to.bias,
        to.multiplier,
        np.int64(1) << (to.shift - np.int64(1)),
        to.shift,
    )
    y = aligned((len(codes), width), np.int8)
    n_blocks = -(-len(codes) // BLOCK)
    deal(
        _multiply_codes,
        n_blocks * (width // PANEL),
        len(codes),
        words_of(codes, rows),
        columns_of(weight),
        factors.reshape(-1),
        (int(to.zero_point), int(to.lowest), int(to.highest)),
        y.reshape(-1),
    )
    return cropped(y, len(x), weight.n)


def int8_gemm_codes_reference(
    x: Codes, weight: Int8Panels, zero_points: ZeroPoints, to: Requantize
) -> Int8[np.ndarray, "m n"]:
    """The same in NumPy, in 64 bits."""
    sums = int8_gemm_reference(x, weight, zero_points).astype(np.int64) + to.bias
    half = np.int64(1) << (to.shift.astype(np.int64) - 1)
    steps = (sums * to.multiplier + half) >> to.shift
    return np.clip(steps + to.zero_point, to.lowest, to.highest).astype(np.int8)


def int8_gemm_codes_cost(x: Shape, weight: Int8Panels, zero_points: Shape, to: Requantize) -> Cost:
    """As of `int8_gemm`, but a byte of each sum, and three numbers for each column.

    >>> from efficientdl.kernels.low_bit.int8_panels import pack_int8
    >>> to = Requantize(*[np.ones(8, np.int32)] * 3)
    >>> int8_gemm_codes_cost((2, 4), pack_int8(np.ones((4, 8), np.int8)), (2,), to)
    Cost(macs=64, traffic_bytes=160)
    """
    sums, n = int8_gemm_cost(x, weight, zero_points), len(to.bias)
    moved = (sums.traffic_bytes or 0) - 3 * x[0] * n + 12 * n
    return Cost(macs=sums.macs, traffic_bytes=moved)


def demand_requantize(caller: str, to: Requantize, n: int) -> None:
    """Demand three numbers for each of `n` columns, each in its range."""
    _check.kind(caller, "to", to, Requantize)
    ranges = {"bias": (-(2**31), 2**31 - 1), "multiplier": (0, 2**31 - 1), "shift": (1, 62)}
    for name, (low, high) in ranges.items():
        array = getattr(to, name)
        demand_array(caller, name, array, np.int32)
        if array.shape != (n,):
            _check.fail(caller, name, f"must be one for each of {n} columns", array.shape)
        if not (low <= array.min() and array.max() <= high):
            ends = int(array.min()), int(array.max())
            _check.fail(caller, name, f"must be in [{low}, {high}]", ends)
    for name in ("lowest", "highest", "zero_point"):
        _check.whole(caller, name, getattr(to, name), -128, 127)
    if to.lowest > to.highest:
        _check.fail(caller, "lowest", f"must be at most highest = {to.highest}", to.lowest)


@compiled
def _multiply_codes(first, last, n_rows, x, w, factors, codes, y):
    width = w[3]
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    sums = np.empty(BLOCK * PANEL, np.int32)
    for tile in range(first, last):
        column, row = tile // n_blocks * PANEL, tile % n_blocks * BLOCK
        end = min(n_rows, row + BLOCK)
        add_block(x, row, end, w, column, (sums, PANEL), 0)
        for i in range(end - row):
            places = i * PANEL, column, (row + i) * width + column
            _requantize(sums, factors, width, codes, y, places)


@compiled
def _requantize(sums, factors, width, codes, y, places):
    place, column, to = places
    zero, low, high = splat(codes[0]), splat(codes[1]), splat(codes[2])
    for j in range(0, PANEL, 8):
        f = column + j
        total = widen(load_half(sums, place + j)) + load(factors, f)
        scaled = total * load(factors, width + f) + load(factors, 2 * width + f)
        steps = shift_each(scaled, load(factors, 3 * width + f)) + zero
        store(y, to + j, low_bytes(between(steps, low, high)))
