"""Neighbours of points: the nearest, those in a ball, the farthest; and the sums of their features.

Of many points in three axes or fewer, those around a query are found by a grid of cells. Else all
distances are computed and none is kept: sixty-four at a time are compared with the worst one still
wanted, and only where one is better is it looked at more closely. Distances are squared, their
terms added axis by axis in float32, so that they are those of plain NumPy to the last bit.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.points import distances, grid_search
from efficientdl.kernels.simd import aligned, at, load, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Points = Float32[np.ndarray, "n d"]
Features = Float32[np.ndarray, "n c"]
Indices = Int32[np.ndarray, "m k"]
Shape = tuple[int, ...]

QUERIES = 32  # of a tile
MANY, FEW = 1024, 16  # a grid of fewer points, or for fewer queries, takes longer than it saves
LANES = 16
FARTHEST_OUT = 1e16  # squares of differences, and sums of a few thousand, are still numbers
MOST_AXES = 4096


class Neighbours(NamedTuple):
    """The neighbours of each query, the nearest first.

    Attributes:
        indices: Which points they are.
        squared: Their distances, squared.
    """

    indices: Indices
    squared: Float32[np.ndarray, "m k"]


class InBall(NamedTuple):
    """The points around each query.

    Attributes:
        indices: Which points they are, by rising index. Where there are fewer than wanted, the
            first is repeated; where there are none, -1 stands.
        counts: How many there are, at most as many as wanted.
    """

    indices: Indices
    counts: Int32[np.ndarray, " m"]


def _inputs(rng: np.random.Generator, size: int) -> tuple[object, ...]:
    """Points on a coarse grid, so that many distances are equal, and a few queries."""
    n, d = 5 * size, int(rng.integers(1, 6))
    points = rng.integers(-3, 4, (n, d)).astype(np.float32) / 3
    return points, rng.standard_normal((size, d)).astype(np.float32), int(rng.integers(1, n + 1))


@technique(
    "kernel-knn",
    paper="Ravi, Reizenstein, Novotny, Gordon, Lo, Johnson, Gkioxari, Accelerating 3D Deep "
    "Learning with PyTorch3D, 2020",
    survey="6.1",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs),
)
def knn(points: Points, queries: Points, k: int) -> Neighbours:
    """Find the `k` nearest points of each query, of points equally far the lower index first.

    The way depends on the numbers of axes, points, queries and neighbours: a grid of cells where
    few of many points in a line, a plane or space are wanted, else a comparison with all of them.
    The neighbours are the same.

    Args:
        points: Where to look, in float32.
        queries: Where from.
        k: How many neighbours, 1 to the number of points.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or a coordinate is not a number or beyond 1e16.

    >>> line = np.float32([[0], [1], [5]])
    >>> knn(line, np.float32([[4]]), 2)
    Neighbours(indices=array([[2, 1]], dtype=int32), squared=array([[1., 9.]], dtype=float32))

    Source: Ravi et al., "Accelerating 3D Deep Learning with PyTorch3D", 2020, on nearest
    neighbours; Bentley, Weide and Yao, "Optimal Expected-Time Algorithms for Closest Point
    Problems", 1980, on cells; the survey's section 6.1; lab 13.
    """
    _demand("knn", points, queries)
    _check.whole("knn", "k", k, 1, len(points))
    return (_by_grid if _suits_grid(points, queries, k) else _by_force)(points, queries, k)


def _suits_grid(points: Points, queries: Points, k: int) -> bool:
    """Whether a grid repays its making."""
    (n, d), m = points.shape, len(queries)
    return d <= grid_search.MOST_AXES and n >= MANY and m >= n // MANY + FEW and FEW * k <= n


def _by_grid(points: Points, queries: Points, k: int) -> Neighbours:
    found, tiles = _room(queries, k)
    grid, queries = tuple(grid_search.grid_of(points, k)), np.ascontiguousarray(queries)
    deal(grid_search.nearest_in_grid, tiles, grid, queries, QUERIES, *found)
    return found


def _by_force(points: Points, queries: Points, k: int) -> Neighbours:
    found, tiles = _room(queries, k)
    columns, queries = distances.columns(points), np.ascontiguousarray(queries)
    deal(distances.nearest, tiles, columns, queries, (len(points), QUERIES), *found)
    return found


def _room(queries: Points, k: int) -> tuple[Neighbours, int]:
    """Where the neighbours will stand, and how many tiles of queries there are."""
    indices, squared = np.zeros((2, len(queries), k), np.int32)
    return Neighbours(indices, squared.view(np.float32)), -(-len(queries) // QUERIES)


def knn_reference(points: Points, queries: Points, k: int) -> Neighbours:
    """The same by sorting all distances of each query."""
    squared = np.zeros((len(queries), len(points)), np.float32)
    for axis in range(points.shape[1]):
        step = points[None, :, axis] - queries[:, None, axis]
        squared += step * step
    indices = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return Neighbours(indices.astype(np.int32), np.take_along_axis(squared, indices, axis=1))


def knn_cost(points: Shape, queries: Shape, k: int) -> Cost:
    """One MAC for each axis of each pair; coordinates read, indices and distances written.

    >>> knn_cost((100, 3), (10, 3), 4)
    Cost(macs=3000, traffic_bytes=1640)
    """
    (n, d), m = points, queries[0]
    return Cost(macs=n * m * d, traffic_bytes=4 * ((n + m) * d + 2 * m * k))


def ball_query(points: Points, queries: Points, k: int, *, radius: float) -> InBall:
    """Find the first `k` points nearer than `radius` to each query, by rising index.

    Args:
        points: Where to look, in float32.
        queries: Where from.
        k: How many points at most.
        radius: Of the ball, above 0.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or a coordinate is not a number or beyond 1e16.

    >>> line = np.float32([[0], [1], [5]])
    >>> ball_query(line, np.float32([[4], [9]]), 2, radius=2)
    InBall(indices=array([[ 2,  2], [-1, -1]], dtype=int32), counts=array([1, 0], dtype=int32))

    Source: Qi, Yi, Su and Guibas, "PointNet++", NeurIPS 2017, section 3.2; lab 13.
    """
    _demand("ball_query", points, queries)
    _check.whole("ball_query", "k", k, 1, 2**31 - 1)
    _check.in_range("ball_query", "radius", radius, 0, FARTHEST_OUT)
    indices, counts = np.full((len(queries), k), -1, np.int32), np.zeros(len(queries), np.int32)
    limit = np.float32(radius) * np.float32(radius)
    n_tiles = -(-len(queries) // QUERIES)
    columns, queries = distances.columns(points), np.ascontiguousarray(queries)
    sizes = (len(points), QUERIES)
    deal(distances.in_ball, n_tiles, columns, queries, sizes, limit, indices, counts)
    return InBall(indices, counts)


def farthest_points(points: Points, count: int, *, first: int = 0) -> Int32[np.ndarray, " count"]:
    """Choose points one by one, each the farthest from all that are chosen already.

    Of points equally far the one of lower index is taken. Each choice waits for the one before, so
    that this runs on one thread.

    Args:
        points: Where to choose from, in float32.
        count: How many.
        first: The one to begin with.

    Raises:
        BadKind: The points are not float32.
        BadValue: More points are wanted than there are, or a coordinate is not a number.

    >>> farthest_points(np.float32([[0], [1], [5], [2]]), 3)
    array([0, 2, 3], dtype=int32)

    Source: Eldar, Lindenbaum, Porat and Zeevi, "The Farthest Point Strategy for Progressive Image
    Sampling", 1997; Qi et al., "PointNet++", NeurIPS 2017, section 3.2; lab 13.
    """
    _demand("farthest_points", points, points)
    _check.whole("farthest_points", "count", count, 1, len(points))
    _check.whole("farthest_points", "first", first, 0, len(points) - 1)
    chosen = np.empty(count, np.int32)
    chosen[0] = first
    columns = distances.columns(points)
    distances.farthest(columns, len(points), points.shape[1], chosen)
    return chosen


def neighbour_sum(x: Features, indices: Indices) -> Float32[np.ndarray, "m c"]:
    """Sum the features of each query's neighbours: gather and add in one, -1 being nobody.

    The features of all edges, `m k c` numbers, are never written down.

    Args:
        x: Features of each point, in float32.
        indices: The neighbours of each query, as `knn` or `ball_query` give them.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays are no matrices, or an index is none of a point, nor -1.

    >>> neighbour_sum(np.float32([[1], [10], [100]]), np.int32([[0, 2], [1, -1]]))
    array([[101.],
           [ 10.]], dtype=float32)

    Source: Ravi et al., "Accelerating 3D Deep Learning with PyTorch3D", 2020, on graph
    convolution, where it calls this fused gather and scatter-add; the survey's section 6.1; lab 13.
    """
    for name, array, dtype in (("x", x, np.float32), ("indices", indices, np.int32)):
        _check.kind("neighbour_sum", name, array, np.ndarray)
        if array.dtype != dtype:
            rule = f"neighbour_sum: {name} must be {np.dtype(dtype)}, got {array.dtype}"
            raise _check.BadKind(rule)
    if x.ndim != 2 or indices.ndim != 2:
        rule = "must be n c and m k"
        _check.fail("neighbour_sum", "shapes of x and indices", rule, (x.shape, indices.shape))
    if indices.size and (indices.min() < -1 or indices.max() >= len(x)):
        rule = f"must be -1 to {len(x) - 1}"
        span = (int(indices.min()), int(indices.max()))
        _check.fail("neighbour_sum", "indices", rule, span)
    width = -(-x.shape[1] // LANES) * LANES
    rows, y = aligned((len(x), width), np.float32), aligned((len(indices), width), np.float32)
    rows[:, : x.shape[1]] = x
    n_tiles = -(-len(indices) // QUERIES)
    deal(_sum, n_tiles, rows.reshape(-1), np.ascontiguousarray(indices), width, y.reshape(-1))
    return np.ascontiguousarray(y[:, : x.shape[1]])


@compiled
def _sum(first, last, rows, indices, width, y):
    n, k = indices.shape
    for query in range(first * QUERIES, min(last * QUERIES, n)):
        for column in range(0, width, LANES):
            sums = splat(np.float32(0))
            for p in range(query * k, query * k + k):
                point = np.int64(at(indices, p))
                if point >= 0:
                    sums = sums + load(rows, point * width + column)
            store(y, query * width + column, sums)


def _demand(caller: str, points: Points, queries: Points) -> None:
    for name, array in (("points", points), ("queries", queries)):
        _check.kind(caller, name, array, np.ndarray)
        if array.dtype != np.float32:
            raise _check.BadKind(f"{caller}: {name} must be float32, got {array.dtype}")
        if array.ndim != 2 or not 1 <= array.shape[1] <= MOST_AXES:
            rule = f"must be n d, with 1 to {MOST_AXES} axes"
            _check.fail(caller, f"shape of {name}", rule, array.shape)
        if array.size and not (np.abs(array) <= FARTHEST_OUT).all():
            rule = f"must be numbers within {FARTHEST_OUT}"
            _check.fail(caller, name, rule, float(np.abs(array).max()))
    if points.shape[1] != queries.shape[1] or not len(points) or len(points) > 2**31 - 1:
        rule = "must be n d and m d, with a point at least"
        _check.fail(caller, "shapes of points and queries", rule, (points.shape, queries.shape))
