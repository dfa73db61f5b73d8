"""What becomes one partial product: a column of the left matrix, or a condensed one."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Int64

from efficientdl.systems.hardware.spgemm.rows import Rows

# For each partial product, which entries of the left matrix it is made of, from the top down.
Columns = Callable[[Rows], list[Int64[np.ndarray, " entries"]]]


def plain(x: Rows) -> list[Int64[np.ndarray, " entries"]]:
    """The columns as they are: as many partial products as the matrix has columns in use.

    Each is an outer product: all its entries meet the same row of the right matrix.

    >>> from efficientdl.systems.hardware.spgemm.rows import compress
    >>> [x.tolist() for x in plain(compress(np.array([[0, 1, 0, 1], [1, 0, 0, 0]])))]
    [[2], [0], [1]]
    """
    return _grouped(x.columns)


def condensed(x: Rows) -> list[Int64[np.ndarray, " entries"]]:
    """Every row pushed to the left: column `j` is the `j`-th entry of each row that has so many.

    So there are as many partial products as the longest row has entries, however wide the matrix
    is. Entries of one condensed column come from different columns, and meet different rows.

    >>> from efficientdl.systems.hardware.spgemm.rows import compress
    >>> [x.tolist() for x in condensed(compress(np.array([[0, 1, 0, 1], [1, 0, 0, 0]])))]
    [[0, 2], [1]]
    """
    return _grouped(np.arange(x.n_kept) - np.repeat(x.starts[:-1], x.lengths))


def _grouped(column: Int64[np.ndarray, " kept"]) -> list[Int64[np.ndarray, " entries"]]:
    """Entries of the same column, in order of their rows."""
    if not len(column):
        return []
    order = np.argsort(column, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(column[order])) + 1)


def row_uses(
    x: Rows, leaves: list[Int64[np.ndarray, " entries"]], groups: list[list[int]]
) -> Int64[np.ndarray, " uses"]:
    """Which row of the right matrix is fetched, one fetch after the other.

    The leaves of a group are at work side by side, from the top row of the matrix to the last.
    Each holds the row that it is at work on, and fetches one when its next entry meets another.

    >>> from efficientdl.systems.hardware.spgemm.rows import compress
    >>> x = compress(np.array([[1, 1], [1, 1]]))
    >>> row_uses(x, plain(x), [[0, 1]]).tolist(), row_uses(x, plain(x), [[0], [1]]).tolist()
    ([0, 1], [0, 1])
    """
    found = [np.zeros(0, np.int64)]
    for group in groups:
        entries = np.concatenate([leaves[i] for i in group])
        leaf = np.repeat(group, [len(leaves[i]) for i in group])
        row = x.columns[entries]
        new = np.ones(len(entries), bool)
        new[1:] = (row[1:] != row[:-1]) | (leaf[1:] != leaf[:-1])
        side_by_side = np.lexsort((leaf, x.rows[entries]))
        found.append(row[side_by_side][new[side_by_side]])
    return np.concatenate(found)
