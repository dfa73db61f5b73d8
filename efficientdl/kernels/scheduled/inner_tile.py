"""The innermost tile: some rows by some registers of sums, as many as a schedule asks for.

How many they are is not a number but a type: `rows` and `registers` are tuples, of which only the
length counts. So the compiler knows it, all sums stay in registers, and one text serves every
schedule. An element of `x` stands at the sum of two places, its row's and its step's:

    y[i, :] += x[base[i] + offset[p]] * w[p, :]

For a matrix they are `i k` and `p`; for a convolution, an output's corner and a tap.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.np import arrayobj

from efficientdl.kernels.scheduled.schedule import LANES
from efficientdl.kernels.simd.memory import Array
from efficientdl.kernels.simd.register import Llvm, call, operation, register, spread

FLOATS = ir.VectorType(ir.FloatType(), LANES)
_REGISTER = register(types.float32)
_PLACE = ir.IntType(64)
Sums = Any  # a tuple of registers, row by row


def _sums(n: int) -> Llvm:
    return types.UniTuple(_REGISTER, n)


def _floats(*arrays: Llvm) -> bool:
    return all(isinstance(a, types.Array) and a.dtype == types.float32 for a in arrays)


def _tuples(*given: Llvm) -> bool:
    return all(isinstance(a, types.UniTuple) for a in given)


def _data(builder: Llvm, context: Llvm, kind: Llvm, value: Llvm) -> Llvm:
    """The address of an array's first element."""
    return arrayobj.make_array(kind)(context, builder, value).data


def _register_at(builder: Llvm, first: Llvm, place: Llvm) -> Llvm:
    return builder.bitcast(builder.gep(first, [place]), FLOATS.as_pointer())


def _plus(builder: Llvm, place: Llvm, n: int) -> Llvm:
    return builder.add(place, _PLACE(n))


def _packed(builder: Llvm, context: Llvm, signature: Llvm, values: list[Llvm]) -> Llvm:
    return context.make_tuple(builder, signature.return_type, values)


# No sums yet.


def _zeros(builder: Llvm, context: Llvm, signature: Llvm, _args: Llvm) -> Llvm:
    zero = FLOATS([0.0] * LANES)
    return _packed(builder, context, signature, [zero] * signature.return_type.count)


@operation(
    lambda rows, cols: _sums(rows.count * cols.count) if _tuples(rows, cols) else None, _zeros
)
def no_sums(rows: tuple[int, ...], registers: tuple[int, ...]) -> Sums:
    """Zeros: rows by registers of them."""
    return tuple(np.zeros(LANES, np.float32) for _ in range(len(rows) * len(registers)))


# Sums from memory and back. Rows stand `width` elements apart.


def _places(builder: Llvm, place: Llvm, width: Llvm, n_rows: int, n: int) -> list[Llvm]:
    found = []
    for _ in range(n_rows):
        found += [_plus(builder, place, LANES * j) for j in range(n)]
        place = builder.add(place, width)
    return found


def _fetched(y: Llvm, _place: Llvm, _width: Llvm, rows: Llvm, cols: Llvm) -> Llvm:
    return _sums(rows.count * cols.count) if _floats(y) and _tuples(rows, cols) else None


