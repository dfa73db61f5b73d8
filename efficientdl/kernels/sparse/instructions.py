"""Two operations that sparse kernels ask of the processor: counting ones, and a table of 32."""

import numpy as np
from jaxtyping import Float32, Shaped
from llvmlite import ir
from numba import types

from efficientdl.kernels import cpu
from efficientdl.kernels.simd.register import Llvm, call, operation, register

Lanes = Shaped[np.ndarray, "lanes"]
FLOATS16, I32 = ir.VectorType(ir.FloatType(), 16), ir.IntType(32)


def _whole(word: Llvm) -> Llvm:
    return types.int64 if isinstance(word, types.Integer) else None


def _ones(builder: Llvm, context: Llvm, signature: Llvm, args: Llvm) -> Llvm:
    word = context.cast(builder, args[0], signature.args[0], types.uint64)
    return call(builder, "llvm.ctpop.i64", ir.IntType(64), [word])


@operation(_whole, _ones)
def ones(word: int) -> int:
    """How many bits of an unsigned number are ones."""
    return int(word).bit_count()


def _table_types(low: Llvm, high: Llvm, index: Llvm) -> Llvm:
    floats = register(types.float32)
    return floats if (low, high, index) == (floats, floats, register(types.uint32)) else None


def _look_up_512(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    low, high, index = args
    return call(builder, "llvm.x86.avx512.vpermi2var.ps.512", FLOATS16, [low, index, high])


def _look_up_portable(builder: Llvm, _context: object, _signature: Llvm, args: Llvm) -> Llvm:
    low, high, index = args
    index = builder.and_(index, index.type([31] * 16))
    table = builder.shuffle_vector(low, high, ir.VectorType(I32, 32)(list(range(32))))
    out = ir.Constant(FLOATS16, ir.Undefined)
    for lane in range(16):
        place = builder.extract_element(index, I32(lane))
        out = builder.insert_element(out, builder.extract_element(table, place), I32(lane))
    return out


def _twin(
    low: Float32[np.ndarray, "16"], high: Float32[np.ndarray, "16"], index: Lanes
) -> Float32[np.ndarray, "16"]:
    return np.concatenate([low, high])[index & 31]


@operation(_table_types, _look_up_portable)
def look_up_32_portable(low: Lanes, high: Lanes, index: Lanes) -> Llvm:
    """`look_up_32` without an instruction of its own."""
    return _twin(low, high, index)


@operation(_table_types, _look_up_512 if cpu.has(cpu.AVX512) else _look_up_portable)
def look_up_32(low: Lanes, high: Lanes, index: Lanes) -> Llvm:
    """The floats of a table of two registers that the lowest five bits of each lane name."""
    return _twin(low, high, index)
