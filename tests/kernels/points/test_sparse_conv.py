"""Sparse convolutions equal torch's dense ones, in both ways, and check every index."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.points import (
    KernelMap,
    cube,
    kernel_map,
    sparse_conv,
    sparse_conv_by_gathering,
)
from efficientdl.kernels.points.sparse_conv import (
    BLOCK,
    _panels,
    sparse_conv_cost,
    sparse_conv_reference,
)
from efficientdl.kernels.threads import threads

WAYS = [sparse_conv, sparse_conv_by_gathering]
by_both_ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def drawn(grid, density, c_in, c_out, seed, width=3):
    """Points of a grid in any order, their features, and a filter."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(np.flatnonzero(rng.random(grid) < density))
    points = np.stack(np.unravel_index(cells, grid), axis=1).astype(np.int32)
    x = rng.standard_normal((len(points), c_in)).astype(np.float32)
    weight = rng.standard_normal((width ** len(grid), c_in, c_out)).astype(np.float32)
    return points, x, weight


def dense(points, x, weight, grid, **options):
    """The same by `conv3d` on the whole grid: zeros where no point is."""
    full = torch.zeros(*grid, x.shape[1], dtype=torch.float64)
    full[tuple(torch.from_numpy(points).long().T)] = torch.from_numpy(x).double()
    width = round(len(weight) ** (1 / 3))
    filters = torch.from_numpy(weight).double().reshape(width, width, width, *weight.shape[1:])
    y = torch.nn.functional.conv3d(
        full.movedim(-1, 0)[None], filters.permute(4, 3, 0, 1, 2), **options
    )
    return y[0].movedim(0, -1).numpy()


def close(y, expected, weight):
    """Sums of up to 27 c_in terms of size one in float32: their roots grow, not their number."""
    atol = 2e-6 * weight.shape[0] * weight.shape[1] ** 0.5
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=atol)


@by_both_ways
def test_a_filter_of_one_site_is_a_linear_layer(way):
    points, x, weight = drawn((6, 6, 6), 0.3, 5, 7, seed=0, width=1)
    y = way(x, weight, kernel_map(points, points, cube(1, 3)))
    np.testing.assert_allclose(y, x @ weight[0], rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=40, database=None)
@given(
    grid=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)),
    channels=st.tuples(st.integers(1, 20), st.integers(1, 130)),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    n_threads=st.integers(1, 3),
    seed=st.integers(0, 2**16),
)
def test_both_equal_conv3d_at_the_points(grid, channels, density, n_threads, seed):
    points, x, weight = drawn(grid, density, *channels, seed)
    pairs = kernel_map(points, points, cube(3, 3))
    expected = dense(points, x, weight, grid, padding=1)[tuple(points.T)]
    for way in WAYS:
        with threads(n_threads):
            y = way(x, weight, pairs)
        assert y.dtype == np.float32
        close(y, expected, weight)
    close(sparse_conv_reference(x, weight, pairs), expected, weight)


