"""Between memory and registers: nothing here asks whether a place is inside its array.

A kernel's Python wrapper has checked every index before, and made its arrays of `aligned`, which
leaves a register's room behind the end. Arrays are flat; places count in elements.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Shaped
from llvmlite import ir
from numba import types
from numba.np import arrayobj

from efficientdl.kernels.simd.register import (
    BYTES,
    Llvm,
    call,
    lanes_of,
    operation,
    register,
    spread,
)

Array = Shaped[np.ndarray, "..."]
Lanes = Shaped[np.ndarray, "lanes"]


def aligned(shape: int | tuple[int, ...], dtype: type | np.dtype[Any]) -> Array:
    """Zeros that begin where a cache line does, with a register's room behind the end.

    A register that straddles two lines is loaded twice. NumPy's own arrays begin at any multiple
    of 16 bytes.

    >>> made = aligned((3, 5), np.float32)
    >>> made.shape, made.ctypes.data % 64
    ((3, 5), 0)
    """
    dtype = np.dtype(dtype)
    return _at_a_line(np.zeros(_bytes_of(shape, dtype), np.uint8), shape, dtype)


def room(shape: int | tuple[int, ...], dtype: type | np.dtype[Any]) -> Array:
    """Like `aligned`, but not zeroed: for what a kernel writes before anything reads it.

    >>> made = room((3, 5), np.float32)
    >>> made.shape, made.ctypes.data % 64
    ((3, 5), 0)
    """
    dtype = np.dtype(dtype)
    return _at_a_line(np.empty(_bytes_of(shape, dtype), np.uint8), shape, dtype)


def _bytes_of(shape: int | tuple[int, ...], dtype: np.dtype[Any]) -> int:
    n = shape if isinstance(shape, (int, np.integer)) else math.prod(shape)
    return int(n) * dtype.itemsize + 2 * BYTES


def _at_a_line(
    buffer: np.ndarray, shape: int | tuple[int, ...], dtype: np.dtype[Any]
) -> np.ndarray:
    return np.ndarray(shape, dtype, buffer=buffer, offset=-buffer.ctypes.data % BYTES)


def _is_flat(array: Llvm, place: Llvm) -> bool:
    return isinstance(array, types.Array) and isinstance(place, types.Integer)


def _loaded(n_bytes: int) -> Llvm:
    def typing(array: Llvm, place: Llvm) -> Llvm:
        return register(array.dtype, n_bytes) if _is_flat(array, place) else None

    return typing


def _stored(array: Llvm, place: Llvm, value: Llvm) -> Llvm:
    return types.void if _is_flat(array, place) and value.element == array.dtype else None


def _address(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    array = arrayobj.make_array(signature.args[0])(context, builder, args[0])
    place = context.cast(builder, args[1], signature.args[1], types.intp)
    return builder.gep(array.data, [place])


def _load(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    address = _address(builder, context, signature, args)
    kind = signature.return_type.llvm
    size = signature.args[0].dtype.bitwidth // 8
    return builder.load(builder.bitcast(address, kind.as_pointer()), align=size)


def _store(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> None:
    address = _address(builder, context, signature, args)
    kind = signature.args[2].llvm
    size = signature.args[0].dtype.bitwidth // 8
    builder.store(args[2], builder.bitcast(address, kind.as_pointer()), align=size)


@operation(_loaded(BYTES), _load)
def load(array: Array, place: int) -> Lanes:
    """A register's worth of an array, from a place on."""
    return array.reshape(-1)[place : place + lanes_of(array.dtype)].copy()


@operation(_loaded(BYTES // 2), _load)
def load_half(array: Array, place: int) -> Lanes:
    """Half a register's worth: what a narrow matrix fills."""
    return array.reshape(-1)[place : place + lanes_of(array.dtype) // 2].copy()


@operation(_stored, _store)
def store(array: Array, place: int, value: Lanes) -> None:
    """Write a register, or half a one, into an array, from a place on."""
    array.reshape(-1)[place : place + len(value)] = value


def _at(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    return builder.load(_address(builder, context, signature, args))


@operation(lambda array, place: array.dtype if _is_flat(array, place) else None, _at)
def at(array: Array, place: int) -> Llvm:
    """One number of an array. `array[place]` would first ask whether the place is negative."""
    return array.reshape(-1)[place]


def _splat(n_bytes: int) -> Llvm:
    def emit(builder: Llvm, _context: object, signature: Llvm, args: Llvm) -> Llvm:
        return spread(builder, args[0], signature.return_type.lanes)

    def typing(value: Llvm) -> Llvm:
        return register(value, n_bytes) if isinstance(value, types.Number) else None

    return operation(typing, emit)


@_splat(BYTES)
def splat(value: float) -> Lanes:
    """One number in every lane of a register."""
    return np.full(lanes_of(np.asarray(value).dtype), value)


@_splat(BYTES // 2)
def splat_half(value: float) -> Lanes:
    """One number in every lane of half a register."""
    return np.full(lanes_of(np.asarray(value).dtype) // 2, value)


def _prefetch(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> None:
    address = builder.bitcast(
        _address(builder, context, signature, args), ir.IntType(8).as_pointer()
    )
    to_read, near, data = (ir.IntType(32)(number) for number in (0, 3, 1))
    call(builder, "llvm.prefetch.p0", ir.VoidType(), [address, to_read, near, data])


@operation(lambda array, place: types.void if _is_flat(array, place) else None, _prefetch)
def prefetch(array: Array, place: int) -> None:
    """Ask for a cache line before it is needed. It may lie outside: nothing is read."""
