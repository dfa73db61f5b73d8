"""Sparse matrices for the tests of sparse kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from hypothesis import strategies as st

TOLERANCE = 1e-4  # the same sums of a few dozen terms of size 1, in another order

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 300), st.integers(1, 90))
DENSITIES = st.sampled_from([0.0, 0.02, 0.1, 0.5, 1.0])
LAYOUTS: list[Callable[[np.ndarray], np.ndarray]] = [
    np.ascontiguousarray,
    np.asfortranarray,
    lambda x: np.repeat(x, 2, axis=0)[::2],
    lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    lambda x: x[::-1].copy()[::-1],
]


def drawn(shape: tuple[int, int, int], density: float, seed: int) -> tuple[Any, np.ndarray]:
    """A sparse matrix, some rows of which are empty, and what to multiply it by."""
    m, k, n = shape
    rng = np.random.default_rng(seed)
    kept = rng.random((m, k)) < density * (rng.random((m, 1)) < 0.9)
    dense = (rng.standard_normal((m, k)) * kept).astype(np.float32)
    return scipy.sparse.csr_matrix(dense), rng.standard_normal((k, n)).astype(np.float32)


def parts(sparse: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    return sparse.data, sparse.indices, sparse.indptr, sparse.shape[1]
