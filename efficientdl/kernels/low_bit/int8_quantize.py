"""Activations into bytes while the network runs, each row with the scale that it needs."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_panels import room_for_rows
from efficientdl.kernels.low_bit.operations import largest, least, narrow_bytes
from efficientdl.kernels.simd import fma, load, maximum, minimum, nearest, splat, store, total
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Floats = Float32[np.ndarray, "m k"]
LANES = 16
LEVELS = np.float32(255)
TINY = np.finfo(np.float32).tiny  # a lesser scale has no inverse among the floats


class QuantizedRows(NamedTuple):
    """Rows `x = scale (code - zero point)`.

    Attributes:
        codes: Bytes without a sign.
        scales: One for each row.
        zero_points: The code of 0.0 in each row.
    """

    codes: UInt8[np.ndarray, "m k"]
    scales: Float32[np.ndarray, " m"]
    zero_points: Int32[np.ndarray, " m"]


def quantize_rows(x: Floats) -> QuantizedRows:
    """Give each row of floats its own scale and zero point, and write it in bytes.

    With `lo` and `hi` the ends of a row, zero among them, the scale is `(hi - lo) / 255`, the zero
    point `-lo / scale`, and the code `x / scale + zero point`, each rounded to the nearest whole
    number, a half to the even one. 16 floats become codes at a time.

    Args:
        x: Rows of finite floats.

    Raises:
        BadKind: `x` is not float32.
        BadValue: It is no matrix, has no columns, or a row's range is not finite.

    >>> codes, scales, zero_points = quantize_rows(np.float32([[0, 51, 255], [-51, 0, 204]]))
    >>> codes
    array([[  0,  51, 255],
           [  0,  51, 255]], dtype=uint8)
    >>> scales, zero_points
    (array([1., 1.], dtype=float32), array([ 0, 51], dtype=int32))

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.1, eq. 1; the survey's section 2.3;
    lab 13.
    """
    codes, scales, zero_points = padded_rows("quantize_rows", x)
    m, k = x.shape
    return QuantizedRows(np.ascontiguousarray(codes[:m, :k]), scales, zero_points)


def quantize_rows_reference(x: Floats) -> QuantizedRows:
    """The same in NumPy."""
    low, high = (np.array(end(x, axis=1, initial=0)) for end in (np.min, np.max))
    scales = np.where(low == high, np.float32(1), np.maximum((high - low) / LEVELS, TINY))
    inverse = np.float32(1) / scales
    zero_points = np.rint(-low * inverse).astype(np.int32)
    codes = np.rint(x * inverse[:, None]).astype(np.int32) + zero_points[:, None]
    return QuantizedRows(np.clip(codes, 0, 255).astype(np.uint8), scales, zero_points)


def quantize_rows_cost(x: tuple[int, ...]) -> Cost:
    """A product for each number; floats in, bytes out, and two numbers for each row.

    >>> quantize_rows_cost((2, 8))
    Cost(macs=16, traffic_bytes=96)
    """
    m, k = x
    return Cost(macs=m * k, traffic_bytes=5 * m * k + 8 * m)


def padded_rows(caller: str, x: Floats) -> QuantizedRows:
    """`quantize_rows`, its codes padded as the tiles of a product want them."""
    demand_array(caller, "x", x, np.float32)
    if x.ndim != 2 or not x.shape[1]:
        _check.fail(caller, "shape of x", "must be m k with k at least 1", x.shape)
    m, k = x.shape
    codes = room_for_rows(m, k)
    scales, zero_points = np.empty(m, np.float32), np.empty(m, np.int32)
    if k < LANES:  # a row fills no register
        x = np.pad(x, ((0, 0), (0, LANES - k)))
    flat = np.ascontiguousarray(x).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):  # where it runs without the compiler
        deal(_quantize, m, flat, x.shape[1], codes.reshape(-1), codes.shape[1], scales, zero_points)
    if not np.isfinite(scales).all():
        row = int(np.flatnonzero(~np.isfinite(scales))[0])
        _check.fail(
            caller, "x", "must be finite, and so must the range of each row", x[row].tolist()
        )
    return QuantizedRows(codes, scales, zero_points)


@compiled
def _quantize(first, last, x, k, codes, stride, scales, zero_points):
    for row in range(first, last):
        low, high, finite = _ends(x, row * k, k)
        scale = (high - low) / LEVELS
        scale = np.float32(1) if low == high else max(scale, TINY)
        if not (finite and scale < np.float32(np.inf)):
            scales[row] = np.float32(np.inf)  # which the caller refuses
            continue
        inverse = np.float32(1) / scale
        zero_point = np.int32(np.rint(-low * inverse))
        scales[row], zero_points[row] = scale, zero_point
        times, more = splat(inverse), splat(zero_point)
        for p in range(0, k, LANES):
            j = min(p, k - LANES)  # the last register ends where the row does
            steps = nearest(load(x, row * k + j) * times)
            store(codes, row * stride + j, narrow_bytes(steps + more))


@compiled
def _ends(x, start, k):
    """The least and the largest of a row and zero, and whether all of it is finite."""
    low = high = nothing = splat(np.float32(0))
    zero = splat(np.float32(0))
    for p in range(0, k, LANES):
        value = load(x, start + min(p, k - LANES))
        low, high = minimum(low, value), maximum(high, value)
        nothing = fma(value, zero, nothing)  # NaN from the first infinity or NaN on
    return least(low), largest(high), total(nothing) == np.float32(0)
