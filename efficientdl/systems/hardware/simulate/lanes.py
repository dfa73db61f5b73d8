"""Units side by side in a register of the processor: what an array needs beside `kernels.simd`."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import aligned
from efficientdl.kernels.simd.memory import Array, Lanes
from efficientdl.kernels.simd.register import Llvm, Register, call, operation

F = TypeVar("F", bound=Callable[..., Any])
LANES = 16  # units that are looked at together: a register of 32-bit sums, or two of 64-bit ones


def inlined(function: F) -> F:
    """Compile a part of a loop into the loop that calls it, once a cycle.

    A call would first count, for each array of the machine, who else holds it.
    """
    dispatcher: Any = njit(nogil=True, inline="always")(function)
    return dispatcher


def _address(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    array = context.make_array(signature.args[0])(context, builder, args[0])
    place = context.cast(builder, args[1], signature.args[1], types.intp)
    return builder.gep(array.data, [place])


def _is_place(array: Llvm, place: Llvm) -> bool:
    return isinstance(array, types.Array) and isinstance(place, types.Integer)


def _as_it_is(array: Llvm, place: Llvm) -> Llvm:
    return Register(array.dtype, LANES) if _is_place(array, place) else None


def _as_wide(array: Llvm, place: Llvm, like: Llvm) -> Llvm:
    return like if _is_place(array, place) and isinstance(like, Register) else None


def _load(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    element, kind = signature.args[0].dtype, signature.return_type
    narrow = Register(element, kind.lanes)
    address = builder.bitcast(_address(builder, context, signature, args), _pointer(narrow))
    words = builder.load(address, align=element.bitwidth // 8)
    return words if element == kind.element else builder.sext(words, kind.llvm)


def _pointer(register: Llvm) -> Any:  # noqa: ANN401
    return register.llvm.as_pointer()


@operation(_as_it_is, _load)
def words(array: Array, place: int) -> Lanes:
    """Sixteen words of an array, from a place on, whatever their width."""
    return array.reshape(-1)[place : place + LANES].copy()


@operation(_as_wide, _load)
def widened(array: Array, place: int, like: Lanes) -> Lanes:
    """Sixteen words of an array, as wide as those of `like`."""
    return array.reshape(-1)[place : place + LANES].astype(like.dtype)


@inlined
def summed(sums: Array, x: Array, weight: Array, here: int, word: int) -> Lanes:
    """Sixteen sums and their products: the weights beside them times words of x."""
    total = words(sums, here)
    return total + widened(x, word, total) * widened(weight, here, total)


def _stored_whole(array: Llvm, place: Llvm, value: Llvm) -> Llvm:
    return types.void if _is_place(array, place) and value.element == array.dtype else None


def _store(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> None:
    value = signature.args[2]
    address = builder.bitcast(_address(builder, context, signature, args), _pointer(value))
    builder.store(args[2], address, align=value.element.bitwidth // 8)


@operation(_stored_whole, _store)
def store_words(array: Array, place: int, value: Lanes) -> None:
    """Write a register into an array."""
    array.reshape(-1)[place : place + len(value)] = value


def _stored(array: Llvm, place: Llvm, value: Llvm, n: Llvm) -> Llvm:
    fits = _is_place(array, place) and isinstance(n, types.Integer)
    return types.void if fits and value.element == array.dtype else None


def _store_first(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> None:
    value = signature.args[2]
    address = builder.bitcast(_address(builder, context, signature, args), _pointer(value))
    many = context.cast(builder, args[3], signature.args[3], types.int32)
    counted = ir.VectorType(ir.IntType(32), value.lanes)
    numbers = ir.Constant(counted, list(range(value.lanes)))
    limit = builder.insert_element(ir.Constant(counted, ir.Undefined), many, ir.IntType(32)(0))
    limit = builder.shuffle_vector(limit, limit, ir.Constant(counted, [0] * value.lanes))
    mask = builder.icmp_signed("<", numbers, limit)
    letter = "f" if value.is_float else "i"
    name = f"llvm.masked.store.v{value.lanes}{letter}{value.element.bitwidth}.p0"
    size = ir.IntType(32)(value.element.bitwidth // 8)
    call(builder, name, ir.VoidType(), [args[2], address, size, mask])


@operation(_stored, _store_first)
def store_first(array: Array, place: int, value: Lanes, n: int) -> None:
    """Write the first n lanes of a register into an array; all, where n is larger."""
    array.reshape(-1)[place : place + min(n, len(value))] = value[: max(n, 0)]


@compiled
def window(first: int, steps: int, cols: int) -> tuple[int, int]:
    """Which columns have a word, when the first of `steps` words is in column `first`.

    >>> window(2, 9, 4), window(5, 2, 9), window(-1, 9, 4)
    ((0, 3), (4, 6), (0, 0))
    """
    left = max(0, first - steps + 1)
    return left, max(left, min(cols, first + 1))


@inlined
def moved_down(array: Array, row: int, deep: int, left: int, right: int) -> None:
    """Words of a part of a row take the places of those `deep` rows below."""
    here = row * array.shape[1] + left
    below, n = here + deep * array.shape[1], max(0, right - left)
    whole = n - n % LANES
    for c in range(0, whole, LANES):
        store_words(array, below + c, words(array, here + c))
    if whole < n:
        store_first(array, below + whole, words(array, here + whole), n - whole)


def grid(rows: int, cols: int, dtype: type | np.dtype[Any]) -> Array:
    """Zeros for a row of units each, and room for a register behind every place.

    >>> grid(3, 4, np.int32).shape
    (4, 16)
    """
    return aligned((rows + 1, -(-cols // LANES) * LANES), dtype)
