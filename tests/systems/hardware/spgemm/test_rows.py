import numpy as np
import pytest
import scipy.sparse
from hypothesis import given

from efficientdl.systems.hardware.spgemm.rows import check_matrix, check_product, compress
from tests.systems.hardware.spgemm.drawn import products, quick


@quick
@given(products())
def test_rows_are_those_of_scipy(matrices):
    for matrix in matrices:
        ours, theirs = compress(matrix), scipy.sparse.csr_array(matrix)
        np.testing.assert_array_equal(ours.starts, theirs.indptr)
        np.testing.assert_array_equal(ours.columns, theirs.indices)
        np.testing.assert_array_equal(ours.values, theirs.data)
        assert (ours.n_rows, ours.n_columns) == matrix.shape
        np.testing.assert_array_equal(ours.rows, matrix.nonzero()[0])


def test_what_is_no_matrix():
    with pytest.raises(TypeError, match=r"outerspace: x must be a ndarray, got \[\[1\]\]"):
        check_product("outerspace", [[1]], np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"sparch: weight must be a matrix .* got \(0, 2\)"):
        check_product("sparch", np.ones((1, 1)), np.ones((0, 2)))
    with pytest.raises(ValueError, match=r"a: b must be a matrix that is not empty.* got \(3,\)"):
        check_matrix("a", "b", np.ones(3))
    bad = np.ones((2, 2))
    bad[1, 0] = np.nan
    with pytest.raises(ValueError, match=r"sparch: x\[1, 0\] must be finite, got nan"):
        check_product("sparch", bad, bad)
    with pytest.raises(ValueError, match=r"weight must have a row for each of the 3 columns of x"):
        check_product("sparch", np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"sparch: x must hold numbers, got complex128"):
        check_product("sparch", bad.astype(complex), bad)
