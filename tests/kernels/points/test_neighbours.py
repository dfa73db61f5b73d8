"""Neighbours equal brute force and SciPy's tree, ties and all; sums equal NumPy's."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from efficientdl.kernels.points import (
    ball_query,
    farthest_points,
    knn,
    neighbour_sum,
)
from efficientdl.kernels.points.neighbours import (
    _by_force,
    _by_grid,
    _suits_grid,
    knn_cost,
    knn_reference,
)
from efficientdl.kernels.threads import threads
from tests.kernels import modes


def cloud(n, d, seed, *, coarse=False):
    rng = np.random.default_rng(seed)
    points = rng.integers(-2, 3, (n, d)) if coarse else rng.standard_normal((n, d))
    return points.astype(np.float32)


def all_squared(points, queries):
    """Every distance, in float64: exact where coordinates are small whole numbers."""
    return ((queries[:, None].astype(np.float64) - points[None]) ** 2).sum(axis=2)


def test_the_nearest_of_each_point_is_itself():
    points = cloud(200, 3, 0)
    found = knn(points, points, 1)
    np.testing.assert_array_equal(found.indices[:, 0], np.arange(200))
    np.testing.assert_array_equal(found.squared, np.zeros((200, 1)))


@settings(deadline=None, max_examples=60, database=None)
@given(
    n=st.tuples(st.integers(1, 150), st.integers(0, 70)),
    d=st.integers(1, 6),
    k=st.integers(1, 20),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_knn_equals_sorting_with_ties_by_index(n, d, k, n_threads, seed):
    points, queries = cloud(n[0], d, seed, coarse=True), cloud(n[1], d, seed + 1, coarse=True)
    k = min(k, len(points))
    with threads(n_threads):
        found = knn(points, queries, k)
    squared = all_squared(points, queries)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_array_equal(found.squared, np.take_along_axis(squared, order, axis=1))
    for mine, other in zip(found, knn_reference(points, queries, k), strict=True):
        np.testing.assert_array_equal(mine, other)


@settings(deadline=None, max_examples=100, database=None)
@given(
    n=st.tuples(st.integers(1, 300), st.integers(0, 70)),
    d=st.integers(1, 3),
    k=st.integers(1, 20),
    stretch=st.sampled_from([(1, 1, 1), (0, 1, 1), (100, 1, 0), (1e-20, 1e15, 1)]),
    coarse=st.booleans(),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_a_grid_finds_what_force_finds(n, d, k, stretch, coarse, n_threads, seed):
    """Clouds that are flat, long or lie in one place, ties, and queries far outside of them."""
    points, queries = cloud(n[0], d, seed, coarse=coarse), cloud(n[1], d, seed + 1, coarse=coarse)
    queries[::3] *= 50
    points, queries = (each * np.float32(stretch[:d]) for each in (points, queries))
    k = min(k, len(points))
    with threads(n_threads):
        found = _by_grid(points, queries, k)
    for mine, other in zip(found, _by_force(points, queries, k), strict=True):
        np.testing.assert_array_equal(mine, other)
    for mine, other in zip(found, knn_reference(points, queries, k), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("kind", ["even", "crowded", "on a sphere", "all in one place"])
def test_a_grid_of_many_points_finds_what_a_tree_finds(kind):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((5000, 3)).astype(np.float32)
    if kind == "even":
        points = rng.random((5000, 3), np.float32)
    elif kind == "on a sphere":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    elif kind == "all in one place":
        points[1:] = points[1]
    queries = points[::10] + np.float32(0.01)
    assert _suits_grid(points, queries, 9)
    found = knn(points, queries, 9)
    distances, _ = cKDTree(points).query(queries, 9)
    # distances of float32 coordinates, added up in float32
    np.testing.assert_allclose(np.sqrt(found.squared), distances, rtol=1e-4)
    for mine, other in zip(found, _by_force(points, queries, 9), strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize(("n", "d", "k"), [(1000, 3, 16), (63, 2, 63), (300, 40, 5), (65, 3, 64)])
def test_knn_equals_a_tree(n, d, k):
    points, queries = cloud(n, d, 0), cloud(77, d, 1)
    distances, indices = cKDTree(points).query(queries, k)
    found = knn(points, queries, k)
    np.testing.assert_array_equal(found.indices, indices.reshape(found.indices.shape))
    # distances of float32 coordinates, added up in float32
    np.testing.assert_allclose(np.sqrt(found.squared), distances.reshape(77, k), rtol=1e-5)


@settings(deadline=None, max_examples=60, database=None)
@given(
    n=st.tuples(st.integers(1, 150), st.integers(0, 70)),
    d=st.integers(1, 4),
    k=st.integers(1, 12),
    radius=st.sampled_from([0.0, 1.0, 1.5, 2.0, 100.0]),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_a_ball_holds_the_first_points_within(n, d, k, radius, n_threads, seed):
    points, queries = cloud(n[0], d, seed, coarse=True), cloud(n[1], d, seed + 1, coarse=True)
    with threads(n_threads):
        found = ball_query(points, queries, k, radius=radius)
    for query, squared in enumerate(all_squared(points, queries)):
        within = np.flatnonzero(squared < radius**2)[:k]
        assert found.counts[query] == len(within)
        fill = within[0] if len(within) else -1
        expected = np.concatenate([within, np.full(k - len(within), fill)])
        np.testing.assert_array_equal(found.indices[query], expected)


@settings(deadline=None, max_examples=40, database=None)
@given(n=st.integers(1, 200), d=st.integers(1, 4), coarse=st.booleans(), seed=st.integers(0, 2**16))
def test_each_choice_is_the_farthest(n, d, coarse, seed):
    points = cloud(n, d, seed, coarse=coarse)
    first = seed % n
    chosen = farthest_points(points, n, first=first)
    assert chosen[0] == first
    least = np.full(n, np.inf, np.float32)
    for now, after in pairwise(chosen):
        squared = knn_reference(points, points[now : now + 1], n)
        least[squared.indices[0]] = np.minimum(least[squared.indices[0]], squared.squared[0])
        assert after == np.argmax(least)


@pytest.mark.parametrize("n", [1023, 1024, 1025, 2111])
def test_the_farthest_of_several_chunks(n):
    points = cloud(n, 3, n)
    chosen = farthest_points(points, 20)
    least = ((points - points[0]) ** 2).sum(axis=1)
    for after in chosen[1:]:
        # the largest, but for the last bits: NumPy may add the three in another order
        np.testing.assert_allclose(least[after], least.max(), rtol=1e-6)
        least = np.minimum(least, ((points - points[after]) ** 2).sum(axis=1))
    assert len(set(chosen.tolist())) == 20


@settings(deadline=None, max_examples=40, database=None)
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(0, 40), st.integers(0, 70), st.integers(0, 9)),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_sums_of_neighbours(shape, n_threads, seed):
    n, c, m, k = shape
    rng = np.random.default_rng(seed)
    x = rng.integers(-50, 50, (n, c)).astype(np.float32)
    indices = rng.integers(-1, n, (m, k)).astype(np.int32)
    with threads(n_threads):
        y = neighbour_sum(x, indices)
    padded = np.concatenate([x, np.zeros((1, c), np.float32)])  # which -1 names
    np.testing.assert_array_equal(y, padded[indices].sum(axis=1))


def test_arrays_of_any_layout():
    points, queries = cloud(100, 3, 0), cloud(40, 3, 1)
    expected = knn(points, queries, 5)
    found = knn(np.asfortranarray(points), np.repeat(queries, 2, axis=1)[:, ::2], 5)
    np.testing.assert_array_equal(found.indices, expected.indices)
    sums = neighbour_sum(np.asfortranarray(points), expected.indices[::-1])
    np.testing.assert_array_equal(sums, neighbour_sum(points, expected.indices)[::-1])


def test_no_room_is_taken_for_each_edge():
    x = np.zeros((64, 256), np.float32)
    indices = np.zeros((256, 256), np.int32)
    neighbour_sum(x, indices)
    tracemalloc.start()
    try:
        neighbour_sum(x, indices)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 256 * 256 * 256 * 4 / 20  # of what one row for each edge would take


def test_the_cost_counts_by_hand():
    cost = knn_cost((7, 3), (5, 3), 2)
    assert (cost.macs, cost.traffic_bytes) == (7 * 5 * 3, 4 * (12 * 3 + 2 * 5 * 2))


P = np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: knn(P, P, 0), r"knn: k must be a whole number in \[1, 4\], got 0"),
        (lambda: knn(P, P, 5), r"knn: k must be a whole number in \[1, 4\], got 5"),
        (lambda: knn(P[:0], P, 1), "knn: shapes of points and queries must be n d and m d"),
        (lambda: knn(P, P[:, :2], 1), "knn: shapes of points and queries must be n d and m d"),
        (lambda: knn(P[0], P, 1), "knn: shape of points must be n d"),
        (lambda: knn(P + np.float32(np.nan), P, 1), "knn: points must be numbers within"),
        (lambda: knn(P, P + np.float32(1e17), 1), "knn: queries must be numbers within"),
        (lambda: ball_query(P, P, 0, radius=1.0), "ball_query: k must be a whole number"),
        (lambda: ball_query(P, P, 1, radius=-1.0), "ball_query: radius must be in"),
        (lambda: farthest_points(P, 5), r"farthest_points: count must be a whole number in \[1, 4"),
        (lambda: farthest_points(P, 1, first=4), "farthest_points: first must be a whole number"),
        (lambda: neighbour_sum(P, np.int32([[4]])), "neighbour_sum: indices must be -1 to 3"),
        (lambda: neighbour_sum(P, np.int32([[-2]])), "neighbour_sum: indices must be -1 to 3"),
        (lambda: neighbour_sum(P[:0], np.int32([[0]])), "neighbour_sum: indices must be -1 to -1"),
        (lambda: neighbour_sum(P, np.int32([1])), "neighbour_sum: shapes of x and indices"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: knn(P.astype(np.float64), P, 1), "knn: points must be float32, got float64"),
        (lambda: knn(P, [[0.0]], 1), "knn: queries must be a ndarray"),
        (lambda: knn(P, P, 1.5), "knn: k must be a whole number"),
        (lambda: neighbour_sum(P, np.zeros((1, 1))), "neighbour_sum: indices must be int32"),
    ],
)
def test_another_kind_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_it_runs_without_the_compiler():
    code = """
import numpy as np
from efficientdl.kernels.points import ball_query, farthest_points, knn, neighbour_sum
from efficientdl.kernels.points.neighbours import _by_grid, _inputs, knn_reference
for size in range(1, 5):
    points, queries, k = _inputs(np.random.default_rng(size), size)
    found = knn(points, queries, k)
    both = [found, _by_grid(points[:, :3], queries[:, :3], k)]
    for way, d in zip(both, (9, 3), strict=True):
        expected = knn_reference(points[:, :d], queries[:, :d], k)
        for mine, other in zip(way, expected, strict=True):
            np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(
        neighbour_sum(points, found.indices[:, :1]), points[found.indices[:, 0]]
    )
    assert len(set(farthest_points(np.unique(points, axis=0), 2 if size > 1 else 1).tolist()))
    counts = ball_query(points, queries, len(points), radius=1.0).counts
    everyone = knn(points, queries, len(points)).squared
    np.testing.assert_array_equal(counts, (everyone < 1).sum(axis=1))
"""
    modes.run(code, modes.NO_COMPILER)
