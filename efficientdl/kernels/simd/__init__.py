"""SIMD for kernels: registers as values, and the operations that one instruction does.

    sums = splat(np.float32(0))
    for p in range(at(starts, row), at(starts, row + 1)):
        sums = fma(splat(at(values, p)), load(x, 16 * at(columns, p)), sums)
    store(y, 16 * row, sums)

reads as it runs: sixteen columns of a row of a sparse product, in a register from the first value
to the last.
"""

from efficientdl.kernels.simd.arithmetic import (
    as_float32,
    as_int8,
    as_int32,
    as_uint8,
    as_uint32,
    bit_count,
    floats,
    fma,
    magnitude,
    maximum,
    minimum,
    nearest,
    total,
    within,
)
from efficientdl.kernels.simd.memory import (
    aligned,
    at,
    load,
    load_half,
    prefetch,
    room,
    splat,
    splat_half,
    store,
)
from efficientdl.kernels.simd.special import (
    dot4,
    dot4_portable,
    expand,
    expand_portable,
    look_up,
    look_up_portable,
)

__all__ = [
    "aligned",
    "as_float32",
    "as_int8",
    "as_int32",
    "as_uint8",
    "as_uint32",
    "at",
    "bit_count",
    "dot4",
    "dot4_portable",
    "expand",
    "expand_portable",
    "floats",
    "fma",
    "load",
    "load_half",
    "look_up",
    "look_up_portable",
    "magnitude",
    "maximum",
    "minimum",
    "nearest",
    "prefetch",
    "room",
    "splat",
    "splat_half",
    "store",
    "total",
    "within",
]
