"""The format against a coder that walks down the columns one output at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.sparse.interleaved import InterleavedColumns
from tests.systems.hardware.sparse.drawn import sparse

quick = settings(deadline=None, max_examples=60, database=None, derandomize=True)
matrices = st.tuples(st.integers(1, 9), st.integers(1, 60), st.floats(0, 1), st.integers(0, 99))


def coded_one_by_one(column, index_bits):
    """Weights and jumps of one unit's column, as the paper tells it in words."""
    entries, zeros = [], 0
    for place, weight in enumerate(column):
        rest_is_zero = not np.any(column[place:])
        if rest_is_zero:
            break
        if weight == 0 and zeros < 2**index_bits - 1:
            zeros += 1
        else:  # a weight, or a zero that no longer fits into the jump
            entries.append((weight, zeros))
            zeros = 0
    return entries


def test_one_unit_and_no_zero_is_the_matrix_with_jumps_of_zero():
    weight = np.arange(1, 13).reshape(3, 4)
    stored = InterleavedColumns.from_dense(weight, n_units=1)
    np.testing.assert_array_equal(stored.values[stored.codes], weight.reshape(-1))
    assert not stored.skips.any()
    np.testing.assert_array_equal(stored.starts, [[0, 4, 8, 12]])


@quick
@given(matrix=matrices, n_units=st.integers(1, 7), index_bits=st.integers(1, 4))
def test_entries_are_those_of_the_plain_coder(matrix, n_units, index_bits):
    k, n, density, seed = matrix
    weight = sparse((k, n), density, seed, low=-7, high=8)
    stored = InterleavedColumns.from_dense(weight, n_units=n_units, index_bits=index_bits)
    expected = [
        coded_one_by_one(weight[j, u::n_units], index_bits)
        for u in range(n_units)
        for j in range(k)
    ]
    flat = np.array([entry for column in expected for entry in column]).reshape(-1, 2)
    np.testing.assert_array_equal(stored.values[stored.codes], flat[:, 0])
    np.testing.assert_array_equal(stored.skips, flat[:, 1])
    np.testing.assert_array_equal(stored.work.reshape(-1), [len(column) for column in expected])
    assert stored.n_padding == len(flat) - np.count_nonzero(weight)
    np.testing.assert_array_equal(stored.to_dense(), weight)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float32, np.float64])
def test_all_kinds_of_numbers_come_back(dtype):
    weight = np.array([[0, 100, 0], [3, 0, 0]], dtype)
    stored = InterleavedColumns.from_dense(weight, n_units=2)
    np.testing.assert_array_equal(stored.to_dense(), weight)
    assert stored.values.dtype == (np.float64 if np.dtype(dtype).kind == "f" else np.int64)


def test_a_pruned_matrix_takes_fewer_bits_and_a_full_one_more():
    dense = sparse((64, 256), 1.0, 0, low=1, high=16)
    pruned = sparse((64, 256), 0.1, 0, low=1, high=16)
    codes_alone = 4 * dense.size
    assert InterleavedColumns.from_dense(dense, n_units=4).bits > 2 * codes_alone
    stored = InterleavedColumns.from_dense(pruned, n_units=4)
    assert stored.bits == 8 * stored.n_entries + 16 * 4 * 65
    assert stored.bits < codes_alone / 2


def test_what_cannot_be_stored():
    store = InterleavedColumns.from_dense
    with pytest.raises(ValueError, match=r"weight must be a matrix with .*, got \(0, 3\)"):
        store(np.zeros((0, 3)), n_units=1)
    with pytest.raises(ValueError, match=r"weight\[1, 0\] must be finite, got nan"):
        store(np.array([[0.0], [np.nan]]), n_units=1)
    with pytest.raises(ValueError, match=r"at most 16 distinct values, .* codes of 4 bits, got 17"):
        store(np.arange(17)[None], n_units=1)
    with pytest.raises(ValueError, match=r"index_bits must be a whole number in \[1, 16\], got 0"):
        store(np.eye(2), n_units=1, index_bits=0)
    with pytest.raises(ValueError, match="n_units must be a whole number, 1 or more, got 0"):
        store(np.eye(2), n_units=0)
    with pytest.raises(TypeError, match=r"weight must be a ndarray, got \[\[1"):
        store([[1]], n_units=1)