@by_both_ways
def test_a_stride_of_two_equals_conv3d(way):
    grid = (8, 8, 8)
    points, x, weight = drawn(grid, 0.2, 6, 9, seed=1)
    sites = np.unique(points // 2, axis=0).astype(np.int32)
    y = way(x, weight, kernel_map(points, 2 * sites, cube(3, 3)))
    expected = dense(points, x, weight, grid, padding=1, stride=2)
    close(y, expected[tuple(sites.T)], weight)


@by_both_ways
def test_the_transpose_of_a_stride_is_its_pairs_turned_round(way):
    grid = (8, 8, 8)
    points, _, weight = drawn(grid, 0.2, 6, 9, seed=1)
    sites = np.unique(points // 2, axis=0).astype(np.int32)
    down = kernel_map(points, 2 * sites, cube(3, 3))
    order = np.lexsort((down.inputs, np.repeat(np.arange(27), np.diff(down.starts))))
    up = KernelMap(down.outputs[order], down.inputs[order], down.starts, len(points))
    x = np.random.default_rng(0).standard_normal((len(sites), 6)).astype(np.float32)
    full = torch.zeros(4, 4, 4, 6)
    full[tuple(torch.from_numpy(sites).long().T)] = torch.from_numpy(x)
    filters = torch.from_numpy(weight).reshape(3, 3, 3, 6, 9).permute(3, 4, 0, 1, 2)
    y = torch.nn.functional.conv_transpose3d(
        full.movedim(-1, 0)[None], filters, stride=2, padding=1, output_padding=1
    )[0].movedim(0, -1)
    close(way(x, weight, up), y[tuple(torch.from_numpy(points).long().T)].numpy(), weight)


@pytest.mark.parametrize("n", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_sites_of_several_blocks(n):
    rng = np.random.default_rng(n)
    line = rng.permutation(2 * n)[:n, None].astype(np.int32)
    x = rng.standard_normal((n, 3)).astype(np.float32)
    weight = rng.standard_normal((3, 3, 5)).astype(np.float32)
    pairs = kernel_map(line, line, cube(3, 1))
    with threads(2):
        close(sparse_conv(x, weight, pairs), sparse_conv_by_gathering(x, weight, pairs), weight)


@pytest.mark.parametrize("c_out", [1, 15, 16, 17, 33, 48, 49, 64, 65, 80, 97, 129])
def test_panels_cover_the_channels_whatever_the_processor(c_out, monkeypatch):
    points, x, weight = drawn((5, 5, 5), 0.4, 3, c_out, seed=c_out)
    pairs = kernel_map(points, points, cube(3, 3))
    expected = sparse_conv_by_gathering(x, weight, pairs)
    for has_all in (True, False):
        monkeypatch.setattr("efficientdl.kernels.cpu.has", lambda *_, there=has_all: there)
        wide, narrow = _panels(c_out)
        assert 0 <= 64 * wide + 16 * narrow - c_out < (64 if has_all else 16)
        close(sparse_conv(x, weight, pairs), expected, weight)


def test_features_and_weights_of_any_layout():
    points, x, weight = drawn((5, 5, 5), 0.4, 6, 8, seed=0)
    pairs = kernel_map(points, points, cube(3, 3))
    expected = sparse_conv(x, weight, pairs)
    other = np.asfortranarray(x), np.asfortranarray(weight)
    np.testing.assert_array_equal(sparse_conv(*other, pairs), expected)
    for array in (x, weight, pairs.inputs, pairs.outputs, pairs.starts):
        array.flags.writeable = False
    np.testing.assert_array_equal(sparse_conv(x, weight, pairs), expected)


def test_a_site_without_neighbours_is_zero():
    pairs = KernelMap(np.int32([0]), np.int32([2]), np.array([0, 1]), 4)
    y = sparse_conv(np.ones((1, 2), np.float32), np.ones((1, 2, 3), np.float32), pairs)
    np.testing.assert_array_equal(y, [[0] * 3, [0] * 3, [2] * 3, [0] * 3])


def test_the_cost_counts_by_hand():
    pairs = KernelMap(np.int32([0, 1, 1]), np.int32([0, 0, 1]), np.array([0, 1, 3]), 2)
    cost = sparse_conv_cost((2, 4), (2, 4, 8), pairs)
    assert cost.macs == 3 * 4 * 8
    assert cost.traffic_bytes == 4 * (2 * 4 + 2 * 4 * 8 + 2 * 8 + 3 + 3)


GOOD = KernelMap(np.int32([0, 1, 1]), np.int32([0, 0, 1]), np.array([0, 1, 3]), 2)


@by_both_ways
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.int32([0, 2, 1])}, "pairs must be of 2 points, and of 2 sites"),
        ({"inputs": np.int32([0, -1, 1])}, "pairs must be of 2 points"),
        ({"outputs": np.int32([0, 0, 2])}, "pairs must be of 2 points, and of 2 sites"),
        ({"outputs": np.int32([-1, 0, 1])}, "pairs must be of 2 points, and of 2 sites"),
        ({"outputs": np.int32([0, 1, 0])}, "pairs .* rising with each offset"),
        ({"outputs": np.int32([0, 1, 1])}, "pairs .* rising with each offset"),
        ({"n_outputs": 1}, "pairs must be of 2 points, and of 1 sites"),
        ({"inputs": np.int32([0, 1])}, "inputs and outputs must be equally long"),
        ({"starts": np.array([0, 1, 2])}, "starts must be 3 and rise from 0 to 3"),
        ({"starts": np.array([1, 1, 3])}, "starts must be 3 and rise from 0 to 3"),
        ({"starts": np.array([0, 4, 3])}, "starts must be 3 and rise from 0 to 3"),
        ({"starts": np.array([0, 3])}, "starts must be 3 and rise from 0 to 3"),
        ({"n_outputs": -1}, "n_outputs must be a whole number"),
    ],
)
def test_a_map_that_leads_out_of_the_arrays_is_refused(way, change, message):
    x, weight = np.ones((2, 3), np.float32), np.ones((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match=f"{way.__name__}: {message}"):
        way(x, weight, GOOD._replace(**change))


@by_both_ways
@pytest.mark.parametrize("shapes", [((2, 3), (2, 4, 4)), ((2, 3, 1), (2, 3, 4)), ((2, 3), (3, 4))])
def test_shapes_that_do_not_fit_are_named(way, shapes):
    x, weight = (np.ones(shape, np.float32) for shape in shapes)
    with pytest.raises(ValueError, match=f"{way.__name__}: shapes of x and weight must be n c_in"):
        way(x, weight, GOOD)


@by_both_ways
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x", np.ones((2, 3)), "x must be float32, got float64"),
        ("x", [[1.0]], "x must be a ndarray"),
        ("weight", np.ones((2, 3, 4), np.int8), "weight must be float32, got int8"),
        ("pairs", (1, 2), "pairs must be a KernelMap"),
        ("pairs", GOOD._replace(inputs=np.arange(3)), "inputs must be a list of int32, got int64"),
        ("pairs", GOOD._replace(starts=np.int32([0, 1, 3])), "starts must be a list of int64"),
    ],
)
def test_another_kind_is_named(way, name, value, message):
    good = {
        "x": np.ones((2, 3), np.float32),
        "weight": np.ones((2, 3, 4), np.float32),
        "pairs": GOOD,
    }
    with pytest.raises(TypeError, match=f"{way.__name__}: {message}"):
        way(**{**good, name: value})
