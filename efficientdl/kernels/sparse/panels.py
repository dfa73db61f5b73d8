"""The dense factor in panels: a few columns wide, so that a row of one fills registers.

A panel of 64 columns is four registers of float32, one of 16 a single register, and one of 8 half
a one. Each begins at a cache line; rows lie side by side. What the last panel has too much is
zeros, and is cut off from the product.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import load, load_half, room, store
from efficientdl.kernels.threads import deal

Matrix = Float32[np.ndarray, "k n"]
Panels = Float32[np.ndarray, "panels rows width"]

Layout = tuple[int, int]  # from a row of a panel to the next, and from a panel to the next
Frame = tuple[int, int, int, int, int, int, int]  # panels, tiles, tiles first, layouts of x and y
Product = Callable[[Panels, Float32[np.ndarray, " places"], Layout], None]

NARROW = 512  # columns: the rows of a wider product would lie in the same few lines of the cache
NEAR = 2**19  # bytes that stay in the second cache, and leave room for others
_ROWS = 16  # one tile's: a cache line of a column, where columns lie side by side


def split(n: int, widest: int) -> list[tuple[int, int]]:
    """Panels for `n` columns: widths, and how many there are of each.

    >>> split(150, 64), split(8, 64), split(64, 16)
    ([(64, 2), (16, 2)], [(8, 1)], [(16, 4)])
    """
    n_wide, rest = divmod(n, widest)
    runs = [(widest, n_wide)] if n_wide else []
    if 0 < rest <= 8:
        return [*runs, (8, 1)]
    if rest > 32:
        return [(widest, n_wide + 1)]
    return [*runs, (16, -(-rest // 16))] if rest else runs


def pack_panels(x: Matrix, n_rows: int, widest: int) -> list[Panels]:
    """Copy a matrix into panels, one array for each width.

    Args:
        x: The matrix, of any layout.
        n_rows: How many rows a panel has, zeros after those of `x`.
        widest: Columns of the widest panel: 64 or 16.

    >>> [panels.shape for panels in pack_panels(np.ones((3, 70), np.float32), 4, 64)]
    [(1, 4, 64), (1, 4, 8)]
    """
    made, left, n = [], 0, x.shape[1]
    by_column = _by_column(x)
    source = (x.T if by_column else np.ascontiguousarray(x)).reshape(-1)
    for width, n_panels in split(n, widest):
        panels = room((n_panels, n_rows, width), np.float32)
        loop = _pack_columns if by_column else _pack_rows
        sizes = x.shape[0], n, n_rows, width, n_panels, left
        deal(loop, -(-n_rows // _ROWS), source, panels.reshape(-1), sizes)
        made.append(panels)
        left += width * n_panels
    return made


def by_panels(product: Product, x: Matrix, n_rows: tuple[int, int, int], widest: int) -> Matrix:
    """A product whose columns are computed panel by panel.

    Args:
        product: `f(panels of x, y, layout of y)` writes all of `y`, a flat array of panels as wide.
        x: The dense factor, of any layout.
        n_rows: How many rows a panel of `x` has, how many one of `y`, and how many are the product.
        widest: Columns of the widest panel.

    Where panels side by side are the matrix, the product is written where it belongs; else into
    panels, and copied.
    """
    of_x, of_y, m = n_rows
    n, packed = x.shape[1], pack_panels(x, of_x, widest)
    in_place = sum(some.shape[0] * some.shape[2] for some in packed) == n <= NARROW
    if in_place and packed and not _by_column(x):
        y, left = room((of_y, n), np.float32), 0
        for panels in packed:
            product(panels, y.reshape(-1)[left:], (n, panels.shape[2]))
            left += panels.shape[0] * panels.shape[2]
        return y[:m]
    made = []
    for panels in packed:
        n_panels, _, width = panels.shape
        made.append(room((n_panels, of_y, width), np.float32))
        product(panels, made[-1].reshape(-1), (width, of_y * width))
    return unpack_panels(made, m, x)


def framed(
    weight_bytes: int, n_tiles: int, panels: tuple[int, int, int], of_x: Layout, of_y: Layout
) -> Frame:
    """What a loop must know of its panels, and whether it takes a tile through all of them.

    The other order is a panel through all tiles. What is in the outer loop is read once. What is
    in the inner one is read again and again, from the second cache where it fits there.

    Args:
        weight_bytes: Bytes of the weight.
        n_tiles: Into how many tiles of rows it is cut.
        panels: How many panels of `x` there are, their rows, and their width.
        of_x: Where they lie.
        of_y: Where those of the product do.
    """
    x_bytes = 4 * math.prod(panels)
    again = x_bytes * (1 if x_bytes <= NEAR else n_tiles)
    instead = weight_bytes * (1 if weight_bytes <= NEAR else panels[0])
    first = weight_bytes + again < x_bytes + instead
    return (panels[0], n_tiles, int(first), *of_x, *of_y)


def side_by_side(panels: Panels) -> Layout:
    """The layout of panels that `pack_panels` has made."""
    _, n_rows, width = panels.shape
    return width, n_rows * width


@compiled
def whereabouts(turn, frame) -> tuple[int, int]:
    """The tile and the panel of a turn."""
    if frame[2]:
        return turn // frame[0], turn % frame[0]
    return turn % frame[1], turn // frame[1]


def unpack_panels(panels: Sequence[Panels], m: int, like: Matrix) -> Matrix:
    """Panels as one matrix, without what they were filled up with.

    Args:
        panels: What a kernel has made, as `pack_panels` lays it out.
        m: How many rows the matrix has.
        like: Where this has its columns side by side, the matrix has them so, too: a batch goes
            in and out as it lies.
    """
    n, by_column = like.shape[1], _by_column(like)
    if len(panels) == 1 and panels[0].shape[0] == 1 and panels[0].shape[2] == n and not by_column:
        return panels[0][0, :m]  # it is the matrix already
    y = np.empty((n, m) if by_column else (m, n), np.float32)
    left = 0
    for some in panels:
        n_panels, n_rows, width = some.shape
        loop = _unpack_columns if by_column else _unpack_rows
        sizes = m, n, n_rows, width, n_panels, left
        deal(loop, -(-m // _ROWS), y.reshape(-1), some.reshape(-1), sizes)
        left += width * n_panels
    return y.T if by_column else y


def _by_column(x: Matrix) -> bool:
    return x.flags.f_contiguous and not x.flags.c_contiguous


@compiled
def _pack_rows(first, last, x, panels, sizes):
    k, n, n_rows, width, n_panels, left = sizes
    zero = np.float32(0)
    for i in range(first * _ROWS, min(last * _ROWS, n_rows)):
        for panel in range(n_panels):
            to, j = (panel * n_rows + i) * width, left + panel * width
            if i < k and j + width <= n:
                _copy(panels, to, x, i * n + j, width)
            else:
                for c in range(width):
                    panels[to + c] = x[i * n + j + c] if i < k and j + c < n else zero


@compiled
def _pack_columns(first, last, x, panels, sizes):
    k, n, n_rows, width, n_panels, left = sizes
    zero = np.float32(0)
    for tile in range(first, last):
        top, bottom = tile * _ROWS, min(tile * _ROWS + _ROWS, n_rows)
        for panel in range(n_panels):
            for c in range(width):
                j, to = left + panel * width + c, panel * n_rows * width + c
                for i in range(top, bottom):
                    panels[to + i * width] = x[j * k + i] if i < k and j < n else zero


@compiled
def _unpack_rows(first, last, y, panels, sizes):
    m, n, n_rows, width, n_panels, left = sizes
    for i in range(first * _ROWS, min(last * _ROWS, m)):
        for panel in range(n_panels):
            at_first, j = (panel * n_rows + i) * width, left + panel * width
            if j + width <= n:
                _copy(y, i * n + j, panels, at_first, width)
            else:
                for c in range(n - j):
                    y[i * n + j + c] = panels[at_first + c]


@compiled
def _unpack_columns(first, last, y, panels, sizes):
    m, n, n_rows, width, n_panels, left = sizes
    for tile in range(first, last):
        top, bottom = tile * _ROWS, min(tile * _ROWS + _ROWS, m)
        for panel in range(n_panels):
            j = left + panel * width
            for c in range(min(width, n - j)):
                for i in range(top, bottom):
                    y[(j + c) * m + i] = panels[(panel * n_rows + i) * width + c]


@compiled
def _copy(y, to, x, place, width):
    """A row of a panel: half a register, or whole ones."""
    if width == 8:
        store(y, to, load_half(x, place))
    else:
        for c in range(0, width, 16):
            store(y, to + c, load(x, place + c))
