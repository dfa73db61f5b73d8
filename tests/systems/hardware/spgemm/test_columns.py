import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.systems.hardware.spgemm.columns import condensed, plain, row_uses
from efficientdl.systems.hardware.spgemm.rows import compress
from tests.systems.hardware.spgemm.drawn import products, quick


def shown(x, leaves):
    """Partial matrices: each leaf's entries where they stand in the matrix."""
    a = compress(x)
    parts = np.zeros((len(leaves), *x.shape), x.dtype)
    for part, leaf in zip(parts, leaves, strict=True):
        part[a.rows[leaf], a.columns[leaf]] = a.values[leaf]
    return parts


def test_a_matrix_that_is_full_is_condensed_as_it_is():
    a = compress(np.arange(1, 13).reshape(3, 4))
    for ours, theirs in zip(condensed(a), plain(a), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@quick
@given(products())
def test_plain_leaves_are_the_columns(matrices):
    x, _ = matrices
    used = np.flatnonzero(x.any(axis=0))
    columns = [x * (np.arange(x.shape[1]) == j) for j in used]
    np.testing.assert_array_equal(
        shown(x, plain(compress(x))), np.reshape(columns, (len(used), *x.shape))
    )


@quick
@given(products())
def test_condensed_leaves_are_the_columns_of_what_is_pushed_left(matrices):
    x, _ = matrices
    leaves = condensed(compress(x))
    assert len(leaves) == (x != 0).sum(axis=1).max()  # the longest row
    rank = np.cumsum(x != 0, axis=1) - 1
    for j, part in enumerate(shown(x, leaves)):
        np.testing.assert_array_equal(part, x * (rank == j))


@quick
@given(products())
def test_columns_side_by_side_fetch_each_row_once(matrices):
    a = compress(matrices[0])
    leaves = plain(a)
    together = [list(range(len(leaves)))] if leaves else []
    for groups in (together, [[i] for i in range(len(leaves))]):
        np.testing.assert_array_equal(np.sort(row_uses(a, leaves, groups)), np.unique(a.columns))


@quick
@given(products(), st.integers(1, 4))
def test_leaves_go_down_side_by_side_and_each_fetches_what_it_does_not_hold(matrices, width):
    x, _ = matrices
    leaves = condensed(compress(x))
    groups = [list(range(len(leaves)))[i : i + width] for i in range(0, len(leaves), width)]
    expected, held = [], {}
    for group in groups:
        for row in x:
            columns = row.nonzero()[0].tolist()
            for leaf in group:
                if leaf < len(columns) and held.get(leaf) != columns[leaf]:
                    held[leaf] = columns[leaf]
                    expected.append(columns[leaf])
    np.testing.assert_array_equal(row_uses(compress(x), leaves, groups), expected)


def test_condensed_columns_fetch_a_row_again_when_another_came_between():
    a = compress(np.array([[1, 0], [0, 1], [1, 1]]))  # condensed: rows 0, 1, 0 and row 1
    np.testing.assert_array_equal(row_uses(a, condensed(a), [[0, 1]]), [0, 1, 0, 1])
    a = compress(np.array([[1, 1], [1, 1]]))  # each leaf holds its own row
    np.testing.assert_array_equal(row_uses(a, condensed(a), [[0, 1]]), [0, 1])
    assert len(row_uses(a, condensed(a), [])) == 0
