"""A sparse matrix gives the same product in whichever form it takes, and takes the one meant."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.planes import planes_of
from efficientdl.kernels.sparse import SparseMatrix, matrix
from efficientdl.kernels.sparse.planes import plane_matmul
from efficientdl.kernels.threads import threads
from tests.kernels.sparse.matrices import DENSITIES, LAYOUTS, SHAPES, TOLERANCE, drawn, parts

NAMES = ("csr_matmul", "matvec", "block_matmul", "vector_matmul", "n_of_m_matmul")


@pytest.fixture
def calls(monkeypatch):
    """The kernels that were called, in order; none of them is too small for its form."""
    monkeypatch.setattr(matrix, "FEW_MACS", 0)
    made = []

    def noted(name):
        kernel = getattr(matrix, name)
        return lambda *args: made.append(name) or kernel(*args)

    for name in NAMES:
        monkeypatch.setattr(matrix, name, noted(name))
    return made


def of(dense):
    return SparseMatrix(*parts(scipy.sparse.csr_matrix(dense)))


def structured(kind, m=32, k=64, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "4x1":
        kept = np.repeat(rng.random((m // 4, k)) < 0.3, 4, axis=0)
    elif kind == "2:4":
        kept = np.argsort(rng.random((m, k // 4, 4)), axis=2).reshape(m, k) < 2
    else:
        kept = rng.random((m, k)) < 0.3
    return (rng.standard_normal((m, k)) * kept).astype(np.float32)


@settings(deadline=None, max_examples=60, database=None)
@given(
    shape=SHAPES,
    density=DENSITIES,
    layout=st.sampled_from(LAYOUTS),
    n_threads=st.sampled_from([1, 2]),
    few=st.sampled_from([0, 2**14]),
    seed=st.integers(0, 2**16),
)
def test_it_equals_scipy(shape, density, layout, n_threads, few, seed):
    sparse, x = drawn(shape, density, seed)
    with pytest.MonkeyPatch.context() as patch, threads(n_threads):
        patch.setattr(matrix, "FEW_MACS", few)
        y = SparseMatrix(*parts(sparse)).times(layout(x))
    np.testing.assert_allclose(y, sparse @ x, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "n", "kernel"),
    [
        ("any", 1, "matvec"),
        ("any", 2, "block_matmul"),
        ("any", 70, "block_matmul"),
        ("4x1", 1, "matvec"),
        ("4x1", 8, "vector_matmul"),
        ("4x1", 70, "vector_matmul"),
        ("2:4", 1, "matvec"),
        ("2:4", 8, "n_of_m_matmul"),
        ("2:4", 70, "n_of_m_matmul"),
    ],
)
def test_the_structure_and_the_width_choose_the_kernel(kind, n, kernel, calls):
    dense = structured(kind)
    x = np.random.default_rng(1).standard_normal((64, n)).astype(np.float32)
    y = of(dense).times(x)
    assert calls == [kernel]
    np.testing.assert_allclose(y, dense @ x, atol=TOLERANCE)


def test_rows_that_nearly_share_columns_are_filled_up_with_zeros(calls):
    dense = structured("4x1")[:30]  # the last four are two
    dense[3, np.flatnonzero(dense[3])[0]] = 0
    x = np.ones((64, 3), np.float32)
    y = of(dense).times(x)
    assert calls == ["vector_matmul"]
    assert y.shape == (30, 3)
    np.testing.assert_allclose(y, dense @ x, atol=TOLERANCE)


def test_one_group_too_full_is_no_pattern(calls):
    dense = structured("2:4")
    dense[0, :4] = 1
    of(dense).times(np.ones((64, 3), np.float32))
    assert "n_of_m_matmul" not in calls


@pytest.mark.parametrize("n", [1, 3])
def test_doubles_and_columns_out_of_order_stay_in_compressed_rows(n, calls):
    x = np.arange(3.0 * n).reshape(3, n)
    doubles = SparseMatrix(np.array([2.0, 3.0]), np.int32([0, 2]), np.int32([0, 2]), 3)
    np.testing.assert_array_equal(doubles.times(x), 2 * x[:1] + 3 * x[2:])
    unordered = SparseMatrix(np.float32([2, 3, 4]), np.int32([2, 0, 0]), np.int32([0, 3]), 3)
    x = x.astype(np.float32)
    np.testing.assert_array_equal(unordered.times(x), 2 * x[2:] + 7 * x[:1])
    assert calls == ["csr_matmul", "csr_matmul"]


def test_small_products_stay_in_compressed_rows(calls, monkeypatch):
    monkeypatch.setattr(matrix, "FEW_MACS", 7)
    ours = SparseMatrix(np.ones(2, np.float32), np.int32([0, 1]), np.int32([0, 2]), 2)
    ours.times(np.ones((2, 3), np.float32))
    ours.times(np.ones((2, 4), np.float32))
    assert calls == ["csr_matmul", "block_matmul"]


@pytest.mark.parametrize("n", [0, 1, 5])
def test_nothing_kept_gives_zeros(n, calls):
    empty = SparseMatrix(np.float32([]), np.int32([]), np.int32([0, 0, 0]), 4)
    np.testing.assert_array_equal(empty.times(np.ones((4, n), np.float32)), np.zeros((2, n)))


@pytest.mark.parametrize(
    ("columns", "row_starts", "message"),
    [
        ([0, 4], [0, 2], "columns must be numbers of rows of x"),
        ([0, -1], [0, 2], "columns must be numbers of rows of x"),
        ([0, 1], [0, 9], "row_starts must rise"),
        ([0, 1], [-3, 2], "row_starts must rise"),
    ],
)
@pytest.mark.parametrize("few", [0, 2**14])
def test_indices_that_lead_out_are_refused(columns, row_starts, message, few, monkeypatch):
    monkeypatch.setattr(matrix, "FEW_MACS", few)
    wrong = SparseMatrix(np.ones(2, np.float32), np.int32(columns), np.int32(row_starts), 4)
    with pytest.raises(ValueError, match=message):
        wrong.times(np.ones((4, 3), np.float32))


def test_another_x_is_refused():
    ours = of(structured("any"))
    with pytest.raises(ValueError, match="SparseMatrix: x must be a matrix, got"):
        ours.times(np.ones(64, np.float32))
    with pytest.raises(ValueError, match="shape of x must have 2 axes, the first of length 64"):
        ours.times(np.ones((65, 70), np.float32))
    with pytest.raises(TypeError, match="float32"):
        ours.times(np.ones((64, 70)))
    with pytest.raises(ValueError, match="SparseMatrix: k must be a whole number"):
        SparseMatrix(np.float32([]), np.int32([]), np.int32([0]), 0)


@pytest.mark.parametrize(("kind", "height"), [("any", 1), ("4x1", 4), ("2:4", 1)])
def test_for_planes_rows_that_share_columns_are_vectors(kind, height):
    dense, rng = structured(kind), np.random.default_rng(1)
    image = rng.standard_normal((64, 7, 7)).astype(np.float32)
    weight = of(dense).for_planes
    assert weight.height == height
    y = plane_matmul(weight, planes_of(image)).image
    wanted = (dense @ image.reshape(64, -1)).reshape(-1, 7, 7)
    np.testing.assert_allclose(y, wanted, atol=TOLERANCE)
