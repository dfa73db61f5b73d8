"""The sparse kernel equals SciPy's and its own reference, on every shape, and checks each index."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from efficientdl.kernels import csr, csr_matmul, csr_matmul_cost, csr_matmul_reference
from tests.kernels.machine_code import afresh

# The same sums in another order; random terms of size 1, so relative to what is summed.
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-11}


def drawn(m, k, n, density, dtype, seed):
    rng = np.random.default_rng(seed)
    dense = rng.standard_normal((m, k)) * (rng.random((m, k)) < density)
    return scipy.sparse.csr_matrix(dense.astype(dtype)), rng.standard_normal((k, n)).astype(dtype)


def product(sparse, x):
    return csr_matmul(sparse.data, sparse.indices, sparse.indptr, x)


@settings(deadline=None, max_examples=60, database=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(0, 40)),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**16),
)
def test_it_equals_scipy(shape, density, dtype, seed):
    sparse, x = drawn(*shape, density, dtype, seed)
    y = product(sparse, x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE[dtype])
    parts = sparse.data, sparse.indices, sparse.indptr
    np.testing.assert_allclose(y, csr_matmul_reference(*parts, x), atol=TOLERANCE[dtype])


@pytest.mark.parametrize("n", [1, 1023, 1024, 1025, 2050])
def test_columns_beyond_one_block(n):
    sparse, x = drawn(5, 30, n, 0.4, np.float64, seed=n)
    np.testing.assert_allclose(product(sparse, x), sparse @ x, atol=1e-11)


def test_the_identity_gives_its_argument():
    x = np.random.default_rng(0).standard_normal((7, 3))
    eye = scipy.sparse.eye(7, format="csr")
    np.testing.assert_array_equal(product(eye, x), x)


@pytest.mark.parametrize("n", [1, 5])
def test_overlapping_rows_are_read_where_they_lie(n):
    """The windows of a line: a sparse matrix times them is a one-dimensional convolution."""
    line = np.random.default_rng(0).standard_normal(12)
    windows = sliding_window_view(line, n)
    assert windows.base is not None
    sparse, _ = drawn(4, len(windows), 1, 0.5, np.float64, seed=1)
    np.testing.assert_allclose(product(sparse, windows), sparse @ windows, atol=1e-12)


@pytest.mark.parametrize(
    "turned",
    [np.asfortranarray, lambda x: x[::-1], lambda x: x[:, ::-1], lambda x: x[::2], np.flip],
    ids=["columns first", "upside down", "mirrored", "every other row", "both"],
)
def test_any_layout_of_x(turned):
    sparse, x = drawn(6, 8, 5, 0.5, np.float64, seed=0)
    x = turned(np.concatenate([x, x]))[:8]
    np.testing.assert_allclose(product(sparse, x), sparse @ x, atol=1e-12)


def test_a_read_only_array_will_do():
    sparse, x = drawn(6, 8, 5, 0.5, np.float32, seed=0)
    for array in (sparse.data, sparse.indices, sparse.indptr, x):
        array.flags.writeable = False
    np.testing.assert_allclose(product(sparse, x), sparse @ x, atol=1e-5)


def test_duplicate_entries_add_up():
    y = csr_matmul(np.ones(2), np.int32([1, 1]), np.int32([0, 2]), np.array([[0.0], [3.0]]))
    np.testing.assert_array_equal(y, [[6.0]])


def test_a_dropped_weight_hides_an_infinity():
    y = csr_matmul(np.ones(1), np.int32([0]), np.int32([0, 1]), np.array([[2.0], [np.inf]]))
    np.testing.assert_array_equal(y, [[2.0]])


def test_the_cost_counts_by_hand():
    # 3 values, 3 columns, 3 row starts, 4 x 2 in, 2 x 2 out: 4 bytes each
    cost = csr_matmul_cost((3,), (3,), (3,), (4, 2))
    assert (cost.macs, cost.traffic_bytes) == (6, 4 * (3 + 3 + 3 + 8 + 4))


GOOD = {
    "values": np.ones(2, np.float32),
    "columns": np.int32([0, 1]),
    "row_starts": np.int32([0, 1, 2]),
    "x": np.ones((3, 2), np.float32),
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("columns", np.int32([0, 3]), r"columns must be numbers of rows of x, 0 to 2, got \(0, 3"),
        ("columns", np.int32([-1, 0]), r"columns must be numbers of rows of x, 0 to 2, got \(-1"),
        ("columns", np.int32([0]), r"values and columns must be two lists, equally long"),
        ("row_starts", np.int32([0, 1, 3]), r"row_starts must rise from 0 to .* values, 2"),
        ("row_starts", np.int32([1, 1, 2]), r"row_starts must rise"),
        ("row_starts", np.int32([0, 3, 2]), r"row_starts must rise"),
        ("row_starts", np.int32([]), r"row_starts must be a list with one start for each row"),
        ("x", np.ones(3, np.float32), r"x must be a matrix"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(name, value, message):
    with pytest.raises(ValueError, match=f"csr_matmul: {message}"):
        csr_matmul(**{**GOOD, name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x", np.ones((3, 2)), "values and x must both be float32 or both float64, got float32"),
        ("columns", np.int64([0, 1]), "columns and row_starts must be int32, got int64 and int32"),
        ("values", [1.0, 1.0], r"values must be a ndarray"),
    ],
)  # fmt: skip
def test_another_kind_is_named(name, value, message):
    with pytest.raises(TypeError, match=f"csr_matmul: {message}"):
        csr_matmul(**{**GOOD, name: value})


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_it_runs_without_the_compiler():
    code = """
import numpy as np
from efficientdl.kernels.csr import _inputs, csr_matmul, csr_matmul_reference
for size in range(1, 12):
    arguments = _inputs(np.random.default_rng(size), size)
    np.testing.assert_allclose(
        csr_matmul(*arguments), csr_matmul_reference(*arguments), rtol=1e-5, atol=1e-5
    )
"""
    done = run(code, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr


def test_importing_it_takes_no_torch_and_compiles_nothing():
    code = """
import sys
from efficientdl.kernels import csr
assert "torch" not in sys.modules
assert not any(f.signatures for f in (csr._by_matrix, csr._by_vector, csr._indices_fit))
"""
    done = run(code, NUMBA_DISABLE_JIT="0")
    assert done.returncode == 0, done.stderr


def test_the_inner_loop_is_compiled_to_vector_instructions(monkeypatch):
    fresh = afresh(csr._by_matrix)
    monkeypatch.setattr(csr, "_by_matrix", fresh)
    sparse, x = drawn(6, 8, 5, 0.5, np.float32, seed=0)
    product(sparse, x)
    code = "".join(fresh.inspect_llvm().values())
    assert "x float>" in code  # four or more floats at once
