"""Nearest points by a grid of cells: only what lies around a query is looked at.

Points are sorted by cell, the last axis running fastest, so that a row of cells is a row of points.
A query looks at its own cell and those around it, then at one shell after another, until every
point of the next shell is farther than the worst one found. For one to three axes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.simd import aligned, at, load, maximum, splat, store, total

MOST_AXES = 3
LANES = 16
SHARE = 8  # the middle cell and those around it hold about 27 / 8 of the points wanted
LEAST = 2.0  # points of a cell, on average
CROWDED, MOST = 2, 4  # times the points wanted of a cell; cells a point
MOST_CELLS = 1024  # of an axis
EXACT, TINY = 1 - 1e-5, 1e-30  # float32 distances are rounded, and small squares are zeros


class Grid(NamedTuple):
    """Points by cells.

    Attributes:
        columns: Coordinates axis by axis, points in order of cells.
        order: Which point each is.
        starts: Where each cell's points begin, and where the last one's end.
        low: The corner of the box; three axes, the first ones empty where there are fewer.
        sizes: Of a cell.
        shape: How many cells.
    """

    columns: Float32[np.ndarray, "_"]
    order: Int32[np.ndarray, " n"]
    starts: Int64[np.ndarray, "_"]
    low: Float64[np.ndarray, "3"]
    sizes: Float64[np.ndarray, "3"]
    shape: Int64[np.ndarray, "3"]


def grid_of(points: Float32[np.ndarray, "n d"], k: int) -> Grid:
    """Sort points into cells that suit a search for `k` of them.

    Where points crowd in few cells, as those of a surface do, the cells are made smaller.
    """
    n, d = points.shape
    points, wanted = np.ascontiguousarray(points), max(LEAST, k / SHARE)
    low, spans = np.zeros(3), np.zeros(3)
    low[3 - d :] = points.min(axis=0)
    spans[3 - d :] = points.max(axis=0).astype(np.float64) - low[3 - d :]
    cells, order, n_cells = np.empty(n, np.int64), np.empty(n, np.int32), n / wanted
    while True:
        shape = _cells(spans, n_cells)
        sizes = np.where(spans > 0, spans, 1.0) / shape
        starts = np.zeros(int(shape.prod()) + 1, np.int64)
        _count(points, (low, sizes, shape), cells, starts)
        crowd = float(np.square(starts).sum()) / n  # who shares a point's cell, on average
        if crowd < CROWDED * wanted or n_cells >= MOST * n:
            break
        n_cells = min(n_cells * crowd / wanted, MOST * n)
    _sort(cells, starts, order)
    columns = aligned((d, n + LANES), np.float32)
    columns[:, :n] = points[order].T
    return Grid(columns.reshape(-1), order, starts, low, sizes, shape)


def _cells(spans: Float64[np.ndarray, "3"], n_cells: float) -> Int64[np.ndarray, "3"]:
    """How many cells each axis has: about so many in all, about as wide as high.

    >>> _cells(np.array([4.0, 2.0, 0.0]), 8)
    array([4, 2, 1])
    """
    shape = np.ones(3, np.int64)
    long = spans > 0
    for _ in range(3):  # an axis shorter than a cell has one, and the others share its part
        if not long.any():
            break
        size = np.exp((np.log(spans[long]).sum() - np.log(max(n_cells, 1.0))) / long.sum())
        if (spans[long] >= size).all():
            shape[long] = np.clip(np.round(spans[long] / size), 1, MOST_CELLS)
            break
        long &= spans >= size
    return shape


@compiled
def _cell(coordinate, low, size, count):
    """Which cell of an axis a coordinate is in, or the nearest one to it."""
    return np.int64(min(max((coordinate - low) / size, 0.0), count - 1.0))


@compiled
def _count(points, box, cells, starts):
    """The cell of each point, and how many each has, one place further on."""
    (low, sizes, shape), (n, d) = box, points.shape
    for i in range(n):
        cell = 0
        for axis in range(3 - d, 3):
            x = np.float64(points[i, axis - 3 + d])
            cell = cell * shape[axis] + _cell(x, low[axis], sizes[axis], shape[axis])
        cells[i] = cell
        starts[cell + 1] += 1


@compiled
def _sort(cells, starts, order):
    """The points of each cell by rising index, and where each cell begins."""
    for cell in range(len(starts) - 1):
        starts[cell + 1] += starts[cell]
    for i in range(len(cells)):
        order[starts[cells[i]]] = i
        starts[cells[i]] += 1
    for cell in range(len(starts) - 1, 0, -1):
        starts[cell] = starts[cell - 1]
    starts[0] = 0


@compiled
def nearest_in_grid(first, last, grid, queries, at_once, indices, squared) -> None:
    """Tiles of queries: shell after shell, until the next one is too far."""
    columns, order, starts, low, sizes, shape = grid
    (n_queries, d), k = queries.shape, indices.shape[1]
    q, c, found = np.zeros(3), np.zeros(3, np.int64), np.empty(LANES, np.float32)
    for query in range(first * at_once, min(last * at_once, n_queries)):
        best, who = squared[query], indices[query]
        best[:] = np.float32(np.inf)
        who[:] = len(order)
        for axis in range(3 - d, 3):
            q[axis] = queries[query, axis - 3 + d]
            c[axis] = _cell(q[axis], low[axis], sizes[axis], shape[axis])
        around = (columns, order, starts, shape), (queries, query * d, d), (best, who, found)
        reach = 1
        _shell(around, c, reach)
        while best[k - 1] >= _bound(q, c, (low, sizes, shape), reach):
            reach += 1
            _shell(around, c, reach)


@compiled
def _bound(q, c, box, reach):
    """No point outside the cells within reach is nearer, squared; infinite if there is none."""
    low, sizes, shape = box
    outside = 0.0
    for axis in range(3):
        outside += _outside(q[axis], low[axis], sizes[axis] * shape[axis]) ** 2
    least = np.inf
    for axis in range(3):
        other = outside - _outside(q[axis], low[axis], sizes[axis] * shape[axis]) ** 2
        margin = 1e-6 * sizes[axis]
        if c[axis] - reach > 0:
            gap = q[axis] - low[axis] - (c[axis] - reach) * sizes[axis] - margin
            least = min(least, max(other, 0.0) + max(gap, 0.0) ** 2)
        if c[axis] + reach < shape[axis] - 1:
            gap = low[axis] + (c[axis] + reach + 1) * sizes[axis] - q[axis] - margin
            least = min(least, max(other, 0.0) + max(gap, 0.0) ** 2)
    return least * EXACT - TINY


@compiled
def _outside(coordinate, low, span):
    """How far a coordinate is from the box along an axis, and a little less."""
    return max(max(low - coordinate, coordinate - low - span) - 1e-6 * span, 0.0)


@compiled
def _shell(around, c, reach):
    """The cells that far from the middle one; with a reach of one, the middle one too."""
    shape = around[0][3]
    for x in range(max(c[0] - reach, 0), min(c[0] + reach + 1, shape[0])):
        for y in range(max(c[1] - reach, 0), min(c[1] + reach + 1, shape[1])):
            row = (x * shape[1] + y) * shape[2]
            z0, z1 = c[2] - reach, c[2] + reach
            if reach == 1 or abs(x - c[0]) == reach or abs(y - c[1]) == reach:
                _look(around, row + max(z0, 0), row + min(z1, shape[2] - 1))
            else:
                if z0 >= 0:
                    _look(around, row + z0, row + z0)
                if z1 < shape[2]:
                    _look(around, row + z1, row + z1)


@compiled
def _look(around, first_cell, last_cell):
    """The points of some cells in a row, sixteen at a time."""
    (columns, order, starts, _), (queries, start, d), (best, who, found) = around
    length, worst = len(columns) // d, len(best) - 1
    begin, end = starts[first_cell], starts[last_cell + 1]
    for place in range(begin, end, LANES):
        sums = splat(np.float32(0))
        for axis in range(d):
            x = load(columns, axis * length + place) - splat(at(queries, start + axis))
            sums = sums + x * x
        if total(maximum(splat(_above(best[worst])) - sums, splat(np.float32(0)))) > 0:
            store(found, 0, sums)
            for i in range(min(LANES, end - place)):
                point = order[place + i]
                if found[i] < best[worst] or (found[i] == best[worst] and point < who[worst]):
                    _sort_in(found[i], point, best, who)


@compiled
def _above(distance):
    """A number that is larger, whatever the rounding."""
    return distance * np.float32(1.0001) + np.float32(1e-30)


@compiled
def _sort_in(distance, point, best, who):
    """Behind those that are nearer, or as near and of a lower index."""
    slot = len(best) - 1
    while slot > 0 and (
        best[slot - 1] > distance or (best[slot - 1] == distance and who[slot - 1] > point)
    ):
        best[slot], who[slot] = best[slot - 1], who[slot - 1]
        slot -= 1
    best[slot], who[slot] = distance, point
