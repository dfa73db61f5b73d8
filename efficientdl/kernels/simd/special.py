"""What some processors do in one instruction, and others in several.

Each operation here is written for the set of instructions that the processor has when the kernel
is compiled, and for any: `portable` functions use none that a processor could lack.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Int8, Int32, Shaped, UInt8
from llvmlite import ir
from numba import types

from efficientdl.kernels import cpu
from efficientdl.kernels.simd.memory import _address, _is_flat
from efficientdl.kernels.simd.register import Llvm, Register, call, operation, register

Lanes = Shaped[np.ndarray, "lanes"]
Emit = Callable[..., Llvm]
I1, I8, I32 = ir.IntType(1), ir.IntType(8), ir.IntType(32)
LANES16, WORDS32 = ir.VectorType(I32, 16), ir.VectorType(ir.IntType(16), 32)
FLOATS16 = ir.VectorType(ir.FloatType(), 16)
UNKNOWN = ir.Undefined


def _dot_types(sums: Llvm, a: Llvm, b: Llvm) -> Llvm:
    fits = (sums, a, b) == (register(types.int32), register(types.uint8), register(types.int8))
    return sums if fits else None


def _dot_vnni(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    return call(builder, "llvm.x86.avx512.vpdpbusd.512", LANES16, args)


def _dot_portable(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    """Bytes in pairs of 16 bits: first those of even places, then the odd ones.

    Products of neighbours are added as `pmaddwd` adds them, and LLVM makes it of this where it is.
    """
    total, a, b = args
    left, right = (builder.bitcast(value, WORDS32) for value in (a, b))
    eight = WORDS32([8] * 32)
    evens = builder.and_(left, WORDS32([255] * 32)), builder.ashr(builder.shl(right, eight), eight)
    odds = builder.lshr(left, eight), builder.ashr(right, eight)
    unknown = ir.Constant(ir.VectorType(I32, 32), UNKNOWN)
    for factors in (evens, odds):
        product = builder.mul(*(builder.sext(f, unknown.type) for f in factors))
        first, second = (
            builder.shuffle_vector(product, unknown, LANES16(list(range(start, 32, 2))))
            for start in (0, 1)
        )
        total = builder.add(total, builder.add(first, second))
    return total


def _dot_twin(
    sums: Int32[np.ndarray, "16"], a: UInt8[np.ndarray, "64"], b: Int8[np.ndarray, "64"]
) -> Int32[np.ndarray, "16"]:
    return sums + (a.astype(np.int32) * b).reshape(16, 4).sum(axis=1, dtype=np.int32)


@operation(_dot_types, _dot_portable)
def dot4_portable(sums: Lanes, a: Lanes, b: Lanes) -> Llvm:
    """`dot4` without an instruction of its own."""
    return _dot_twin(sums, a, b)


@operation(_dot_types, _dot_vnni if cpu.has(cpu.AVX512, cpu.VNNI) else _dot_portable)
def dot4(sums: Lanes, a: Lanes, b: Lanes) -> Llvm:
    """Add to each sum four products of bytes: unsigned ones of `a` by signed ones of `b`.

    64 multiply-accumulates in one instruction where the processor has VNNI.
    """
    return _dot_twin(sums, a, b)


def _look_up_types(table: Llvm, index: Llvm) -> Llvm:
    indices = isinstance(index, Register) and index.lanes == 16 and not index.is_float
    return table if table == register(types.float32) and indices else None


def _look_up_512(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    return call(builder, "llvm.x86.avx512.permvar.sf.512", FLOATS16, args)


def _look_up_256(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    """Two tables of eight, each asked by two halves; the fourth bit chooses between them."""
    table, index = args
    eight = ir.VectorType(ir.FloatType(), 8)
    low, high = _halves(builder, table)
    parts: list[Llvm] = []
    for half in _halves(builder, index):
        found = [call(builder, "llvm.x86.avx2.permps", eight, [t, half]) for t in (low, high)]
        bit = builder.and_(half, half.type([8] * 8))
        upper = builder.icmp_unsigned("!=", bit, half.type([0] * 8))
        parts.append(builder.select(upper, found[1], found[0]))
    return builder.shuffle_vector(*parts, LANES16(list(range(16))))


def _halves(builder: Llvm, value: Llvm) -> list[Llvm]:
    places, unknown = ir.VectorType(I32, 8), ir.Constant(value.type, UNKNOWN)
    return [
        builder.shuffle_vector(value, unknown, places(list(range(start, start + 8))))
        for start in (0, 8)
    ]


def _look_up_portable(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    table, index = args
    index = builder.and_(index, index.type([15] * 16))
    out = ir.Constant(FLOATS16, UNKNOWN)
    for lane in range(16):
        place = builder.extract_element(index, I32(lane))
        out = builder.insert_element(out, builder.extract_element(table, place), I32(lane))
    return out


def _look_up_twin(
    table: Float32[np.ndarray, "16"], index: Shaped[np.ndarray, "16"]
) -> Float32[np.ndarray, "16"]:
    return table[index & 15]


@operation(_look_up_types, _look_up_portable)
def look_up_portable(table: Lanes, index: Lanes) -> Llvm:
    """`look_up` without an instruction of its own."""
    return _look_up_twin(table, index)


def _best(choices: Sequence[tuple[str, Emit]], otherwise: Emit) -> Emit:
    return next((emit for feature, emit in choices if cpu.has(feature)), otherwise)


@operation(
    _look_up_types,
    _best([(cpu.AVX512, _look_up_512), (cpu.AVX2, _look_up_256)], _look_up_portable),
)
def look_up(table: Lanes, index: Lanes) -> Llvm:
    """The floats of a table of 16 that the lowest four bits of each lane name.

    One instruction looks up 16 codes at once where the processor has AVX-512: four bits are
    turned into floats, evenly spaced or not, at no more cost than a multiplication.
    """
    return _look_up_twin(table, index)


def _expand_types(array: Llvm, place: Llvm, mask: Llvm) -> Llvm:
    fits = _is_flat(array, place) and array.dtype == types.float32
    return register(types.float32) if fits and isinstance(mask, types.Integer) else None


def _mask(builder: Llvm, context: Llvm, signature: Llvm, value: Llvm) -> Llvm:
    bits = context.cast(builder, value, signature.args[2], types.uint16)
    return builder.bitcast(bits, ir.VectorType(I1, 16))


def _expand_512(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    # Loaded first and spread in the register: spreading while loading is slow on some processors.
    address = builder.bitcast(_address(builder, context, signature, args), FLOATS16.as_pointer())
    packed, mask = builder.load(address, align=4), _mask(builder, context, signature, args[2])
    zeros = FLOATS16([0.0] * 16)
    return call(builder, "llvm.x86.avx512.mask.expand.v16f32", FLOATS16, [packed, zeros, mask])


def _expand_portable(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    first, mask = (
        _address(builder, context, signature, args),
        _mask(builder, context, signature, args[2]),
    )
    out, place = FLOATS16([0.0] * 16), ir.IntType(64)(0)
    zero = ir.Constant(ir.FloatType(), 0.0)
    for lane in range(16):
        there = builder.extract_element(mask, I32(lane))
        value = builder.select(there, builder.load(builder.gep(first, [place])), zero)
        out = builder.insert_element(out, value, I32(lane))
        place = builder.add(place, builder.zext(there, ir.IntType(64)))
    return out


def _expand_twin(
    array: Float32[np.ndarray, "..."], place: int, mask: int
) -> Float32[np.ndarray, "16"]:
    there = (int(mask) >> np.arange(16)) & 1 == 1
    out = np.zeros(16, np.float32)
    out[there] = array.reshape(-1)[place : place + int(there.sum())]
    return out


@operation(_expand_types, _expand_portable)
def expand_portable(array: Lanes, place: int, mask: int) -> Llvm:
    """`expand` without an instruction of its own."""
    return _expand_twin(array, place, mask)


@operation(_expand_types, _best([(cpu.AVX512, _expand_512)], _expand_portable))
def expand(array: Lanes, place: int, mask: int) -> Llvm:
    """Floats from a place on, one into each lane whose bit of `mask` is set; zeros elsewhere.

    A register's worth is read, whatever the mask: the array must be `aligned`'s.
    """
    return _expand_twin(array, place, mask)
