"""Words of 64 bits at any place of an array of bytes, the lowest byte first.

As everywhere in `simd`, a place is not checked where Numba compiles: the loops that use these keep
eight bytes away from every end. The NumPy twins do check, so that a run with
`NUMBA_DISABLE_JIT=1` finds what a compiled one would read or write beyond an array.
"""

import numpy as np
from jaxtyping import UInt8
from llvmlite import ir
from numba import types

from efficientdl.kernels.simd.memory import _address
from efficientdl.kernels.simd.register import Llvm, operation

Bytes = UInt8[np.ndarray, "_"]

WORD = 8  # bytes
QUARTER = 4  # bytes of a half word


def _is_place(array: Llvm, place: Llvm) -> bool:
    bytes_ = isinstance(array, types.Array) and array.dtype == types.uint8
    return bytes_ and isinstance(place, types.Integer)


def _load(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    address = _address(builder, context, signature, args)
    return builder.load(builder.bitcast(address, ir.IntType(64).as_pointer()), align=1)


def _store(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> None:
    address = _address(builder, context, signature, args)
    builder.store(args[2], builder.bitcast(address, args[2].type.as_pointer()), align=1)


def _store_types(array: Llvm, place: Llvm, value: Llvm) -> Llvm:
    word = value in (types.uint32, types.uint64)
    return types.void if _is_place(array, place) and word else None


@operation(lambda array, place: types.uint64 if _is_place(array, place) else None, _load)
def load_word(array: Bytes, place: int) -> np.uint64:
    """Eight bytes from a place on."""
    return _within(array, place, WORD).view("<u8")[0]


@operation(_store_types, _store)
def store_word(array: Bytes, place: int, value: np.uint64) -> None:
    """Write eight bytes, or four of a half word, from a place on."""
    _within(array, place, value.nbytes).view(f"<u{value.nbytes}")[0] = value


def _within(array: Bytes, place: int, n_bytes: int) -> Bytes:
    if not 0 <= place <= len(array) - n_bytes:
        raise IndexError(f"{n_bytes} bytes from {place} on are not within {len(array)}")
    return array[place : place + n_bytes]
