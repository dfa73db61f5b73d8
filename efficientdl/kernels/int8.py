"""Products of matrices of int8 codes, added up in int32.

A byte times a byte has 16 bits, so sums of up to 2**31 / 2**14 = 131,072 of them fit into an
int32: nothing is rounded, and the order of the additions does not matter. Several products of one
shape are done in one call, one for each group of a grouped convolution; a depthwise one has a
group for each channel.
"""

import numpy as np
from jaxtyping import Int8, Int32
from numba import njit

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.report import Cost

Codes = Int8[np.ndarray, "g _ _"]
Sums = Int32[np.ndarray, "g m n"]
Shape = tuple[int, ...]

_BLOCK = 4096  # columns at a time: their sums and a row of codes stay in the nearest cache


def int8_matmul(a: Codes, b: Codes) -> Sums:
    """Multiply matrices of int8 codes exactly: `c[g] = a[g] @ b[g]` in int32.

    The inner loop runs along the `n` columns, which lie side by side in memory.

    Args:
        a: Left factors `g m k`, as a rule the weights.
        b: Right factors `g k n`, as a rule the activations.

    Raises:
        BadKind: A factor holds no int8.
        BadValue: The shapes do not fit, or `k` is so large that a sum could overflow.

    >>> ones = np.ones((1, 2, 3), dtype=np.int8)
    >>> int8_matmul(ones, 100 * ones.transpose(0, 2, 1))
    array([[[300, 300],
            [300, 300]]], dtype=int32)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2.3, eq. 9; the survey's section 2.3.
    """
    _demand_factors(a, b)
    c = np.zeros((len(a), a.shape[1], b.shape[2]), np.int32)
    _add_products(np.ascontiguousarray(a), np.ascontiguousarray(b), c)
    return c


def int8_matmul_reference(a: Codes, b: Codes) -> Sums:
    """The same in NumPy: eq. 9 as it is written, in 64 bits."""
    return np.einsum("gmk,gkn->gmn", a.astype(np.int64), b.astype(np.int64)).astype(np.int32)


def int8_matmul_cost(a: Shape, b: Shape) -> Cost:
    """MACs, and the bytes of both factors and of the sums, each moved once.

    >>> int8_matmul_cost((1, 4, 8), (1, 8, 2))
    Cost(macs=64, traffic_bytes=80)
    """
    (g, m, k), n = a, b[2]
    return Cost(macs=g * m * k * n, traffic_bytes=g * (m * k + k * n + 4 * m * n))


def _demand_factors(a: Codes, b: Codes) -> None:
    for name, factor in (("a", a), ("b", b)):
        demand_array("int8_matmul", name, factor, np.int8)
    if a.ndim != 3 or b.ndim != 3 or a.shape[0] != b.shape[0] or a.shape[2] != b.shape[1]:
        rule = "must be g m k and g k n"
        _check.fail("int8_matmul", "shapes of a and b", rule, (a.shape, b.shape))
    if a.shape[2] >= 2**17:  # 2**17 products of -128 and -128 are 2**31
        _check.fail("int8_matmul", "k", "must be below 2**17, or a sum overflows", a.shape[2])


@njit(nogil=True)
def _add_products(a, b, c):
    n_groups, m, k = a.shape
    n = b.shape[2]
    for g in range(n_groups):
        for start in range(0, n, _BLOCK):
            end = min(n, start + _BLOCK)
            for i in range(m):
                sums = c[g, i, start:end]
                for p in range(k):
                    weight, codes = np.int32(a[g, i, p]), b[g, p, start:end]
                    for j in range(end - start):
                        sums[j] += weight * np.int32(codes[j])
