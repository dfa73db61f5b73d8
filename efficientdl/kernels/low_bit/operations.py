"""Operations on registers that products of few bits need beside those of `simd`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float32, Int8, Int32, Int64, Shaped, UInt8, UInt64
from llvmlite import ir
from numba import types

from efficientdl.kernels.simd.register import Llvm, Register, call, operation

Lanes = Shaped[np.ndarray, "lanes"]
FLOAT = ir.FloatType()


def _bytes_of(a: Llvm) -> Llvm:
    whole = isinstance(a, Register) and a.element == types.int32
    return Register(types.uint8, a.lanes) if whole else None


def _to_bytes(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
    kind = signature.args[0].llvm
    for name, end in (("smax", 0), ("smin", 255)):
        ends = kind([end] * signature.args[0].lanes)
        args = [call(builder, f"llvm.{name}.v{kind.count}i32", kind, [args[0], ends])]
    return builder.trunc(args[0], signature.return_type.llvm)


@operation(_bytes_of, _to_bytes)
def narrow_bytes(a: Int32[np.ndarray, "lanes"]) -> UInt8[np.ndarray, "lanes"]:
    """Whole numbers as bytes without a sign; what does not fit takes the end, 0 or 255."""
    return np.clip(a, 0, 255).astype(np.uint8)


def _signed_bytes_of(a: Llvm) -> Llvm:
    return Register(types.int8, a.lanes) if _is_whole(a) else None


def _is_whole(a: Llvm) -> bool:
    return isinstance(a, Register) and not a.is_float


def _cut(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
    return builder.trunc(args[0], signature.return_type.llvm)


@operation(_signed_bytes_of, _cut)
def low_bytes(a: Lanes) -> Int8[np.ndarray, "lanes"]:
    """The lowest byte of each whole number, with its sign."""
    return a.astype(np.int8)


def _long_of(a: Llvm) -> Llvm:
    whole = isinstance(a, Register) and a.element == types.int32
    return Register(types.int64, a.lanes) if whole else None


def _widen(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
    return builder.sext(args[0], signature.return_type.llvm)


@operation(_long_of, _widen)
def widen(a: Int32[np.ndarray, "lanes"]) -> Int64[np.ndarray, "lanes"]:
    """Whole numbers of 32 bits in 64 bits: half a register becomes a whole one."""
    return a.astype(np.int64)


def _shift_each(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    return builder.ashr(*args)


@operation(lambda a, by: a if _is_whole(a) and a.signed and a == by else None, _shift_each)
def shift_each(a: Lanes, by: Lanes) -> Lanes:
    """Each whole number shifted to the right by its own number of places."""
    return a >> by


def _between(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
    kind = signature.return_type
    inside, low, high = args
    for name, end in (("smax", low), ("smin", high)):
        full = f"llvm.{name}.v{kind.lanes}i{kind.element.bitwidth}"
        inside = call(builder, full, kind.llvm, [inside, end])
    return inside


def _thrice(a: Llvm, low: Llvm, high: Llvm) -> Llvm:
    return a if _is_whole(a) and a.signed and a == low == high else None


@operation(_thrice, _between)
def between(a: Lanes, low: Lanes, high: Lanes) -> Lanes:
    """Whole numbers; where one is outside `low .. high`, the end that it passed."""
    return np.minimum(np.maximum(a, low), high)


def _words_of(a: Llvm) -> Llvm:
    long = isinstance(a, Register) and a.element == types.uint64
    return Register(types.int32, a.lanes) if long else None


@operation(_words_of, _cut)
def low_words(a: UInt64[np.ndarray, "lanes"]) -> Int32[np.ndarray, "lanes"]:
    """The lower 32 bits of each number of 64."""
    return a.astype(np.uint32).view(np.int32)


def _reduced(name: str) -> Callable[..., Any]:
    def emit(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
        lanes = signature.args[0].lanes
        return call(builder, f"llvm.vector.reduce.{name}.v{lanes}f32", FLOAT, args)

    def typing(a: Llvm) -> Llvm:
        floats = isinstance(a, Register) and a.element == types.float32
        return types.float32 if floats else None

    return operation(typing, emit)


@_reduced("fmin")
def least(a: Float32[np.ndarray, "lanes"]) -> np.float32:
    """The least of all lanes."""
    return np.fmin.reduce(a)


@_reduced("fmax")
def largest(a: Float32[np.ndarray, "lanes"]) -> np.float32:
    """The largest of all lanes."""
    return np.fmax.reduce(a)


def _sign_bits(sign: str) -> Callable[..., Any]:
    """A bit for each lane that stands so to zero, the first lane's the lowest."""

    def emit(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
        kind = signature.args[0]
        there = builder.fcmp_ordered(sign, args[0], kind.llvm([0.0] * kind.lanes))
        return builder.zext(builder.bitcast(there, ir.IntType(kind.lanes)), ir.IntType(64))

    def typing(a: Llvm) -> Llvm:
        floats = isinstance(a, Register) and a.element == types.float32
        return types.uint64 if floats else None

    return operation(typing, emit)


@_sign_bits(">=")
def bits_of_positive(a: Float32[np.ndarray, "lanes"]) -> np.uint64:
    """A bit for each lane that is 0 or more, the first lane's the lowest; none for NaN."""
    return np.uint64(sum(1 << lane for lane, value in enumerate(a) if value >= 0))


@_sign_bits("<")
def bits_of_negative(a: Float32[np.ndarray, "lanes"]) -> np.uint64:
    """A bit for each lane that is below 0, the first lane's the lowest; none for NaN."""
    return np.uint64(sum(1 << lane for lane, value in enumerate(a) if value < 0))
