"""k-means against scikit-learn and brute force; codebooks against plain indexing."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from efficientdl.tensors.codebooks import (
    best_start,
    density_start,
    from_codebooks,
    linear_start,
    nearest_value,
    nearest_vector,
    scalar_codebook,
    vector_codebook,
)


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def wcss(points, centroids):
    """The survey's equation 1 in NumPy: every point to every centroid."""
    points, centroids = (np.asarray(t, dtype=np.float64) for t in (points, centroids))
    if points.ndim == 1:
        points, centroids = points[:, None], centroids[:, None]
    return ((points[:, None] - centroids[None]) ** 2).sum(axis=2).min(axis=1).sum()


def best_runs(values, size):
    """The least sum of squares of all ways to cut sorted values into runs: brute force."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    cuts = combinations(range(1, len(values)), size - 1)
    runs = (np.split(values, cut) for cut in cuts)
    return min(sum(((run - run.mean()) ** 2).sum() for run in parts) for parts in runs)


def least_by_dynamic_programming(values, size):
    """The same for many values, over all cuts: `least[i]` is that of the first `i` values."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    n, sums, squares = (np.concatenate([[0], np.cumsum(values**e)]) for e in (0, 1, 2))
    least = np.full(len(n), np.inf)
    least[0] = 0.0
    for _ in range(size):
        ends = range(1, len(n))
        least[1:] = [
            (
                least[:e] + (squares[e] - squares[:e]) - (sums[e] - sums[:e]) ** 2 / (n[e] - n[:e])
            ).min()
            for e in ends
        ]
        least[0] = np.inf
    return least[-1]


def drawn(name):
    normal = torch.randn(3000, generator=gen(1))
    uniform = torch.rand(3000, generator=gen(2))
    heavy = normal / (torch.randn(3000, generator=gen(3)).abs() + 0.2)
    pruned = normal[normal.abs() > 1.2]
    return {"normal": normal, "uniform": uniform, "heavy": heavy, "pruned": pruned}[name]


@pytest.mark.parametrize("size", [4, 16, 64])
@pytest.mark.parametrize("name", ["normal", "uniform", "heavy", "pruned"])
def test_no_worse_than_scikit_learn(name, size):
    """Beside its k-means++ and its rounds from the paper's linear start."""
    values = drawn(name)
    ours, points = (
        wcss(values, scalar_codebook(values, size=size)),
        values.double().numpy()[:, None],
    )
    line = linear_start(values, size=size).double().numpy()[:, None]
    for options in ({"init": "k-means++", "random_state": 0}, {"init": line}):
        theirs = KMeans(size, n_init=1, tol=0, max_iter=10_000, **options).fit(points)
        assert ours <= theirs.inertia_ * (1 + 1e-6)  # our centroids are float32


@pytest.mark.parametrize("size", [2, 7, 32])
@pytest.mark.parametrize("name", ["normal", "uniform", "heavy"])
def test_the_sum_of_squares_of_few_values_is_the_least_there_is(name, size):
    values = drawn(name).double()[:300]
    best = least_by_dynamic_programming(values, size)
    # 1e-9: the oracle's differences of sums of squares
    np.testing.assert_allclose(wcss(values, scalar_codebook(values, size=size)), best, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["normal", "uniform", "heavy"])
def test_the_sum_of_squares_of_many_values_is_within_a_thousandth_of_the_least(name):
    """Their runs have an optimum of their own, which the rounds that follow bring nearer."""
    values = drawn(name).double()
    best = least_by_dynamic_programming(values, 32)
    ours = wcss(values, scalar_codebook(values, size=32))
    assert best * (1 - 1e-9) <= ours <= best * 1.001


@pytest.mark.parametrize("name", ["normal", "uniform", "pruned"])
def test_from_the_linear_start_it_ends_where_scikit_learn_does(name):
    """Four clusters, none of them ever empty: both make the same rounds."""
    values = drawn(name)
    start = linear_start(values, size=4).double().numpy()[:, None]
    points = values.double().numpy()[:, None]
    theirs = KMeans(4, init=start, n_init=1, tol=0, max_iter=10_000).fit(points)
    ours = scalar_codebook(values, size=4, start=linear_start)
    np.testing.assert_allclose(ours, np.sort(theirs.cluster_centers_[:, 0]), rtol=1e-6)


