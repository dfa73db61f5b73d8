"""Rows that share columns four by four: the product equals the dense one's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.sparse import (
    pack_blocks,
    pack_vectors,
    vector_matmul,
    vector_matmul_cost,
    vector_matmul_reference,
)
from efficientdl.kernels.sparse.blocks import multiply
from efficientdl.kernels.sparse.vectors import LOOPS
from efficientdl.kernels.threads import threads
from tests.kernels.sparse.matrices import DENSITIES, LAYOUTS, SHAPES, TOLERANCE


def drawn(shape, density, seed):
    groups, k, n = -(-shape[0] // 4), *shape[1:]
    rng = np.random.default_rng(seed)
    kept = rng.random((groups, k)) < density
    dense = (rng.standard_normal((4 * groups, k)) * np.repeat(kept, 4, axis=0)).astype(np.float32)
    rows, columns = kept.nonzero()
    values = dense.reshape(groups, 4, k).transpose(0, 2, 1)[rows, columns]
    starts = np.searchsorted(rows, np.arange(groups + 1)).astype(np.int32)
    made_of = values, columns.astype(np.int32), starts, k
    return dense, made_of, rng.standard_normal((k, n)).astype(np.float32)


@settings(deadline=None, max_examples=60, database=None)
@given(
    shape=SHAPES,
    density=DENSITIES,
    layout=st.sampled_from(LAYOUTS),
    n_threads=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**16),
)
def test_it_equals_the_dense_product(shape, density, layout, n_threads, seed):
    dense, made_of, x = drawn(shape, density, seed)
    weight = pack_vectors(*made_of)
    with threads(n_threads):
        y = vector_matmul(weight, layout(x))
    np.testing.assert_allclose(y, dense @ x, atol=TOLERANCE)
    np.testing.assert_allclose(vector_matmul_reference(weight, x), dense @ x, atol=TOLERANCE)


@pytest.mark.parametrize("widest", [16, 64])
@pytest.mark.parametrize("n", [1, 8, 16, 64, 100])
def test_panels_of_any_width(widest, n):
    dense, made_of, x = drawn((300, 600, n), 0.1, seed=n)
    y = multiply(pack_vectors(*made_of), x, LOOPS, widest)
    np.testing.assert_allclose(y, dense @ x, atol=TOLERANCE)


def test_the_cost_counts_four_values_for_each_place():
    _, made_of, _ = drawn((8, 9, 1), 0.5, seed=0)
    weight = pack_vectors(*made_of)
    cost = vector_matmul_cost(weight, (9, 10))
    assert cost.macs == 4 * len(made_of[0]) * 10
    assert cost.traffic_bytes == weight.n_bytes + 4 * (9 + 8) * 10


def test_other_vectors_and_weights_are_refused():
    places, starts = np.int32([0]), np.int32([0, 1])
    with pytest.raises(ValueError, match="pack_vectors: shape of values must be kept 4"):
        pack_vectors(np.ones((1, 3), np.float32), places, starts, 2)
    with pytest.raises(ValueError, match="pack_vectors: columns must rise"):
        pack_vectors(np.ones((1, 4), np.float32), np.int32([2]), starts, 2)
    flat = pack_blocks(np.ones(1, np.float32), places, starts, 2)
    with pytest.raises(ValueError, match="vector_matmul: height of the weight must be 4, got 1"):
        vector_matmul(flat, np.ones((2, 1), np.float32))
    with pytest.raises(TypeError, match="vector_matmul: weight must be a BlockedRows"):
        vector_matmul(np.ones((4, 2)), np.ones((2, 1), np.float32))  # pyright: ignore
