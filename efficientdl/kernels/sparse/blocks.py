"""A sparse matrix in blocks of columns, times a dense one: the rows of `x` stay in the first cache.

Compressed rows jump all over `x`. Here the matrix is cut into blocks of columns, so narrow that the
rows of `x` that a block meets fit the nearest cache, and into tiles of rows. A value's column is
a number of 16 bits within its block. Sums stay in registers from the first value of a row in a
block to the last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16

from efficientdl import _check
from efficientdl.kernels import cpu
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.packed import Packed
from efficientdl.kernels.planes import Finish, Floats, finish_of
from efficientdl.kernels.sparse.block_loops import LOOPS
from efficientdl.kernels.sparse.demands import Indices, demand_rise, demand_rows, demand_x
from efficientdl.kernels.sparse.panels import (
    Layout,
    Matrix,
    Panels,
    by_panels,
    framed,
    side_by_side,
)
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Loop = Callable[..., None]
Loops = dict[int, Loop]

TALLEST = 256  # rows that share a block of x before the next one is fetched: a byte counts them
WIDEST = 64 if cpu.has(cpu.AVX2) else 16  # columns whose sums fit the registers


@dataclass(frozen=True, eq=False)
class BlockedRows(Packed):
    """A sparse matrix, tile by tile of rows, block by block of columns, row by row.

    Attributes:
        values: What is kept; a row of several numbers for each place where rows share columns.
        places: The column of each within its block.
        starts: Where each row of each block of each tile begins, and the end.
        rows: Which row of its tile that is. Rows of like length follow each other, so that the
            processor foresees where a row ends.
        m: Rows.
        k: Columns.
        block: Columns of a block.
        tile: Rows of a tile, or groups of rows where they share columns.
        height: Rows that share columns.
    """

    values: Float32[np.ndarray, "kept height"]
    places: UInt16[np.ndarray, " kept"]
    starts: Int32[np.ndarray, " starts"]
    rows: UInt8[np.ndarray, " rows"]
    m: int
    k: int
    block: int
    tile: int
    height: int

    dtypes: ClassVar = {
        "values": np.float32,
        "places": np.uint16,
        "starts": np.int32,
        "rows": np.uint8,
    }

    @property
    def n_blocks(self) -> int:
        """Blocks of columns."""
        return -(-self.k // self.block)

    @property
    def n_tiles(self) -> int:
        """Tiles of rows."""
        return -(-self.m // (self.tile * self.height))

    @property
    def n_rows(self) -> int:
        """Rows of all tiles: `m`, and those that fill up the last one."""
        return self.n_tiles * self.tile * self.height

    def demand(self) -> None:
        for name, most in (("k", 2**31 - 1), ("block", 2**16), ("tile", TALLEST), ("height", 64)):
            _check.whole("BlockedRows", name, getattr(self, name), 1, most)
        if self.places.ndim != 1 or self.values.shape != (len(self.places), self.height):
            rule = f"must be a place and {self.height} values each"
            self.refuse("places and values", rule, (self.places.shape, self.values.shape))
        n_rows = self.n_tiles * self.n_blocks * self.tile
        demand_rise(self, self.starts, n_rows + 1, len(self.places))
        if self.rows.shape != (n_rows,) or (self.rows >= self.tile).any():
            self.refuse("rows", f"must be {n_rows} numbers below {self.tile}", self.rows.tolist())
        if (np.sort(self.rows.reshape(-1, self.tile), axis=1) != np.arange(self.tile)).any():
            self.refuse("rows", "must be each row of a tile once", self.rows.tolist())
        if (self.places >= self.block).any():
            self.refuse("places", f"must be below {self.block}", int(self.places.max()))


def pack_blocks(
    values: Float32[np.ndarray, " kept"], columns: Indices, row_starts: Indices, k: int, n: int = 64
) -> BlockedRows:
    """Compressed rows, cut into blocks of columns.

    Args:
        values: The entries kept, row by row, in float32.
        columns: The column of each; within a row they rise.
        row_starts: Where each row begins among them, and one more for the end.
        k: Columns of the matrix.
        n: For how many columns of `x` the blocks are cut. Any number can be multiplied.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or columns do not rise.

    >>> weight = pack_blocks(np.float32([2, 3]), np.int32([1, 0]), np.int32([0, 1, 1, 2]), 2)
    >>> block_matmul(weight, np.float32([[1], [10]]))
    array([[20.],
           [ 0.],
           [ 3.]], dtype=float32)
    """
    values, columns, row_starts = demand_rows("pack_blocks", values, columns, row_starts, k)
    if values.ndim != 1:
        _check.fail("pack_blocks", "values", "must be a list", values.shape)
    _check.whole("pack_blocks", "n", n, 1)
    block = columns_of_a_block(row_starts, k, 128 if n > 16 else 256)
    return blocked(values[:, None], columns, row_starts, k, block)


def blocked(
    values: Float32[np.ndarray, "kept height"],
    columns: Indices,
    row_starts: Indices,
    k: int,
    block: int,
    tile: int | None = None,
) -> BlockedRows:
    """Checked rows, or rows of vectors `height` tall, in blocks of so many columns.

    Args:
        values: What is kept.
        columns: The column of each.
        row_starts: Where each row begins.
        k: Columns of the matrix.
        block: Columns of a block.
        tile: Rows of a tile, of numbers or of vectors; some for each thread unless given.
    """
    n_rows, n_blocks, height = len(row_starts) - 1, -(-k // block), values.shape[1]
    tile = rows_of_a_tile(n_rows, height) if tile is None else tile
    counts = np.zeros((-(-n_rows // tile), n_blocks, tile), np.int32)
    _count(columns, row_starts, block, counts)
    order = np.argsort(counts, axis=2, kind="stable")
    lengths = np.take_along_axis(counts, order, 2).reshape(-1)
    starts = np.zeros(lengths.size + 1, np.int32)
    np.cumsum(lengths, out=starts[1:])
    free = np.empty_like(counts)  # the next free place of each row
    np.put_along_axis(free, order, starts[:-1].reshape(order.shape), 2)
    ours, places = np.empty_like(values), np.empty(len(columns), np.uint16)
    _place(values, columns, row_starts, block, free, ours, places)
    rows = order.astype(np.uint8).reshape(-1)
    return BlockedRows(ours, places, starts, rows, n_rows * height, k, block, tile, height)


def block_matmul(weight: BlockedRows, x: Matrix) -> Matrix:
    """Multiply a sparse matrix in blocks of columns by a dense one: `y = A x`.

    Args:
        weight: What `pack_blocks` has made.
        x: What to multiply by, float32 of any layout. Where its columns lie side by side, so do
            those of `y`.

    Raises:
        BadKind: `weight` or `x` is of another kind.
        BadValue: `x` has not as many rows as the weight has columns, or rows share columns.

    >>> weight = pack_blocks(np.float32([2]), np.int32([0]), np.int32([0, 1]), 1)
    >>> block_matmul(weight, np.float32([[1, 3]]))
    array([[2., 6.]], dtype=float32)

    Source: Buluç, Fineman, Frigo, Gilbert and Leiserson, "Parallel Sparse Matrix-Vector and
    Matrix-Transpose-Vector Multiplication Using Compressed Sparse Blocks", SPAA 2009, section 3;
    the survey's section 6; lab 13.
    """
    _check.kind("block_matmul", "weight", weight, BlockedRows)
    if weight.height != 1:
        rule = "must be 1; vector_matmul multiplies by vectors"
        _check.fail("block_matmul", "height of the weight", rule, weight.height)
    demand_x("block_matmul", x, weight.k, 2)
    return multiply(weight, x, LOOPS, WIDEST)


def multiply(weight: BlockedRows, x: Matrix, loops: Loops, widest: int) -> Matrix:
    """Deal a product out, to the loop for each width of panels."""
    finish = finish_of(np.zeros(weight.n_rows, np.float32))

    def product(panels: Panels, y: np.ndarray, layout: Layout) -> None:
        loop, of_x = loops[panels.shape[2]], side_by_side(panels)
        deal_panels(loop, weight, panels.shape, (panels.reshape(-1), of_x, y, layout), finish)

    n_rows = weight.n_blocks * weight.block, weight.n_rows, weight.m
    return by_panels(product, x, n_rows, widest)


def deal_panels(
    loop: Loop,
    weight: BlockedRows,
    panels: tuple[int, int, int],
    both: tuple[Floats, Layout, Floats, Layout],
    finish: Finish,
) -> None:
    """All tiles and panels of a product, `both` being where `x` and `y` lie."""
    x, of_x, y, of_y = both
    parts = weight.values.reshape(-1), weight.places, weight.starts, weight.rows
    frame = framed(weight.n_bytes, weight.n_tiles, panels, of_x, of_y)
    sizes = weight.tile, weight.n_blocks, weight.block
    deal(loop, panels[0] * weight.n_tiles, x, y, parts, sizes, frame, tuple(finish))


def block_matmul_reference(weight: BlockedRows, x: Matrix) -> Matrix:
    """`block_matmul` in NumPy: each row of each block times the rows of `x` that it meets."""
    h, tile = weight.height, weight.tile
    y = np.zeros((weight.n_tiles * tile * h, x.shape[1]), np.float32)
    for i, row in enumerate(weight.rows):
        some = slice(weight.starts[i], weight.starts[i + 1])
        columns = i // tile % weight.n_blocks * weight.block + weight.places[some].astype(int)
        top = (i // (weight.n_blocks * tile) * tile + int(row)) * h
        y[top : top + h] += weight.values[some].T @ x[columns]
    return y[: weight.m]


def block_matmul_cost(weight: BlockedRows, x: tuple[int, ...]) -> Cost:
    """MACs that run, and bytes that must travel, from the weight and the shape of `x`.

    >>> weight = pack_blocks(np.float32([2]), np.int32([0]), np.int32([0, 1]), 1)
    >>> block_matmul_cost(weight, (1, 2)).macs
    2
    """
    moved = weight.n_bytes + 4 * (weight.k + weight.m) * x[1]
    return Cost(macs=weight.values.size * x[1], traffic_bytes=moved)


def columns_of_a_block(row_starts: Indices, k: int, fit: int, wanted: int = 10) -> int:
    """As many as fit the cache, or more, up to four times, until a row keeps ten values in one.

    Args:
        row_starts: Where each row begins, and the end.
        k: Columns of the matrix.
        fit: How many fit.
        wanted: How many values a row should keep in a block.
    """
    enough = wanted * k * (len(row_starts) - 1) // max(int(row_starts[-1]), 1)
    return min(max(fit, min(enough, 4 * fit)), k)


def rows_of_a_tile(n_rows: int, height: int) -> int:
    """Tall tiles fetch `x` less often; but every thread wants a few."""
    eighth = -(-n_rows // 8)
    return min(max(eighth + -eighth % 16, 16), TALLEST // height)


@compiled
def _count(columns, row_starts, block, counts):
    tile = counts.shape[2]
    for i in range(len(row_starts) - 1):
        for p in range(row_starts[i], row_starts[i + 1]):
            counts[i // tile, columns[p] // block, i % tile] += 1


@compiled
def _place(values, columns, row_starts, block, free, ours, places):
    tile = free.shape[2]
    for i in range(len(row_starts) - 1):
        for p in range(row_starts[i], row_starts[i + 1]):
            b = columns[p] // block
            to = free[i // tile, b, i % tile]
            free[i // tile, b, i % tile] = to + 1
            places[to] = columns[p] - b * block
            for j in range(values.shape[1]):
                ours[to, j] = values[p, j]
