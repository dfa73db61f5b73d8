"""Compressed columns give what SciPy gives, and turn into compressed rows without a loss."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.sparse import (
    block_matmul,
    csc_matmul,
    csc_matmul_cost,
    csc_matmul_reference,
    csc_to_csr,
    pack_blocks,
)
from tests.kernels.sparse.matrices import DENSITIES, LAYOUTS, SHAPES, TOLERANCE, drawn


def parts(sparse):
    csc = scipy.sparse.csc_matrix(sparse)
    return csc.data, csc.indices, csc.indptr


@settings(deadline=None, max_examples=40, database=None)
@given(
    shape=SHAPES,
    density=DENSITIES,
    layout=st.sampled_from(LAYOUTS),
    double=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_it_equals_scipy(shape, density, layout, double, seed):
    sparse, x = drawn(shape, density, seed)
    sparse, x = (sparse.astype(np.float64), x.astype(np.float64)) if double else (sparse, x)
    x[::2] = 0  # as a ReLU leaves it
    arguments = *parts(sparse), layout(x), shape[0]
    y = csc_matmul(*arguments)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)
    np.testing.assert_allclose(csc_matmul_reference(*arguments), sparse @ x, atol=TOLERANCE)


@settings(deadline=None, max_examples=40, database=None)
@given(shape=SHAPES, density=DENSITIES, seed=st.integers(0, 2**16))
def test_as_rows_it_is_scipys_matrix_and_goes_into_blocks(shape, density, seed):
    sparse, x = drawn(shape, density, seed)
    values, columns, row_starts = csc_to_csr(*parts(sparse), shape[0])
    np.testing.assert_array_equal(values, sparse.data)
    np.testing.assert_array_equal(columns, sparse.indices)
    np.testing.assert_array_equal(row_starts, sparse.indptr)
    y = block_matmul(pack_blocks(values, columns, row_starts, shape[1]), x)
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)


def test_rows_in_any_order_and_twice_add_up():
    values, rows = np.float32([1, 2, 4]), np.int32([2, 0, 2])
    starts, x = np.int32([0, 3]), np.float32([[10, 1]])
    y = csc_matmul(values, rows, starts, x, 3)
    np.testing.assert_array_equal(y, [[20, 2], [0, 0], [50, 5]])


def test_a_column_that_meets_zeros_is_passed_over():
    y = csc_matmul(
        np.float32([np.inf]), np.int32([0]), np.int32([0, 1]), np.zeros((1, 2), np.float32), 1
    )
    np.testing.assert_array_equal(y, [[0, 0]])


def test_the_cost_counts_by_hand():
    cost = csc_matmul_cost((6,), (6,), (6,), (5, 2), 3)
    assert (cost.macs, cost.traffic_bytes) == (12, 4 * (6 + 6 + 6 + (5 + 3) * 2))


GOOD = {
    "values": np.ones(2, np.float32),
    "rows": np.int32([0, 1]),
    "column_starts": np.int32([0, 2]),
    "m": 2,
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rows", np.int32([0, 2]), r"rows must be in \[0, 1\], got \(0, 2\)"),
        ("rows", np.int32([-1, 0]), r"rows must be in \[0, 1\]"),
        ("rows", np.int32([0]), "values and rows must be two lists, equally long"),
        ("column_starts", np.int32([0, 3]), "column_starts must rise from 0 to .* values, 2"),
        ("column_starts", np.int32([]), "column_starts must be a list with one start for each col"),
        ("m", -1, "m must be a whole number"),
    ],
)
def test_what_does_not_fit_is_named(name, value, message):
    arguments = {**GOOD, name: value}
    with pytest.raises(ValueError, match=f"csc_to_csr: {message}"):
        csc_to_csr(**arguments)
    with pytest.raises(ValueError, match=f"csc_matmul: {message}"):
        csc_matmul(**arguments, x=np.ones((1, 2), np.float32))


def test_another_x_or_kind_is_named():
    with pytest.raises(ValueError, match="csc_matmul: shape of x must have 2 axes, the first of"):
        csc_matmul(**GOOD, x=np.ones((2, 2), np.float32))
    with pytest.raises(TypeError, match="csc_matmul: x must be float32, got float64"):
        csc_matmul(**GOOD, x=np.ones((1, 2)))
    with pytest.raises(TypeError, match="csc_to_csr: rows must be int32, got int64"):
        csc_to_csr(**{**GOOD, "rows": np.array([0, 1])})
    with pytest.raises(TypeError, match="csc_to_csr: values must be float32 or float64, got int32"):
        csc_to_csr(**{**GOOD, "values": np.int32([1, 1])})
