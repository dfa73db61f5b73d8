"""Operations on registers that products of bytes need beside those of `simd`."""

import numpy as np
from jaxtyping import Int32, Shaped
from llvmlite import ir
from numba import types

from efficientdl.kernels.simd.memory import _address, _is_flat
from efficientdl.kernels.simd.register import Llvm, Register, call, operation

Lanes = Shaped[np.ndarray, "lanes"]
LANES = 16
BYTES16 = ir.VectorType(ir.IntType(8), LANES)
LONG8 = ir.VectorType(ir.IntType(64), LANES // 2)
WORDS16 = Register(types.int32, LANES)


def _spread_types(array: Llvm, place: Llvm) -> Llvm:
    fits = _is_flat(array, place) and array.dtype == types.uint8
    return WORDS16 if fits else None


def _spread(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    address = _address(builder, context, signature, args)
    found = builder.load(builder.bitcast(address, BYTES16.as_pointer()), align=1)
    return builder.zext(found, WORDS16.llvm)


@operation(_spread_types, _spread)
def load_spread(array: Lanes, place: int) -> Int32[np.ndarray, "16"]:
    """16 bytes of an array, from a place on, each in a lane of its own."""
    return array.reshape(-1)[place : place + LANES].astype(np.int32)


def _rescale_types(*given: Llvm) -> Llvm:
    return WORDS16 if all(a == WORDS16 for a in given) else None


def _long_halves(builder: Llvm, value: Llvm) -> tuple[Llvm, Llvm]:
    """The lanes of even places and of odd ones, each in 64 bits with its sign."""
    pairs, by = builder.bitcast(value, LONG8), LONG8([32] * 8)
    return builder.ashr(builder.shl(pairs, by), by), builder.ashr(pairs, by)


def _rescale(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    one, by, low_word = LONG8([1] * 8), LONG8([32] * 8), LONG8([2**32 - 1] * 8)
    found: list[Llvm] = []
    halves = (_long_halves(builder, value) for value in args)
    for total, multiplier, shift, low, high in zip(*halves, strict=True):
        half = builder.shl(one, builder.sub(shift, one))
        steps = builder.ashr(builder.add(builder.mul(total, multiplier), half), shift)
        for name, end in (("smax", low), ("smin", high)):
            steps = call(builder, f"llvm.{name}.v8i64", LONG8, [steps, end])
        found.append(steps)
    joined = builder.or_(builder.and_(found[0], low_word), builder.shl(found[1], by))
    return builder.bitcast(joined, WORDS16.llvm)


@operation(_rescale_types, _rescale)
def rescaled(total: Lanes, multiplier: Lanes, shift: Lanes, low: Lanes, high: Lanes) -> Lanes:
    """`total multiplier 2**-shift`, a half upwards, and no farther than `low` and `high`.

    The product has 64 bits, and only the shift rounds. Two lanes of 32 bits stand where one of 64
    does, so that even and odd lanes are multiplied by turns and nothing is moved.
    """
    half = np.int64(1) << (shift.astype(np.int64) - 1)
    steps = (total.astype(np.int64) * multiplier + half) >> shift
    return np.clip(steps, low, high).astype(np.int32)