@pytest.mark.parametrize("size", [2, 5])
def test_vectors_are_no_worse_than_scikit_learn_from_the_same_start(size):
    points = torch.randn(200, 3, generator=gen(4))
    first = vector_codebook(points, size=size, generator=gen(5))
    theirs = KMeans(size, init=first.numpy(), n_init=1, tol=0, max_iter=1000).fit(points.numpy())
    # 1e-6: as above. Starting where ours ended, scikit-learn finds nothing better
    assert wcss(points, first) <= wcss(points, theirs.cluster_centers_) * (1 + 1e-6)
    loose = KMeans(size, init="k-means++", n_init=1, random_state=0).fit(points.numpy())
    best = min(wcss(points, vector_codebook(points, size=size, generator=gen(s))) for s in range(5))
    assert best <= wcss(points, loose.cluster_centers_) * (1 + 1e-6)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(-40, 40), min_size=1, max_size=9),
    st.integers(1, 9),
    st.sampled_from([best_start, linear_start, density_start]),
)
def test_it_stands_still_and_from_the_best_start_is_the_best(values, size, start):
    values = torch.tensor(values, dtype=torch.float64)
    size = min(size, len(values))
    centroids = scalar_codebook(values, size=size, start=start)
    error, best = wcss(values, centroids), best_runs(values, size)
    assert error >= best - 1e-9  # sums of squares up to 1e4, in float64
    if start is best_start:
        assert error <= best + 1e-9
    codes = nearest_value(values, centroids)
    for code in codes.unique():  # Lloyd's fixed point: each centroid is its cluster's mean
        mean = values[codes == code].mean()
        torch.testing.assert_close(centroids[code], mean, rtol=0, atol=1e-12)


@pytest.mark.parametrize("start", [best_start, linear_start, density_start])
def test_a_codebook_as_large_as_the_tensor_is_the_tensor(start):
    """The identity; also for a constant and an all-zero tensor, with any codebook."""
    values = torch.randn(128, generator=gen(6))
    np.testing.assert_array_equal(scalar_codebook(values, size=128, start=start), values.sort()[0])
    for constant in (0.0, 0.1, -3e7):
        same = torch.full((50,), constant)
        centroids = scalar_codebook(same, size=8, start=start)
        np.testing.assert_array_equal(centroids[nearest_value(same, centroids)], same)
    points = torch.randn(16, 3, generator=gen(7))
    centroids = vector_codebook(points, size=16, generator=gen(8))
    np.testing.assert_array_equal(centroids[nearest_vector(points, centroids)], points)
    same = torch.full((9, 2), 0.1)
    np.testing.assert_array_equal(vector_codebook(same, size=4, generator=gen()), same[:4])


def test_an_outlier_does_not_leave_centroids_idle():
    """All values but one are in the first of the linear start's cells."""
    values = torch.cat([torch.rand(500, generator=gen(9)), torch.tensor([1000.0])])
    codes = nearest_value(values, scalar_codebook(values, size=16, start=linear_start))
    assert len(codes.unique()) == 16


def test_nearest_is_nearest():
    values = torch.randn(500, generator=gen(10))
    centroids = torch.randn(20, generator=gen(11)).sort().values
    by_hand = (values[:, None] - centroids).abs().argmin(dim=1)
    np.testing.assert_array_equal(nearest_value(values, centroids), by_hand)
    halfway = nearest_value(torch.tensor([0.5, 1.5]), torch.tensor([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(halfway, [0, 1])  # the lower one's


def test_a_tensor_from_codebooks_is_plain_indexing():
    books = torch.randn(3, 4, 2, generator=gen(12))
    codes = torch.randint(4, (5, 3), generator=gen(13), dtype=torch.uint8)
    rows = [[v for b in range(3) for v in books[b, int(codes[g, b])].tolist()] for g in range(5)]
    np.testing.assert_array_equal(from_codebooks(books, codes, (5, 6)), torch.tensor(rows))


def test_the_gradient_of_a_centroid_is_the_sum_of_its_weights_gradients():
    books = torch.randn(2, 3, 2, generator=gen(14), dtype=torch.float64, requires_grad=True)
    codes = torch.randint(3, (7, 2), generator=gen(15))
    upstream = torch.randn(7, 4, generator=gen(16), dtype=torch.float64)
    (from_codebooks(books, codes, (7, 4)) * upstream).sum().backward()
    for b in range(2):
        for k in range(3):
            total = upstream.reshape(7, 2, 2)[codes[:, b] == k, b].sum(dim=0)
            torch.testing.assert_close(books.grad[b, k], total)


def test_vectors_replay_from_their_generator():
    points = torch.randn(60, 2, generator=gen(17))
    one, again = (vector_codebook(points, size=6, generator=gen(3)) for _ in range(2))
    np.testing.assert_array_equal(one, again)


def test_bad_points_and_sizes_are_named():
    values = torch.tensor([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"scalar_codebook: size must be at most the 3 values"):
        scalar_codebook(values, size=4)
    with pytest.raises(ValueError, match=r"scalar_codebook: size must be .* 1 or more, got 0"):
        scalar_codebook(values, size=0)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match=rf"scalar_codebook: values must be finite, got {bad}"):
            scalar_codebook(torch.tensor([1.0, bad]), size=1)
        with pytest.raises(ValueError, match=rf"vector_codebook: values must be finite, got {bad}"):
            vector_codebook(torch.tensor([[1.0, bad]]), size=1, generator=gen())
