"""A convolution of bytes whose sums become bytes again while they are in the nearest cache."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_conv import int8_conv_cost, int8_conv_reference
from efficientdl.kernels.low_bit.int8_filters import (
    LANES,
    LARGEST_SUM,
    Int8Filters,
    columns_of_filters,
    unpack_steps,
)
from efficientdl.kernels.low_bit.int8_operations import rescaled
from efficientdl.kernels.low_bit.int8_pictures import (
    Pictures,
    Shape,
    ZeroPoints,
    arrange,
    room,
    strip_sums,
)
from efficientdl.kernels.low_bit.int8_requantize import Requantize, demand_requantize
from efficientdl.kernels.low_bit.operations import low_bytes
from efficientdl.kernels.simd import load, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.kernels.window import Window
from efficientdl.report import Cost


@dataclass(frozen=True, eq=False)
class FilterCodes:
    """What `pack_requantize` made of a `Requantize` for some filters.

    Attributes:
        to: The codes of the result.
        filters: The filters whose sums become codes.
        biases: In the order of their panels.
        factors: Multipliers, and below them shifts, in that order too.
    """

    to: Requantize
    filters: Int8Filters
    biases: Int32[np.ndarray, " width"]
    factors: Int32[np.ndarray, "2 width"]


def pack_requantize(filters: Int8Filters, to: Requantize) -> FilterCodes:
    """Put biases, multipliers and shifts in the order of the filters' panels, and check them.

    Args:
        filters: The filters.
        to: Three numbers for each of them, and the codes of the result.

    Raises:
        BadKind: An array is not int32.
        BadValue: A shape does not fit, a number is outside its range, or a sum with its bias
            could leave 32 bits.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> to = Requantize(np.int32([5]), np.int32([2**30]), np.int32([32]))
    >>> pack_requantize(pack_filters(np.ones((1, 1, 1, 1), np.int8)), to).biases[:2]
    array([5, 0], dtype=int32)
    """
    _check.kind("pack_requantize", "filters", filters, Int8Filters)
    demand_requantize("pack_requantize", to, filters.shape[0])
    magnitudes = np.abs(unpack_steps(filters).astype(np.int64)).sum(axis=(1, 2, 3))
    largest = int((filters.farthest * magnitudes + np.abs(to.bias.astype(np.int64))).max())
    if largest > LARGEST_SUM:
        rule = "must be so small that no sum, its bias added, leaves 32 bits"
        _check.fail("pack_requantize", "bias", rule, largest)
    factors = np.stack([filters.by_column(to.multiplier), filters.by_column(to.shift, fill=1)])
    return FilterCodes(to, filters, filters.by_column(to.bias), factors)


def int8_conv_codes(
    x: Pictures, to: FilterCodes, window: Window, zero_points: ZeroPoints
) -> Int8[np.ndarray, "n c_out p q"]:
    """`int8_conv`, and its sums requantized while they are in the nearest cache.

    Only a byte of each sum reaches memory, not four. It rounds as `int8_gemm_codes` does.

    Args:
        x: Pictures, in uint8 or int8.
        to: The filters and the codes of the result, as `pack_requantize` packed them.
        window: How the window moves.
        zero_points: The code of zero in each picture.

    Raises:
        BadKind: An array has another dtype.
        BadValue: The shapes do not fit, or a zero point is no code.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> quarter = Requantize(np.int32([0]), np.int32([2**30]), np.int32([32]))
    >>> to = pack_requantize(pack_filters(np.int8([[[[1]]]])), quarter)
    >>> int8_conv_codes(np.uint8([[[[10, 200]]]]), to, Window(), np.int32([0]))
    array([[[[ 3, 50]]]], dtype=int8)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.4; the survey's section 2.3; lab 13.
    """
    _check.kind("int8_conv_codes", "to", to, FilterCodes)
    made = arrange("int8_conv_codes", x, to.filters, window, zero_points)
    y = np.empty(made.shape, np.int8)
    ends = int(to.to.zero_point), int(to.to.lowest), int(to.to.highest)
    deal(
        _convolve_codes,
        made.n_tiles,
        made.x,
        columns_of_filters(to.filters, to.biases),
        made.plan,
        (to.factors.reshape(-1), to.filters.width, ends),
        (y.reshape(-1), to.filters.shape[0]),
    )
    return y.transpose(0, 3, 1, 2)


def int8_conv_codes_reference(
    x: Pictures, to: FilterCodes, window: Window, zero_points: ZeroPoints
) -> Int8[np.ndarray, "n c_out p q"]:
    """The same in NumPy, in 64 bits."""
    sums = int8_conv_reference(x, to.filters, window, zero_points).astype(np.int64)
    bias, multiplier, shift = (
        array.astype(np.int64)[:, None, None]
        for array in (to.to.bias, to.to.multiplier, to.to.shift)
    )
    steps = ((sums + bias) * multiplier + (np.int64(1) << (shift - 1))) >> shift
    return np.clip(steps + to.to.zero_point, to.to.lowest, to.to.highest).astype(np.int8)


def int8_conv_codes_cost(x: Shape, to: FilterCodes, window: Window, zero_points: Shape) -> Cost:
    """As of `int8_conv`, but a byte of each sum, and three numbers for each filter.

    >>> from efficientdl.kernels.low_bit.int8_filters import pack_filters
    >>> filters = pack_filters(np.ones((8, 4, 3, 3), np.int8))
    >>> to = pack_requantize(filters, Requantize(*[np.ones(8, np.int32)] * 3))
    >>> int8_conv_codes_cost((1, 4, 5, 5), to, Window(padding=(1, 1)), (1,))
    Cost(macs=7200, traffic_bytes=688)
    """
    cost = int8_conv_cost(x, to.filters, window, zero_points)
    c_out, per_group, r, s = to.filters.shape
    n_sums = (cost.macs or 0) // (per_group * r * s)
    moved = (cost.traffic_bytes or 0) - 3 * n_sums + 12 * c_out
    return Cost(macs=cost.macs, traffic_bytes=moved)


@compiled
def _convolve_codes(first, last, x, w, plan, to_codes, to):
    (factors, all_columns, (zero_point, lowest, highest)), (y, c_out) = to_codes, to
    sums, packed, width = room(plan)
    low, high = splat(np.int32(lowest - zero_point)), splat(np.int32(highest - zero_point))
    zero, some = splat(np.int32(zero_point)), np.empty(LANES, np.int8)
    for tile in range(first, last):
        row, n_rows, column, n_filters, at_column, _ = strip_sums(tile, x, w, plan, sums, packed)
        for j in range(0, n_filters, LANES):
            multiplier = load(factors, at_column + j)
            shift = load(factors, all_columns + at_column + j)
            for i in range(n_rows):
                place = (row + i) * c_out + column + j
                steps = rescaled(load(sums, i * width + j), multiplier, shift, low, high)
                codes = low_bytes(steps + zero)
                if n_filters - j >= LANES:
                    store(y, place, codes)
                else:
                    store(some, 0, codes)
                    for k in range(n_filters - j):
                        y[place + k] = some[k]