def _fetch(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    y, place, width, _, _ = signature.args
    first = _data(builder, context, y, args[0])
    start, width = (
        context.cast(builder, value, kind, types.int64)
        for value, kind in zip(args[1:3], (place, width), strict=True)
    )
    n_rows, n = (kind.count for kind in signature.args[3:])
    places = _places(builder, start, width, n_rows, n)
    loaded = [builder.load(_register_at(builder, first, p), align=4) for p in places]
    return _packed(builder, context, signature, loaded)


@operation(_fetched, _fetch)
def sums_at(
    y: Array,
    place: int,
    width: int,
    rows: tuple[int, ...],
    registers: tuple[int, ...],
) -> Sums:
    """The sums that stand in `y` from a place on."""
    flat = y.reshape(-1)
    starts = [
        place + i * width + LANES * j for i in range(len(rows)) for j in range(len(registers))
    ]
    return tuple(flat[s : s + LANES].copy() for s in starts)


def _put_types(y: Llvm, _place: Llvm, _width: Llvm, sums: Llvm, rows: Llvm) -> Llvm:
    return types.void if _floats(y) and _tuples(sums, rows) else None


def _put(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> None:
    y, place, width, sums, rows = signature.args
    first = _data(builder, context, y, args[0])
    start, width = (
        context.cast(builder, value, kind, types.int64)
        for value, kind in zip(args[1:3], (place, width), strict=True)
    )
    values = cgutils.unpack_tuple(builder, args[3], sums.count)
    places = _places(builder, start, width, rows.count, sums.count // rows.count)
    for value, where in zip(values, places, strict=True):
        builder.store(value, _register_at(builder, first, where), align=4)


@operation(_put_types, _put)
def put_sums(y: Array, place: int, width: int, sums: Sums, rows: tuple[int, ...]) -> None:
    """Write sums into `y` from a place on."""
    flat, n = y.reshape(-1), len(sums) // len(rows)
    for i, value in enumerate(sums):
        start = place + i // n * width + LANES * (i % n)
        flat[start : start + LANES] = value


# Where the rows of `x` begin.


def _whole(array: Llvm) -> bool:
    return isinstance(array, types.Array) and array.dtype == types.int64


def _based(table: Llvm, _i: Llvm, rows: Llvm) -> Llvm:
    return types.UniTuple(types.int64, rows.count) if _whole(table) and _tuples(rows) else None


def _bases(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    table, i, _ = signature.args
    first = _data(builder, context, table, args[0])
    start = context.cast(builder, args[1], i, types.int64)
    n = signature.return_type.count
    places = [builder.gep(first, [_plus(builder, start, r)]) for r in range(n)]
    return _packed(builder, context, signature, [builder.load(p) for p in places])


@operation(_based, _bases)
def bases_at(table: Array, i: int, rows: tuple[int, ...]) -> tuple[int, ...]:
    """The bases of as many rows, from row `i` on."""
    return tuple(int(table[i + r]) for r in range(len(rows)))


# The work: some steps of products.


def _stepped(sums: Llvm, x: Llvm, bases: Llvm, offsets: Llvm, p: Llvm, *rest: Llvm) -> Llvm:
    w, _, steps = rest
    fits = _tuples(sums, bases, steps) and _floats(x, w) and _whole(offsets)
    return sums if fits and isinstance(p, types.Integer) else None


def _steps(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    sums, x, bases, offsets, p, w, place, steps = signature.args
    first_x = _data(builder, context, x, args[1])
    first_offset = _data(builder, context, offsets, args[3])
    first_w = _data(builder, context, w, args[5])
    p = context.cast(builder, args[4], p, types.int64)
    place = context.cast(builder, args[6], place, types.int64)
    n_rows = bases.count
    n = sums.count // n_rows
    totals = cgutils.unpack_tuple(builder, args[0], sums.count)
    rows = cgutils.unpack_tuple(builder, args[2], n_rows)
    for step in range(steps.count):
        offset = builder.load(builder.gep(first_offset, [_plus(builder, p, step)]))
        at_w = [_plus(builder, place, LANES * (step * n + j)) for j in range(n)]
        columns = [builder.load(_register_at(builder, first_w, a), align=4) for a in at_w]
        for i in range(n_rows):
            value = builder.load(builder.gep(first_x, [builder.add(rows[i], offset)]))
            wide = spread(builder, value, LANES)
            for j in range(n):
                terms = [wide, columns[j], totals[i * n + j]]
                totals[i * n + j] = call(builder, "llvm.fma.v16f32", FLOATS, terms)
    return _packed(builder, context, signature, totals)


@operation(_stepped, _steps)
def add_steps(
    sums: Sums,
    x: Array,
    bases: tuple[int, ...],
    offsets: Array,
    p: int,
    w: Array,
    place: int,
    steps: tuple[int, ...],
) -> Sums:
    """Add the products of steps `p, p + 1, ...`, as many as `steps` is long.

    `w` holds the registers of one step after those of the other, from `place` on.
    """
    totals, n = list(sums), len(sums) // len(bases)
    flat_x, flat_w = x.reshape(-1), w.reshape(-1)
    for step in range(len(steps)):
        for i, base in enumerate(bases):
            value = np.float64(flat_x[base + offsets[p + step]])
            for j in range(n):
                start = place + LANES * (step * n + j)
                wide = value * flat_w[start : start + LANES]
                totals[i * n + j] = (wide + totals[i * n + j]).astype(np.float32)
    return tuple(totals)
