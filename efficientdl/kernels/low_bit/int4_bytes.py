"""A matrix of 4, 3 or 2 bits times a vector that is written in bytes first: products of integers.

`dot4` does 64 multiply-adds where a look-up and its product do 16, and a byte of `x` comes from
memory where a float came. The price is that `x` is rounded to 8 bits, in groups with scales of
their own, and that the table must be even.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int8

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int4_gemv import (
    ROWS,
    Vector,
    demand_vector,
    int4_gemv_cost,
    offset_sums,
)
from efficientdl.kernels.low_bit.operations import largest
from efficientdl.kernels.low_bit.packed_codes import PANEL, RUN, PackedCodes
from efficientdl.kernels.low_bit.runs import runs_of_2, runs_of_3, runs_of_4
from efficientdl.kernels.low_bit.unpack import unpack_codes
from efficientdl.kernels.simd import (
    aligned,
    as_uint8,
    as_uint32,
    at,
    dot4,
    floats,
    fma,
    load,
    magnitude,
    maximum,
    nearest,
    splat,
    store,
    total,
)
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

HIGHEST = np.float32(127)
TINY = np.finfo(np.float32).tiny  # a lesser scale has no inverse among the floats
_MASK = {4: 0x0F0F0F0F, 3: 0x07070707, 2: 0x03030303}
_BYTE, _2ND, _3RD, _4TH = np.uint32(255), np.uint32(1 << 8), np.uint32(1 << 16), np.uint32(1 << 24)


class QuantizedVector(NamedTuple):
    """A vector `x = scale code`, in units that have a scale each.

    Attributes:
        codes: -127 to 127; zeros fill up the last unit.
        scales: One for each unit.
    """

    codes: Int8[np.ndarray, " room"]
    scales: Float32[np.ndarray, " units"]


def int4_gemv_bytes(x: Vector, weight: PackedCodes) -> Vector:
    """Multiply a packed matrix by a vector in bytes: `y = sum scale_g scale_x code x_q + ...`.

    Each unit of `x`, 64 or 128 numbers as the weight's groups are, gets the scale `max |x| / 127`
    and becomes bytes. The table's first entry and the offsets are multiplied by sums of `x_q`.

    Args:
        x: Finite floats, as many as a row has weights.
        weight: What `pack_codes` made of codes, an even table, scales and offsets.

    Raises:
        BadKind: `x` is not float32, or the weight is not packed.
        BadValue: `x` has another length or is not finite, or the table is not even.

    >>> from efficientdl.kernels.low_bit.packed_codes import CodedWeights, pack_codes
    >>> codes, table = np.uint8([[0, 1, 2, 3]]), np.float32([-1.0, 0.0, 1.0, 2.0])
    >>> packed = pack_codes(CodedWeights(codes, table, np.float32([[10.0]]), 64))
    >>> int4_gemv_bytes(np.float32([127.0, 1.0, 2.0, 3.0]), packed)
    array([-1190.], dtype=float32)

    Source: Lin et al., "QServe: W4A8KV4 Quantization and System Co-design for Efficient LLM
    Serving", MLSys 2025, section 5; the survey's section 6.2; lab 13.
    """
    demand_vector("int4_gemv_bytes", x, weight)
    first, step = _even_table(weight)
    padded = aligned(weight.room, np.float32)
    padded[: weight.k] = x
    codes = aligned(weight.room // 4, np.uint32)
    scales, sums = (aligned(weight.n_units, np.float32) for _ in range(2))
    _quantize(padded, weight.unit, codes, scales, sums)
    deal(
        _multiply,
        -(-weight.n // ROWS),
        (weight.n, weight.room, weight.bits, np.uint32(_MASK[weight.bits]), first),
        (weight.words, weight.scales, weight.unit),
        weight.offsets,
        (codes.view(np.int8), scales * step),
        scales * sums,
        y := np.empty(weight.n, np.float32),
    )
    return y


def int4_gemv_bytes_reference(x: Vector, weight: PackedCodes) -> Vector:
    """The same in NumPy: `x` rounded to its bytes, then a product in double precision."""
    codes, scales = quantize_units_reference(x, weight.unit)
    rounded = (codes.reshape(len(scales), -1) * scales[:, None].astype(np.float64)).reshape(-1)
    dense = unpack_codes(weight).dense.astype(np.float64)
    return (dense @ rounded[: weight.k]).astype(np.float32)


def int4_gemv_bytes_cost(x: tuple[int, ...], weight: PackedCodes) -> Cost:
    """As of `int4_gemv`: the vector arrives in floats.

    >>> from efficientdl.kernels.low_bit.packed_codes import CodedWeights, pack_codes
    >>> weights = CodedWeights(np.zeros((8, 128), np.uint8), np.arange(16, dtype=np.float32),
    ...                        np.ones((8, 1), np.float32), 128)
    >>> int4_gemv_bytes_cost((128,), pack_codes(weights))
    Cost(macs=1024, traffic_bytes=1088)
    """
    return int4_gemv_cost(x, weight)


def quantize_units_reference(x: Vector, unit: int) -> QuantizedVector:
    """Bytes and scales of a vector, in units, in NumPy.

    >>> quantize_units_reference(np.float32([127.0, -1.4]), 2)
    QuantizedVector(codes=array([127,  -1], dtype=int8), scales=array([1.], dtype=float32))
    """
    parts = np.pad(x, (0, -len(x) % unit)).reshape(-1, unit)
    peak = np.abs(parts).max(axis=1)
    scales = np.where(peak > 0, np.maximum(peak / HIGHEST, TINY), np.float32(1))
    codes = np.rint(parts * (np.float32(1) / scales)[:, None]).astype(np.int8)
    return QuantizedVector(codes.reshape(-1), scales)


def _even_table(weight: PackedCodes) -> tuple[np.float32, np.float32]:
    """The first entry of the table, and the step from each to the next."""
    table = weight.table[: 1 << weight.bits]
    steps = np.diff(table.astype(np.float64))
    if not np.allclose(steps, steps[0], rtol=1e-5, atol=0):
        rule = "must be even, or its codes are no numbers to multiply"
        _check.fail("int4_gemv_bytes", "table", rule, table.tolist())
    return table[0], np.float32(steps.mean())


@compiled
def _quantize(x, unit, codes, scales, sums):
    """Bytes in the order of the weights' runs: word `l` holds numbers l, 16 + l, 32 + l, 48 + l."""
    for u in range(len(x) // unit):
        most = splat(np.float32(0))
        for p in range(u * unit, (u + 1) * unit, 16):
            most = maximum(most, magnitude(load(x, p)))
        peak = largest(most)
        scale = max(peak / HIGHEST, TINY) if peak > np.float32(0) else np.float32(1)
        inverse, count = splat(np.float32(1) / scale), splat(np.int32(0))
        for p in range(u * unit, (u + 1) * unit, RUN):
            a, b = nearest(load(x, p) * inverse), nearest(load(x, p + 16) * inverse)
            c, d = nearest(load(x, p + 32) * inverse), nearest(load(x, p + 48) * inverse)
            count = count + ((a + b) + (c + d))
            low = _placed(a, splat(np.uint32(1))) | _placed(b, splat(_2ND))
            store(codes, p // 4, low | _placed(c, splat(_3RD)) | _placed(d, splat(_4TH)))
        scales[u], sums[u] = scale, total(count)


@compiled
def _placed(a, place):
    return (as_uint32(a) & splat(_BYTE)) * place


@compiled
def _two_runs(sums, mask, runs, x, p, w, s, u):
    """Two runs, each with its scale, or both with one."""
    (first, second), (codes, steps), (_, scales, unit) = runs, x, w
    zero = splat(np.int32(0))
    a = dot4(zero, as_uint8(first & mask), load(codes, p))
    if unit == 2 * RUN:
        a = dot4(a, as_uint8(second & mask), load(codes, p + RUN))
        return fma(floats(a), splat(at(scales, s) * at(steps, u)), sums)
    b = dot4(zero, as_uint8(second & mask), load(codes, p + RUN))
    sums = fma(floats(a), splat(at(scales, s) * at(steps, u)), sums)
    return fma(floats(b), splat(at(scales, s + 1) * at(steps, u + 1)), sums)


@compiled
def _row_of_4(w, o, s, mask, x, start, end):
    sums, more, u = splat(np.float32(0)), 2 * RUN // w[2], start // w[2]
    for p in range(start, end, 2 * RUN):
        a, b = runs_of_4(w[0], o)
        sums = _two_runs(sums, mask, (a, b), x, p, w, s, u)
        s += more
        u += more
        o += 16
    return total(sums)


@compiled
def _row_of_3(w, o, s, mask, x, start, end):
    sums, more, u = splat(np.float32(0)), 2 * RUN // w[2], start // w[2]
    for p in range(start, end, 8 * RUN):
        a, b, c, d, e, f, g, h = runs_of_3(w[0], o)
        sums = _two_runs(sums, mask, (a, b), x, p, w, s, u)
        s, u = s + more, u + more
        sums = _two_runs(sums, mask, (c, d), x, p + 2 * RUN, w, s, u)
        s, u = s + more, u + more
        sums = _two_runs(sums, mask, (e, f), x, p + 4 * RUN, w, s, u)
        s, u = s + more, u + more
        sums = _two_runs(sums, mask, (g, h), x, p + 6 * RUN, w, s, u)
        s, u = s + more, u + more
        o += 48
    return total(sums)


@compiled
def _row_of_2(w, o, s, mask, x, start, end):
    sums, more, u = splat(np.float32(0)), 2 * RUN // w[2], start // w[2]
    for p in range(start, end, 4 * RUN):
        a, b, c, d = runs_of_2(w[0], o)
        sums = _two_runs(sums, mask, (a, b), x, p, w, s, u)
        s, u = s + more, u + more
        sums = _two_runs(sums, mask, (c, d), x, p + 2 * RUN, w, s, u)
        s, u = s + more, u + more
        o += 16
    return total(sums)


@compiled
def _multiply(first, last, sizes, w, offsets, x, sums, y):
    n, room, bits, bits_of_code, lowest = sizes
    mask, (_, scales, unit) = splat(bits_of_code), w
    for tile in range(first, last):
        top, bottom = tile * ROWS, min(n, (tile + 1) * ROWS)
        y[top:bottom] = 0
        for start in range(0, room, PANEL):
            end, u = min(room, start + PANEL), start // unit
            n_units = (end - start + 16 * unit - 1) // (16 * unit) * 16
            for r in range(top, bottom):
                o = (start * n + r * (end - start)) * bits // 32
                s = u * n + r * n_units
                if bits == 4:
                    value = _row_of_4(w, o, s, mask, x, start, end)
                elif bits == 3:
                    value = _row_of_3(w, o, s, mask, x, start, end)
                else:
                    value = _row_of_2(w, o, s, mask, x, start, end)
                if offsets.size:
                    value += offset_sums(offsets, s, n_units, sums, u)
                y[r] += value + lowest * offset_sums(scales, s, n_units, sums, u)
