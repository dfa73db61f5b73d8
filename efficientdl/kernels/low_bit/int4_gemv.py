"""A matrix of 4, 3 or 2 bits times a vector of floats: codes become floats in registers.

A product with one vector reads every weight once and is as fast as its bytes arrive. Four bits are
an eighth of a float's, so nothing is unpacked in memory: `look_up` turns 16 codes into the floats
that a table holds for them, whatever these are, and the products are the exact ones.
"""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.packed_codes import (
    PANEL,
    RUN,
    CodedWeights,
    PackedCodes,
    pack_codes,
)
from efficientdl.kernels.low_bit.runs import AHEAD, runs_of_2, runs_of_3
from efficientdl.kernels.low_bit.unpack import unpack_codes
from efficientdl.kernels.quads import load4
from efficientdl.kernels.simd import (
    aligned,
    as_uint32,
    at,
    fma,
    load,
    look_up,
    prefetch,
    splat,
    total,
)
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Vector = Float32[np.ndarray, " _"]
ROWS = 64  # of a tile


def _inputs(rng: np.random.Generator, size: int) -> tuple[Vector | PackedCodes, ...]:
    """Each width, even tables and codebooks, groups of 64, 128 and 192, offsets or none."""
    n, k, levels = size, 1 + 61 * (size - 1), (16, 8, 4)[size % 3]
    group = 64 * int(rng.integers(1, 4))
    shape = n, -(-k // group)
    weights = CodedWeights(
        rng.integers(0, levels, (n, k), dtype=np.uint8),
        rng.standard_normal(levels).astype(np.float32),
        rng.random(shape, dtype=np.float32),
        group,
        rng.standard_normal(shape).astype(np.float32) if size % 2 else None,
    )
    return rng.standard_normal(k).astype(np.float32), pack_codes(weights)


@technique(
    "kernel-int4-gemv",
    paper="Lin, Tang, Tang, Yang, Chen, Wang, Xiao, Dang, Gan, Han, AWQ: Activation-aware Weight "
    "Quantization for On-Device LLM Compression and Acceleration, 2024",
    survey="6.2",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs, tolerance=1e-4, reason="the same float sums in another order"),
)
def int4_gemv(x: Vector, weight: PackedCodes) -> Vector:
    """Multiply a packed matrix by a vector: `y = sum_g scale_g sum table[code] x + offset_g sum x`.

    A row's registers are loaded once, and what they meet of `x` once for two rows of four bits. For
    16 weights there is a shift, a look-up and a fused multiply-add; for a run of 64 one more
    multiplication by its group's scale.

    Args:
        x: Finite floats, as many as a row has weights.
        weight: What `pack_codes` made of codes, a table, scales and offsets.

    Raises:
        BadKind: `x` is not float32, or the weight is not packed.
        BadValue: `x` has another length, or is not finite.

    >>> codes, table = np.uint8([[0, 1, 2, 3]]), np.float32([-1.0, 0.0, 0.5, 2.0])
    >>> packed = pack_codes(CodedWeights(codes, table, np.float32([[10.0]]), 64))
    >>> int4_gemv(np.float32([1.0, 1.0, 1.0, 1.0]), packed)
    array([15.], dtype=float32)

    Source: Lin et al., "AWQ", MLSys 2024, section 4, for packed weights read in the order of the
    registers; Han, Mao, Dally, "Deep Compression", ICLR 2016, section 3, for codebooks; the
    survey's section 6.2; lab 13.
    """
    demand_vector("int4_gemv", x, weight)
    padded = aligned(weight.room, np.float32)
    padded[: weight.k] = x
    y = np.empty(weight.n, np.float32)
    sums = aligned(weight.n_units, np.float32)
    if weight.offsets.size:  # of each unit of x, for the offsets
        sums[: weight.room // weight.unit] = padded.reshape(-1, weight.unit).sum(axis=1)
    deal(
        _multiply,
        -(-weight.n // ROWS),
        (weight.n, weight.room, weight.bits),
        (weight.words, weight.scales, weight.unit, weight.words.view(np.uint8)),
        weight.table,
        weight.offsets,
        (padded, sums),
        y,
    )
    return y


def int4_gemv_reference(x: Vector, weight: PackedCodes) -> Vector:
    """The same in NumPy: the weights as floats, times `x`, in double precision."""
    return (unpack_codes(weight).dense.astype(np.float64) @ x).astype(np.float32)


def int4_gemv_cost(x: tuple[int, ...], weight: PackedCodes) -> Cost:
    """MACs, and the bytes of codes, scales and offsets, of the vector and of the sums.

    >>> weights = CodedWeights(np.zeros((8, 128), np.uint8), np.ones(16, np.float32),
    ...                        np.ones((8, 1), np.float32), 128)
    >>> int4_gemv_cost((128,), pack_codes(weights))
    Cost(macs=1024, traffic_bytes=1088)
    """
    k, n = x[0], weight.n
    n_scales = n * -(-k // weight.unit) * (2 if weight.offsets.size else 1)
    return Cost(macs=n * k, traffic_bytes=n * k * weight.bits // 8 + 4 * (n_scales + k + n))


def demand_vector(caller: str, x: Vector, weight: PackedCodes) -> None:
    """Demand a float32 vector that fits a packed matrix."""
    _check.kind(caller, "weight", weight, PackedCodes)
    demand_array(caller, "x", x, np.float32)
    if x.shape != (weight.k,):
        _check.fail(caller, "shape of x", f"must be ({weight.k},)", x.shape)
    if not np.isfinite(x).all():
        _check.fail(caller, "x", "must be finite", float(x[~np.isfinite(x)][0]))


@compiled
def _run(table, codes, x, place):
    """The products of a run, in 16 sums."""
    first = look_up(table, codes) * load(x, place)
    second = look_up(table, codes >> 8) * load(x, place + 16)
    first = fma(look_up(table, codes >> 16), load(x, place + 32), first)
    second = fma(look_up(table, codes >> 24), load(x, place + 48), second)
    return first + second


@compiled
def _scaled(sums, runs, w, s):
    """Sums and two runs more, each with its scale, or both with one."""
    _, scales, unit, _ = w
    if unit == 2 * RUN:
        return fma(runs[0] + runs[1], splat(at(scales, s)), sums)
    return fma(runs[1], splat(at(scales, s + 1)), fma(runs[0], splat(at(scales, s)), sums))


@compiled
def _two_runs(sums, table, runs, x, place, w, s):
    """The products of two runs, and their scales."""
    runs = _run(table, runs[0], x, place), _run(table, runs[1], x, place + RUN)
    return _scaled(sums, runs, w, s)


@compiled
def _product(table, codes, o, x):
    """The products of two runs, each in 16 sums, with what of `x` another row meets too.

    A register that is read a byte further on is one that was shifted by eight bits.
    """
    c = as_uint32(load(codes, o))
    a, b = look_up(table, c) * x[0], look_up(table, c >> 4) * x[4]
    c = as_uint32(load(codes, o + 1))
    a, b = fma(look_up(table, c), x[1], a), fma(look_up(table, c >> 4), x[5], b)
    c = as_uint32(load(codes, o + 2))
    a, b = fma(look_up(table, c), x[2], a), fma(look_up(table, c >> 4), x[6], b)
    c = as_uint32(load(codes, o + 3))
    return fma(look_up(table, c), x[3], a), fma(look_up(table, c >> 4), x[7], b)


@compiled
def _pair_of_4(w, o, s, down, table, x, part):
    """Two rows, `down` scales apart: what is loaded of `x` serves both."""
    (start, end, _), codes = part, w[3]
    upper, more = splat(np.float32(0)), 2 * RUN // w[2]
    lower, other = upper, RUN if down else 0
    for p in range(start, end, 2 * RUN):
        prefetch(codes, o + 4 * AHEAD)
        prefetch(codes, o + 4 * AHEAD + other)
        here = load4(x, p) + load4(x, p + RUN)
        upper = _scaled(upper, _product(table, codes, o, here), w, s)
        lower = _scaled(lower, _product(table, codes, o + other, here), w, s + down)
        s += more
        o += RUN + other
    return total(upper), total(lower)


@compiled
def _row_of_3(w, o, s, chunks, table, x, start, end):
    sums, more = splat(np.float32(0)), 2 * RUN // w[2]
    for p in range(start, end, 8 * RUN):
        a, b, c, d, e, f, g, h = runs_of_3(w[0], o)
        sums = _two_runs(sums, table, (a, b), x, p, w, s)
        sums = _two_runs(sums, table, (c, d), x, p + 2 * RUN, w, s + more)
        sums = _two_runs(sums, table, (e, f), x, p + 4 * RUN, w, s + 2 * more)
        sums = _two_runs(sums, table, (g, h), x, p + 6 * RUN, w, s + 3 * more)
        s += 4 * more
        o += 48 * chunks
    return total(sums)


@compiled
def _row_of_2(w, o, s, chunks, table, x, start, end):
    sums, more = splat(np.float32(0)), 2 * RUN // w[2]
    for p in range(start, end, 4 * RUN):
        a, b, c, d = runs_of_2(w[0], o)
        sums = _two_runs(sums, table, (a, b), x, p, w, s)
        sums = _two_runs(sums, table, (c, d), x, p + 2 * RUN, w, s + more)
        s += 2 * more
        o += 16 * chunks
    return total(sums)


@compiled
def offset_sums(offsets, s, n_units, sums, u) -> np.float32:
    """What offsets add to a row: each times the sum of its unit of `x`."""
    out = splat(np.float32(0))
    for p in range(0, n_units, 16):
        out = fma(load(offsets, s + p), load(sums, u + p), out)
    return total(out)


@compiled
def _rows_of_4(rows, w, places, part, table, x, y):
    """A panel of some rows, two at a time; where one is left, it is both."""
    (first, last), (o, s), (start, end, n_units) = rows, places, part
    for r in range(first, last, 2):
        alone = r + 1 == last
        upper, lower = _pair_of_4(w, 4 * o, s, 0 if alone else n_units, table, x, part)
        y[r] += upper
        if not alone:
            y[r + 1] += lower
        o += (end - start) // 4
        s += 2 * n_units


@compiled
def _rows_of_fewer(rows, w, places, part, table, x, y, bits):
    """A panel of some rows, each in chunks between which there are those of its neighbour."""
    (first, last), (o, s), (start, end, n_units) = rows, places, part
    for r in range(first, last):
        second = (r - first) % 2
        chunks = 1 if r + 1 == last and not second else 2
        if bits == 3:
            y[r] += _row_of_3(w, o + 48 * second, s, chunks, table, x, start, end)
        else:
            y[r] += _row_of_2(w, o + 16 * second, s, chunks, table, x, start, end)
        o += second * 2 * (end - start) * bits // 32
        s += n_units


@compiled
def _multiply(first, last, sizes, w, table, offsets, x, y):
    """Tiles of rows; `w` is the words, their scales, the weights of a scale, the words' bytes."""
    (n, room, bits), (floats, sums), unit = sizes, x, w[2]
    levels = load(table, 0)
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
                _rows_of_4(rows, w, places, part, levels, floats, y)
            else:
                _rows_of_fewer(rows, w, places, part, levels, floats, y, bits)
            if offsets.size:
                for r in range(top, bottom):
                    y[r] += offset_sums(offsets, s, n_units, sums, start // unit)
                    s += n_units
