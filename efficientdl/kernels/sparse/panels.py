"""The dense factor in panels: a few columns wide, so that a row of one fills registers.

A panel of 64 columns is four registers of float32, one of 16 a single register, and one of 8 half
a one. Each begins at a cache line; rows lie side by side. What the last panel has too much is
zeros, and is cut off from the product.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import aligned
from efficientdl.kernels.threads import deal

Matrix = Float32[np.ndarray, "k n"]
Panels = Float32[np.ndarray, "panels rows width"]

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
    made, left = [], 0
    by_column = x.flags.f_contiguous and not x.flags.c_contiguous
    source = x.T if by_column else np.ascontiguousarray(x)
    for width, n_panels in split(x.shape[1], widest):
        panels = aligned((n_panels, n_rows, width), np.float32)
        right = min(left + width * n_panels, x.shape[1])
        loop = _pack_columns if by_column else _pack_rows
        deal(loop, -(-x.shape[0] // _ROWS), source, left, right, panels)
        made.append(panels)
        left = right
    return made


def unpack_panels(panels: Sequence[Panels], m: int, like: Matrix) -> Matrix:
    """Panels as one matrix, without what they were filled up with.

    Args:
        panels: What a kernel has made, as `pack_panels` lays it out.
        m: How many rows the matrix has.
        like: Where this has its columns side by side, the matrix has them so, too: a batch goes
            in and out as it lies.
    """
    n = like.shape[1]
    by_column = like.flags.f_contiguous and not like.flags.c_contiguous
    if len(panels) == 1 and panels[0].shape[0] == 1 and panels[0].shape[2] == n and not by_column:
        return panels[0][0, :m]  # it is the matrix already
    y = np.empty((n, m) if by_column else (m, n), np.float32)
    left = 0
    for some in panels:
        right = min(left + some.shape[0] * some.shape[2], n)
        loop = _unpack_columns if by_column else _unpack_rows
        deal(loop, -(-m // _ROWS), y, left, right, some)
        left = right
    return y.T if by_column else y


@compiled
def _pack_rows(first, last, x, left, right, panels):
    width = panels.shape[2]
    for k in range(first * _ROWS, min(last * _ROWS, x.shape[0])):
        for panel in range(panels.shape[0]):
            start = left + panel * width
            for j in range(min(width, right - start)):
                panels[panel, k, j] = x[k, start + j]


@compiled
def _pack_columns(first, last, x, left, right, panels):
    width = panels.shape[2]
    for tile in range(first, last):
        top, bottom = tile * _ROWS, min(tile * _ROWS + _ROWS, x.shape[1])
        for panel in range(panels.shape[0]):
            start = left + panel * width
            for j in range(min(width, right - start)):
                for k in range(top, bottom):
                    panels[panel, k, j] = x[start + j, k]


@compiled
def _unpack_rows(first, last, y, left, right, panels):
    width = panels.shape[2]
    for i in range(first * _ROWS, min(last * _ROWS, y.shape[0])):
        for panel in range(panels.shape[0]):
            start = left + panel * width
            for j in range(min(width, right - start)):
                y[i, start + j] = panels[panel, i, j]


@compiled
def _unpack_columns(first, last, y, left, right, panels):
    width = panels.shape[2]
    for tile in range(first, last):
        top, bottom = tile * _ROWS, min(tile * _ROWS + _ROWS, y.shape[1])
        for panel in range(panels.shape[0]):
            start = left + panel * width
            for j in range(min(width, right - start)):
                for i in range(top, bottom):
                    y[start + j, i] = panels[panel, i, j]
