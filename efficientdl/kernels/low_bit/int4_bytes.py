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
UNITS = PANEL // RUN  # of a row in a panel, at most
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
    sums *= scales
    deal(
        _multiply,
        -(-weight.n // ROWS),
        (weight.n, weight.room, weight.bits, np.uint32(_MASK[weight.bits])),
        (weight.words, weight.scales, weight.unit),
        weight.offsets,
        (codes.view(np.int8), scales * step, first * sums),
        sums,
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
    if weight.step is None:
        rule = "must be even, or its codes are no numbers to multiply"
        table = weight.table[: 1 << weight.bits].tolist()
        _check.fail("int4_gemv_bytes", "table", rule, table)
    return weight.table[0], weight.step


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
def _scales(w, s, x, u, n_units, scaled, place):
    """Every unit's scale times that of `x`, into `scaled`; back comes what first entries add."""
    first = splat(np.float32(0))
    for p in range(0, n_units, 16):
        scales = load(w[1], s + p)
        store(scaled, place + p, scales * load(x[1], u + p))
        first = fma(scales, load(x[2], u + p), first)
    return first


@compiled
def _two_runs(sums, mask, runs, codes, unit, scaled, u):
    """Two runs, each with its scale, or both with one."""
    zero = splat(np.int32(0))
    a = dot4(zero, as_uint8(runs[0] & mask), codes[0])
    if unit == 2 * RUN:
        a = dot4(a, as_uint8(runs[1] & mask), codes[1])
        return fma(floats(a), splat(at(scaled, u)), sums)
    b = dot4(zero, as_uint8(runs[1] & mask), codes[1])
    return fma(floats(b), splat(at(scaled, u + 1)), fma(floats(a), splat(at(scaled, u)), sums))


@compiled
def _two(codes, p):
    return load(codes, p), load(codes, p + RUN)


@compiled
def _pair_of_4(w, o, other, codes, sums, work, part):
    """Two rows, `other` words apart: what is loaded of the vector serves both."""
    (words, _, unit), (upper, lower), (mask, scaled), (start, end, _) = w, sums, work, part
    u = 0
    for p in range(start, end, 2 * RUN):
        here = _two(codes, p)
        upper = _two_runs(upper, mask, runs_of_4(words, o), here, unit, scaled, u)
        lower = _two_runs(lower, mask, runs_of_4(words, o + other), here, unit, scaled, UNITS + u)
        u += 2 * RUN // unit
        o += 16 + other
    return total(upper), total(lower)


@compiled
def _row_of_3(w, o, chunks, codes, sums, work, part):
    (words, _, unit), (mask, scaled), (start, end, _) = w, work, part
    more, u = 2 * RUN // unit, 0
    for p in range(start, end, 8 * RUN):
        a, b, c, d, e, f, g, h = runs_of_3(words, o)
        sums = _two_runs(sums, mask, (a, b), _two(codes, p), unit, scaled, u)
        here, u = _two(codes, p + 2 * RUN), u + more
        sums = _two_runs(sums, mask, (c, d), here, unit, scaled, u)
        here, u = _two(codes, p + 4 * RUN), u + more
        sums = _two_runs(sums, mask, (e, f), here, unit, scaled, u)
        here, u = _two(codes, p + 6 * RUN), u + more
        sums = _two_runs(sums, mask, (g, h), here, unit, scaled, u)
        u += more
        o += 48 * chunks
    return total(sums)


@compiled
def _row_of_2(w, o, chunks, codes, sums, work, part):
    (words, _, unit), (mask, scaled), (start, end, _) = w, work, part
    more, u = 2 * RUN // unit, 0
    for p in range(start, end, 4 * RUN):
        a, b, c, d = runs_of_2(words, o)
        sums = _two_runs(sums, mask, (a, b), _two(codes, p), unit, scaled, u)
        sums = _two_runs(sums, mask, (c, d), _two(codes, p + 2 * RUN), unit, scaled, u + more)
        u += 2 * more
        o += 16 * chunks
    return total(sums)


@compiled
def _rows_of_4(rows, w, places, x, work, part, y):
    """A panel of some rows, two at a time; where one is left, it is both."""
    (first, last), (o, s), (start, end, n_units) = rows, places, part
    u = start // w[2]
    for r in range(first, last, 2):
        alone = r + 1 == last
        upper = _scales(w, s, x, u, n_units, work[1], 0)
        lower = _scales(w, s if alone else s + n_units, x, u, n_units, work[1], UNITS)
        found = _pair_of_4(w, o, 0 if alone else 16, x[0], (upper, lower), work, part)
        y[r] += found[0]
        if not alone:
            y[r + 1] += found[1]
        o += (end - start) // 4
        s += 2 * n_units


@compiled
def _rows_of_fewer(rows, w, places, x, work, part, y, bits):
    """A panel of some rows, each in chunks between which there are those of its neighbour."""
    (first, last), (o, s), (start, end, n_units) = rows, places, part
    for r in range(first, last):
        second = (r - first) % 2
        chunks = 1 if r + 1 == last and not second else 2
        sums = _scales(w, s, x, start // w[2], n_units, work[1], 0)
        if bits == 3:
            y[r] += _row_of_3(w, o + 48 * second, chunks, x[0], sums, work, part)
        else:
            y[r] += _row_of_2(w, o + 16 * second, chunks, x[0], sums, work, part)
        o += second * 2 * (end - start) * bits // 32
        s += n_units


@compiled
def _multiply(first, last, sizes, w, offsets, x, sums, y):
    (n, room, bits, bits_of_code), unit = sizes, w[2]
    work = splat(bits_of_code), np.empty(2 * UNITS, np.float32)
    for tile in range(first, last):
        rows = top, bottom = tile * ROWS, min(n, (tile + 1) * ROWS)
        y[top:bottom] = 0
        for start in range(0, room, PANEL):
            end = min(room, start + PANEL)
            n_units = (end - start + 16 * unit - 1) // (16 * unit) * 16
            s = start // unit * n + top * n_units
            places = (start * n + top * (end - start)) * bits // 32, s
            part = start, end, n_units
            if bits == 4:
                _rows_of_4(rows, w, places, x, work, part, y)
            else:
                _rows_of_fewer(rows, w, places, x, work, part, y, bits)
            if offsets.size:
                for r in range(top, bottom):
                    y[r] += offset_sums(offsets, s, n_units, sums, start // unit)
                    s += n_units
