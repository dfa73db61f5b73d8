"""The product by blocks of columns equals SciPy's on every shape, and checks all it is given."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.sparse import (
    block_matmul,
    block_matmul_cost,
    block_matmul_reference,
    pack_blocks,
    pack_vectors,
)
from efficientdl.kernels.sparse.block_loops import LOOPS
from efficientdl.kernels.sparse.blocks import BlockedRows, blocked, multiply
from efficientdl.kernels.threads import threads
from tests.kernels.sparse.matrices import DENSITIES, LAYOUTS, SHAPES, TOLERANCE, drawn, parts


@settings(deadline=None, max_examples=60, database=None)
@given(
    shape=SHAPES,
    density=DENSITIES,
    layout=st.sampled_from(LAYOUTS),
    n_threads=st.sampled_from([1, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_it_equals_scipy(shape, density, layout, n_threads, seed):
    sparse, x = drawn(shape, density, seed)
    weight = pack_blocks(*parts(sparse), n=shape[2])
    with threads(n_threads):
        y = block_matmul(weight, layout(x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)
    np.testing.assert_allclose(block_matmul_reference(weight, x), sparse @ x, atol=TOLERANCE)


@pytest.mark.parametrize("block", [1, 7, 64, 300])
@pytest.mark.parametrize("widest", [16, 64])
@pytest.mark.parametrize("n", [1, 8, 9, 64, 65, 100])
def test_blocks_and_panels_of_any_width(block, widest, n):
    sparse, x = drawn((300, 130, n), 0.2, seed=n)
    values, columns, row_starts, k = parts(sparse)
    weight = blocked(values[:, None], columns, row_starts, k, block)
    y = multiply(weight, x, LOOPS, widest)
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)


def test_the_identity_gives_its_argument():
    x = np.random.default_rng(0).standard_normal((70, 65)).astype(np.float32)
    ones, places = np.ones(70, np.float32), np.arange(70, dtype=np.int32)
    weight = pack_blocks(ones, places, np.arange(71, dtype=np.int32), 70)
    np.testing.assert_array_equal(block_matmul(weight, x), x)


def test_a_dropped_weight_hides_an_infinity():
    weight = pack_blocks(np.float32([1]), np.int32([0]), np.int32([0, 1]), 2)
    y = block_matmul(weight, np.float32([[2.0], [np.inf]]))
    np.testing.assert_array_equal(y, [[2.0]])


def test_the_cost_counts_by_hand():
    sparse, _ = drawn((6, 9, 1), 0.5, seed=0)
    weight = pack_blocks(*parts(sparse))
    cost = block_matmul_cost(weight, (9, 10))
    assert cost.macs == 10 * sparse.nnz
    rows = weight.n_tiles * weight.n_blocks * weight.tile
    packed = (4 + 2) * sparse.nnz + 4 * (rows + 1) + rows
    assert cost.traffic_bytes == packed + 4 * (9 + 6) * 10


GOOD = {
    "values": np.ones(2, np.float32),
    "columns": np.int32([0, 1]),
    "row_starts": np.int32([0, 2]),
    "k": 3,
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("columns", np.int32([0, 3]), r"columns must rise in each row, within \[0, 2\]; number 1"),
        ("columns", np.int32([-1, 0]), r"columns must rise in each row, .* number 0 does not"),
        ("columns", np.int32([1, 0]), r"columns must rise"),
        ("columns", np.int32([1, 1]), r"columns must rise"),
        ("columns", np.int32([0]), r"values and columns must be two lists, equally long"),
        ("row_starts", np.int32([0, 3]), r"row_starts must rise from 0 to .* values, 2"),
        ("row_starts", np.int32([0, 3, 2]), r"row_starts must rise"),
        ("row_starts", np.int32([-1, 2]), r"row_starts must rise"),
        ("row_starts", np.int32([]), r"row_starts must be a list with one start for each row"),
        ("values", np.ones((2, 1), np.float32), r"values must be a list"),
        ("k", 0, r"k must be a whole number"),
        ("n", 0, r"n must be a whole number"),
    ],
)
def test_what_does_not_fit_is_named(name, value, message):
    with pytest.raises(ValueError, match=f"pack_blocks: {message}"):
        pack_blocks(**{**GOOD, name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("values", np.ones(2), "values must be float32, got float64"),
        ("columns", np.int64([0, 1]), "columns must be int32, got int64"),
        ("row_starts", [0, 2], r"row_starts must be a ndarray"),
    ],
)
def test_another_kind_is_named(name, value, message):
    with pytest.raises(TypeError, match=f"pack_blocks: {message}"):
        pack_blocks(**{**GOOD, name: value})


def test_another_x_is_refused():
    weight = pack_blocks(**GOOD)
    with pytest.raises(ValueError, match=r"block_matmul: shape of x must have 2 axes, the first"):
        block_matmul(weight, np.ones((4, 2), np.float32))
    with pytest.raises(TypeError, match=r"block_matmul: x must be float32, got float64"):
        block_matmul(weight, np.ones((3, 2)))
    tall = pack_vectors(np.ones((1, 4), np.float32), np.int32([0]), np.int32([0, 1]), 3)
    with pytest.raises(ValueError, match=r"block_matmul: height of the weight must be 1"):
        block_matmul(tall, np.ones((3, 2), np.float32))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("places", lambda a: a + 3, "places must be below 3"),
        ("rows", lambda a: a + 16, "rows must be 16 numbers below 16"),
        ("rows", lambda a: a[1:], "rows must be 16 numbers"),
        ("starts", lambda a: a[::-1], "starts must be 17 places that rise from 0 to 2"),
        ("starts", lambda a: a[1:], "starts must be 17 places"),
        ("values", lambda a: a[1:], "places and values must be a place and 1 values each"),
        ("tile", lambda a: 257, "tile must be a whole number in"),
        ("m", lambda a: 17, "starts must be 33 places"),
    ],
)
def test_a_weight_made_by_hand_is_checked_too(name, change, message):
    weight = pack_blocks(**GOOD)
    made_of = {name: getattr(weight, name) for name in [f.name for f in fields(weight)]}
    with pytest.raises(ValueError, match=f"BlockedRows: {message}"):
        BlockedRows(**{**made_of, name: change(made_of[name])})
