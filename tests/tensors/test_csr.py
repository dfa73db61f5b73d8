"""Compressed rows hold what SciPy's do, and turn back into the matrix."""

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors import Csr

INDICES = torch.int32


def drawn(m, k, density, seed):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(m, k, generator=g) * (torch.rand(m, k, generator=g) < density)


@settings(deadline=None, max_examples=40, database=None)
@given(
    m=st.integers(1, 9),
    k=st.integers(1, 9),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_it_is_scipys_and_turns_back(m, k, density, seed):
    matrix = drawn(m, k, density, seed)
    ours, theirs = Csr.from_dense(matrix), scipy.sparse.csr_matrix(matrix.numpy())
    np.testing.assert_array_equal(ours.values, theirs.data)
    np.testing.assert_array_equal(ours.columns, theirs.indices)
    np.testing.assert_array_equal(ours.row_starts, theirs.indptr)
    torch.testing.assert_close(ours.to_dense(), matrix, rtol=0, atol=0)
    parts = (theirs.data, theirs.indices, theirs.indptr)
    assert ours.bits == 8 * sum(part.nbytes for part in parts)


def test_a_mask_says_what_is_held_zeros_too():
    matrix = torch.tensor([[1.0, 0.0], [2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    held = Csr.from_dense(matrix, torch.tensor([[True, True], [False, True]]))
    assert held.values.tolist() == [1.0, 0.0, 3.0]
    assert (held.n_kept, held.shape, held.values.dtype) == (3, (2, 2), torch.float64)
    assert not held.values.requires_grad
    assert held.to_dense().tolist() == [[1.0, 0.0], [0.0, 3.0]]
    assert held.index_bits == 32 * (3 + 3)
    assert held.bits == 64 * 3 + held.index_bits


def test_shapes_alone_will_do_on_the_meta_device():
    columns, row_starts = (torch.empty(n, dtype=INDICES, device="meta") for n in (3, 5))
    assert Csr(torch.empty(3, device="meta"), columns, row_starts, (4, 2)).bits == 32 * (3 + 3 + 5)


@pytest.mark.parametrize(
    ("columns", "row_starts", "message"),
    [
        ([0, 2], [0, 1, 2], r"Csr: columns must be in \[0, 2\), got \[0, 2\]"),
        ([0, -1], [0, 1, 2], r"Csr: columns must be in \[0, 2\)"),
        ([0, 1], [0, 2], r"Csr: row_starts must have a start for each of 2 rows, and the end"),
        ([0, 1], [0, 1, 3], r"Csr: row_starts must rise from 0 to the number of values, 2"),
        ([0, 1], [1, 1, 2], r"Csr: row_starts must rise"),
        ([0, 1], [0, 3, 2], r"Csr: row_starts must rise"),
    ],
)
def test_parts_that_do_not_fit_are_named(columns, row_starts, message):
    indices = [torch.tensor(i, dtype=INDICES) for i in (columns, row_starts)]
    with pytest.raises(ValueError, match=message):
        Csr(torch.ones(2), *indices, (2, 2))


def test_a_mask_of_another_shape_is_named():
    # in a run that checks shapes, the checker names it first, as a TypeError
    with pytest.raises((ValueError, TypeError), match=r"(?s)Csr.*mask"):
        Csr.from_dense(torch.ones(2, 3), torch.ones(3, 2, dtype=torch.bool))


def test_entries_of_one_place_add_up_as_in_a_product():
    indices = [torch.tensor(i, dtype=INDICES) for i in ([1, 1], [0, 2])]
    assert Csr(torch.tensor([2.0, 3.0]), *indices, (1, 2)).to_dense().tolist() == [[0.0, 5.0]]
