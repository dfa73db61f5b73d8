"""Three ways to a kernel map, and a dictionary: the same pairs, and the same refusals."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.points import (
    cube,
    kernel_map,
    kernel_map_by_grid,
    kernel_map_by_hash,
    kernel_map_by_sorting,
)
from efficientdl.kernels.points.kernel_map import kernel_map_cost, kernel_map_reference
from efficientdl.kernels.threads import threads
from tests.kernels import modes

WAYS = [kernel_map, kernel_map_by_grid, kernel_map_by_hash, kernel_map_by_sorting]
by_every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def some(n, n_axes, span, rng):
    """Up to n different sites in a cube around the origin, in any order."""
    sites = rng.integers(-span, span + 1, (n, n_axes)).astype(np.int32)
    return rng.permutation(np.unique(sites, axis=0)).astype(np.int32).reshape(-1, n_axes)


def pairs_by_force(points, sites, offsets):
    """Every point against every site, in NumPy: nothing is looked up."""
    for offset in offsets:
        there = (points[None] == sites[:, None] + offset).all(axis=2)
        site, point = there.nonzero()
        yield point, site


def assert_same(found, points, sites, offsets):
    assert found.starts[0] == 0
    assert found.starts[-1] == len(found.inputs) == len(found.outputs)
    assert found.n_outputs == len(sites)
    for k, (point, site) in enumerate(pairs_by_force(points, sites, offsets)):
        of_offset = slice(found.starts[k], found.starts[k + 1])
        np.testing.assert_array_equal(found.inputs[of_offset], point)
        np.testing.assert_array_equal(found.outputs[of_offset], site)


@by_every_way
def test_the_offset_zero_alone_pairs_each_point_with_itself(way):
    points = some(50, 3, 4, np.random.default_rng(0))
    found = way(points, points, cube(1, 3))
    np.testing.assert_array_equal(found.inputs, np.arange(len(points)))
    np.testing.assert_array_equal(found.outputs, np.arange(len(points)))


@settings(deadline=None, max_examples=25, database=None)
@given(
    n=st.tuples(st.integers(0, 60), st.integers(0, 40), st.integers(0, 30)),
    n_axes=st.integers(1, 4),
    span=st.integers(0, 5),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_all_ways_find_what_force_finds(n, n_axes, span, n_threads, seed):
    rng = np.random.default_rng(seed)
    points, sites = some(n[0], n_axes, span, rng), some(n[1], n_axes, span + 3, rng)
    offsets = some(n[2], n_axes, 2, rng)
    for way in WAYS:
        with threads(n_threads):
            assert_same(way(points, sites, offsets), points, sites, offsets)
            assert_same(way(points, points, offsets), points, points, offsets)
    ours, theirs = kernel_map(points, sites, offsets), kernel_map_reference(points, sites, offsets)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


@by_every_way
@pytest.mark.parametrize("offset", [[3, 0], [-3, 1], [0, 40], [2**30, -(2**30)]])
def test_one_offset_whose_sites_lie_outside_of_what_is_asked_for(way, offset):
    """Sites left of all points and of all their neighbours: their keys may be below zero."""
    rng = np.random.default_rng(1)
    points, offsets = some(60, 2, 9, rng), np.array([offset], np.int32)
    sites = np.concatenate([points - offsets, some(20, 2, 9, rng) - offsets])
    sites = rng.permutation(np.unique(sites, axis=0)).astype(np.int32)
    found = way(points, sites, offsets)
    assert len(found.inputs) == len(points)
    assert_same(found, points, sites, offsets)


@by_every_way
@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "in any order"])
def test_a_filter_of_each_width(way, width, ordered):
    points = some(120, 3, 3, np.random.default_rng(width))
    if ordered:
        points = points[np.lexsort(points.T[::-1])]
    assert_same(way(points, points, cube(width, 3)), points, points, cube(width, 3))


@by_every_way
def test_strides_and_dilations_are_the_callers(way):
    rng = np.random.default_rng(3)
    points = some(150, 3, 5, rng)
    coarse = np.unique(points // 2, axis=0).astype(np.int32)
    children = np.array(list(product((0, 1), repeat=3)), np.int32)
    found = way(points, 2 * coarse, children)
    assert_same(found, points, 2 * coarse, children)
    assert len(found.inputs) == len(points)  # every point has one parent
    dilated = 2 * cube(3, 3)
    assert_same(way(points, points, dilated), points, points, dilated)


@by_every_way
def test_a_full_grid_has_all_but_what_lies_outside(way):
    grid = np.ascontiguousarray(np.indices((4, 5, 6)).reshape(3, -1).T.astype(np.int32))
    found = way(grid, grid, cube(3, 3))
    inside = [(4 - abs(a)) * (5 - abs(b)) * (6 - abs(c)) for a, b, c in cube(3, 3)]
    np.testing.assert_array_equal(np.diff(found.starts), inside)


@by_every_way
def test_arrays_that_are_not_contiguous_or_not_writeable(way):
    points = some(80, 3, 3, np.random.default_rng(1))
    wide = np.zeros((len(points), 6), np.int32)
    wide[:, ::2] = points
    points.flags.writeable = False
    assert_same(way(wide[:, ::2], points[::-1], cube(3, 3)), points, points[::-1], cube(3, 3))


@pytest.mark.parametrize("way", [kernel_map, kernel_map_by_hash, kernel_map_by_sorting])
def test_points_far_apart(way):
    points = np.int32([[-(2**30), 0], [2**30, 7], [2**30, 8], [5, 5], [-(2**30), 1]])
    assert_same(way(points, points, cube(3, 2)), points, points, cube(3, 2))


@by_every_way
def test_a_point_that_comes_twice_is_refused(way):
    points = np.int32([[1, 2], [3, 4], [5, 6], [3, 4]])
    message = f"{way.__name__}: points must each be there once, got 'points 1 and 3'"
    with pytest.raises(ValueError, match=message):
        way(points, points, cube(3, 2))


@by_every_way
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("points", np.zeros(3, np.int32), "shape of points must be n d"),
        ("sites", np.zeros((2, 0), np.int32), "shape of sites must be n d"),
        ("offsets", np.zeros((2, 2), np.int32), "points, sites and offsets must have as many axes"),
        ("offsets", np.zeros((2, 3), np.int32), "offsets must each be there once"),
        ("points", np.int32([[2**31 - 1] * 3, [-(2**31)] * 3]), "must span a box of at most"),
    ],
)
def test_what_does_not_fit_is_named(way, name, value, message):
    good = {"points": np.int32([[0, 0, 1]]), "sites": np.int32([[0, 0, 0]]), "offsets": cube(3, 3)}
    with pytest.raises(ValueError, match=f"{way.__name__}: .*{message}"):
        way(**{**good, name: value})


@by_every_way
@pytest.mark.parametrize("value", [np.zeros((2, 3)), np.zeros((2, 3), np.int64), [[0, 0, 0]]])
def test_another_kind_is_named(way, value):
    with pytest.raises(TypeError, match=f"{way.__name__}: points must be"):
        way(value, np.zeros((1, 3), np.int32), cube(3, 3))


def test_a_grid_too_large_for_the_memory_is_refused():
    points = np.int32([[0, 0], [2**30, 2**20]])
    with pytest.raises(ValueError, match="kernel_map_by_grid: box must have at most"):
        kernel_map_by_grid(points, points, cube(3, 2))


@pytest.mark.parametrize("width", [0, 2, 100])
def test_a_filter_of_no_middle_is_refused(width):
    with pytest.raises(ValueError, match="cube: width must be"):
        cube(width, 3)


def test_the_cost_counts_by_hand():
    cost = kernel_map_cost((10, 3), (5, 3), (27, 3))
    assert (cost.macs, cost.traffic_bytes) == (0, 4 * 3 * (10 + 5 + 27) + 8 * 28)


def test_it_runs_without_the_compiler():
    code = """
import numpy as np
from efficientdl.kernels.points import kernel_map_by_grid, kernel_map_by_hash, kernel_map_by_sorting
from importlib import import_module
module = import_module("efficientdl.kernels.points.kernel_map")
for size in range(1, 6):
    arguments = module._inputs(np.random.default_rng(size), size)
    expected = module.kernel_map_reference(*arguments)
    for way in (kernel_map_by_grid, kernel_map_by_hash, kernel_map_by_sorting):
        for mine, other in zip(way(*arguments), expected, strict=True):
            np.testing.assert_array_equal(mine, other)
"""
    modes.run(code, modes.NO_COMPILER)
