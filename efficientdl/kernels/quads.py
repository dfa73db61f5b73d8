"""Four registers side by side: 64 floats of a row, which one number multiplies.

Numba keeps a tuple of registers in registers. Six such rows of sums and one of weights fill 28 of
the 32 that AVX-512 has; where a register is two, as with AVX2, one column of six is all that fits.
"""

from typing import Any

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import fma, load, splat, store

Quad = tuple[Any, Any, Any, Any]

WIDTH = 64
LANES = 16


@compiled
def zeros4() -> Quad:
    """Sums of nothing."""
    zero = splat(np.float32(0))
    return zero, zero, zero, zero


@compiled
def load4(array, place) -> Quad:
    """64 floats from a place on."""
    return (
        load(array, place),
        load(array, place + 16),
        load(array, place + 32),
        load(array, place + 48),
    )


@compiled
def store4(array, place, row) -> None:
    """Write them."""
    store(array, place, row[0])
    store(array, place + 16, row[1])
    store(array, place + 32, row[2])
    store(array, place + 48, row[3])


@compiled
def fma4(value, row, sums) -> Quad:
    """`value * row + sums`, in every lane of the four."""
    return (
        fma(value, row[0], sums[0]),
        fma(value, row[1], sums[1]),
        fma(value, row[2], sums[2]),
        fma(value, row[3], sums[3]),
    )
