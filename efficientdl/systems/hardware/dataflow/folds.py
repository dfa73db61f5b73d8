"""Folds: how a product that is larger than the array is cut, and how long the cuts take together.

Rows of folds lie along what the array's rows stand for, columns along what its columns stand for.
All folds of a column run one after the other, then the next column. There are at most four sizes,
full or rest by full or rest, so that the time of a million folds is a sum of four products.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from efficientdl.systems.hardware.arch import Array, Edge


class Fold(NamedTuple):
    """Rows and columns of the array."""

    rows: int
    cols: int


class Timing(NamedTuple):
    """How a dataflow runs folds, each given by the size that it is scheduled for.

    Attributes:
        lead: Cycles before the first fold starts.
        gap: From the start of one fold to the start of the next.
        span: From the start of a fold until its last sum has left.
    """

    lead: int
    gap: Callable[[Fold, Fold], int]
    span: Callable[[Fold], int]


class Cut(NamedTuple):
    """A length, cut into full parts and perhaps a rest.

    >>> Cut(10, 4).n, list(Cut(10, 4))
    (3, [4, 4, 2])
    """

    total: int
    size: int

    @property
    def n(self) -> int:
        """Parts."""
        return -(-self.total // self.size)

    @property
    def last(self) -> int:
        """Length of the last part."""
        return self.total - (self.n - 1) * self.size

    @property
    def first(self) -> int:
        """Length of the first part."""
        return min(self.total, self.size)

    def sum(self, of: Callable[[int], int]) -> int:
        """The sum of a function over the lengths of the parts.

        >>> Cut(10, 4).sum(lambda part: part * part)
        36
        """
        return (self.n - 1) * of(self.size) + of(self.last)

    def __iter__(self) -> Iterator[int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        yield from (min(self.size, self.total - at) for at in range(0, self.total, self.size))


def charged(part: int, size: int, edge: Edge) -> int:
    """For how many of the array's rows or columns a part is scheduled."""
    return size if edge is Edge.PHYSICAL else part


def elapsed(rows: Cut, cols: Cut, array: Array, timing: Timing) -> int:
    """Cycles of all folds: the latest end, over the last fold of each size.

    Starts are sums of gaps, and the gap depends on the sizes alone. So the i-th fold of a column
    starts i gaps after its first, the j-th column j columns after the first one.
    """
    row_sizes = [charged(r, array.rows, array.edge) for r in (rows.first, rows.last)]
    col_sizes = [charged(c, array.cols, array.edge) for c in (cols.first, cols.last)]

    def within(col: int, fold: int) -> int:
        """From the first fold of a column to its n-th."""
        full, rest = Fold(row_sizes[0], col), Fold(row_sizes[1], col)
        to_rest = timing.gap(full, rest) if fold and fold == rows.n - 1 else 0
        before = fold - 1 if to_rest else fold
        return before * timing.gap(full, full) + to_rest

    def column(col: int, following: int) -> int:
        """From the first fold of a column to the first of the next."""
        turn = timing.gap(Fold(row_sizes[1], col), Fold(row_sizes[0], following))
        return within(col, rows.n - 1) + turn

    def start(j: int) -> int:
        """From the first fold of all to the first fold of the j-th column."""
        if j == 0:
            return 0
        full, rest = col_sizes
        return (j - 1) * column(full, full) + column(full, rest if j == cols.n - 1 else full)

    ends = [
        start(j) + within(col, i) + timing.span(Fold(row, col))
        for j, col in {(max(cols.n - 2, 0), col_sizes[0]), (cols.n - 1, col_sizes[1])}
        for i, row in {(max(rows.n - 2, 0), row_sizes[0]), (rows.n - 1, row_sizes[1])}
    ]
    return timing.lead + max(ends)
