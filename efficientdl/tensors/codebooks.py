"""Codebooks: a few values, or short vectors, that all weights share; a code says which.

A tensor is cut into pieces: `groups` of them for each codebook, and with `books` codebooks side by
side. `codes` is `groups x books`, the codebooks are `books x size x length`, and the tensor is the
pieces put together in memory order. One codebook of numbers is k-means sharing, several codebooks
of vectors are product quantization.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from efficientdl import _check

Values = Float[Tensor, "n"]
Centroids = Float[Tensor, "size"]
Start = Callable[..., Centroids]
ROUNDS = 10_000  # of k-means at most; it stands still long before
RUNS = 1024  # of values, among which the best start looks


def from_codebooks(
    codebooks: Float[Tensor, "books size length"],
    codes: Integer[Tensor, "groups books"],
    shape: tuple[int, ...],
) -> Float[Tensor, "..."]:
    """The tensor that codes stand for.

    The gradient of a codebook's entry is the sum of the gradients of all pieces that share it.

    Args:
        codebooks: What there is to share.
        codes: Which entry each piece is.
        shape: The shape of the tensor.

    >>> books = torch.tensor([[[-1.0], [2.0]]], requires_grad=True)
    >>> weight = from_codebooks(books, torch.tensor([[0], [1], [1], [0]]), (2, 2))
    >>> (weight * torch.tensor([[1.0, 10.0], [20.0, 3.0]])).sum().backward()
    >>> books.grad.flatten()
    tensor([ 4., 30.])

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 3.3, equation 3; lab 04.
    """
    books = torch.arange(codes.shape[1], device=codes.device)
    return codebooks[books, codes.long()].reshape(shape)  # backward sums by code: eq. 3


def linear_start(values: Values, *, size: int) -> Centroids:
    """Centroids equally spaced from the smallest value to the largest.

    Large weights are few and matter most; here they have as many centroids as small ones.

    >>> linear_start(torch.tensor([0.0, 0.1, 0.2, 3.0]), size=4)
    tensor([0., 1., 2., 3.])

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 3.2; lab 04.
    """
    steps = torch.arange(size, dtype=values.dtype, device=values.device) / max(size - 1, 1)
    return values.min() + (values.max() - values.min()) * steps


def density_start(values: Values, *, size: int) -> Centroids:
    """Centroids equally spaced in rank: each starts with as many values as any other.

    >>> density_start(torch.tensor([0.0, 0.1, 0.2, 3.0]), size=2)
    tensor([0.1000, 3.0000])

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 3.2; lab 04.
    """
    ranks = (2 * torch.arange(size, device=values.device) + 1) * len(values) // (2 * size)
    return values.sort().values[ranks]


def best_start(values: Values, *, size: int) -> Centroids:
    """The best centroids there are; where values are many, of at most 1,024 runs of neighbours.

    On a line the best `k` clusters of the first `i` values are the best `k - 1` of the first `m`
    and one more cluster, for the `m` at which the sum of squares is least: dynamic programming
    finds them, whatever the values. Many values are first put into runs, half of the ends of
    which are equally spaced in rank and half in value: the few large values are runs of their own.

    >>> best_start(torch.tensor([0.0, 0.1, 0.2, 3.0]), size=2)
    tensor([0.1000, 3.0000])

    Source: Bruce, "Optimum Quantization", 1965; Wang and Song, "Ckmeans.1d.dp: Optimal k-means
    Clustering in One Dimension by Dynamic Programming", 2011; lab 04.
    """
    ordered = values.double().sort().values
    ends = _ends_of_runs(ordered)
    n_runs = len(ends) - 1
    middle = ordered.mean()  # or the difference of large squares would lose its digits
    moments = [torch.ones_like(ordered), ordered - middle, (ordered - middle).square()]
    n, first, second = (torch.nn.functional.pad(m.cumsum(0), (1, 0))[ends] for m in moments)
    counts = n[None, :] - n[:, None]
    sums = first[None, :] - first[:, None]
    squares = second[None, :] - second[:, None] - sums.square() / counts.clamp(min=1)
    squares[counts <= 0] = torch.inf  # of the runs from row to column: at least one
    least, cuts = squares[0], []
    for _ in range(size - 1):
        least, cut = (least[:, None] + squares).min(dim=0)
        cuts.append(cut)
    at, centroids = n_runs, []
    for cut in [*reversed(cuts), torch.zeros_like(ends)]:
        centroids.append(sums[cut[at], at] / counts[cut[at], at].clamp(min=1) + middle)
        at = int(cut[at])
    return torch.stack(centroids).flip(0).to(values.dtype)


def _ends_of_runs(ordered: Tensor) -> Integer[Tensor, "ends"]:
    """Where runs of sorted values end, and 0; few values are a run each."""
    n, half = len(ordered), RUNS // 2
    if n <= RUNS:
        return torch.arange(n + 1, device=ordered.device)
    by_rank = torch.arange(half + 1, device=ordered.device) * n // half
    by_value = torch.searchsorted(ordered, linear_start(ordered, size=half + 1)[1:-1])
    return torch.cat([by_rank, by_value]).unique()


def scalar_codebook(values: Values, *, size: int, start: Start = best_start) -> Centroids:
    """The centroids of k-means on a line, from a start until no value changes its cluster.

    They make `sum over clusters c, values w in c of (w - c)**2` small. On a line a cluster is a
    run of sorted values, so its mean is a difference of two running sums, and a round costs a few
    searches. A centroid without values moves to the value that is farthest from its own.

    Args:
        values: What to share.
        size: How many centroids, 1 .. the number of values.
        start: The first centroids: `f(values, size) -> centroids`. Rounds never make them worse.

    Returns:
        The centroids, ascending.

    Raises:
        BadValue: There are more centroids than values, or a value is infinite or no number.

    >>> scalar_codebook(torch.tensor([0.0, 0.2, 1.0, 1.2]), size=2)
    tensor([0.1000, 1.1000])

    Source: Lloyd, "Least Squares Quantization in PCM", 1982; Han, Mao and Dally, "Deep
    Compression", ICLR 2016, section 3.1, equation 2; the survey's equation 1; lab 04.
    """
    _demand_points("scalar_codebook", values, size)
    ordered = values.detach().double().sort().values
    sums = torch.nn.functional.pad(ordered.cumsum(0), (1, 0))
    centroids = _settled(ordered, sums, start(ordered, size=size).sort().values)
    return centroids.to(values.dtype)


def _settled(ordered: Tensor, sums: Tensor, centroids: Tensor) -> Tensor:
    """Lloyd's rounds among sorted values, until each centroid is the mean of its run."""
    before = None
    for _ in range(ROUNDS):
        ends = torch.zeros(len(centroids) + 1, dtype=torch.long, device=ordered.device)
        ends[1:-1] = torch.searchsorted(ordered, _midpoints(centroids), right=True)
        ends[-1] = len(ordered)
        counts = ends.diff()
        means = sums[ends].diff() / counts.clamp(min=1)
        # a mean is not beyond its run's own ends: exact where the run is one value
        low, high = ordered[ends[:-1].clamp(max=len(ordered) - 1)], ordered[ends[1:] - 1]
        centroids = torch.where(counts > 0, means.clamp(low, high), centroids)
        own = centroids.repeat_interleave(counts)
        moved = _refill(centroids[:, None], counts, ordered[:, None], own[:, None])
        if not moved and before is not None and torch.equal(ends, before):
            break
        centroids, before = centroids.sort().values, ends
    return centroids


def nearest_value(values: Values, centroids: Centroids) -> Integer[Tensor, "n"]:
    """The code of the nearest of ascending centroids; halfway, the lower one's.

    >>> nearest_value(torch.tensor([0.0, 0.6, 3.0]), torch.tensor([0.0, 1.0]))
    tensor([0, 1, 1])
    """
    wide = centroids.double()
    return torch.searchsorted(_midpoints(wide), values.double(), right=False)


def vector_codebook(
    points: Float[Tensor, "n length"], *, size: int, generator: torch.Generator
) -> Float[Tensor, "size length"]:
    """The centroids of k-means among vectors, until no vector changes its cluster.

    The first ones are drawn from the points, each with a probability that grows with the square
    of its distance from those drawn before (k-means++).

    Args:
        points: What to share, one a row.
        size: How many centroids, 1 .. the number of points.
        generator: Draws the first centroids.

    Raises:
        BadValue: There are more centroids than points, or a value is infinite or no number.

    >>> points = torch.tensor([[0.0, 0.0], [0.0, 2.0], [9.0, 9.0]])
    >>> centroids = vector_codebook(points, size=2, generator=torch.Generator().manual_seed(0))
    >>> centroids.sort(dim=0).values
    tensor([[0., 1.],
            [9., 9.]])

    Source: Lloyd, "Least Squares Quantization in PCM", 1982; Arthur and Vassilvitskii, "k-means++:
    The Advantages of Careful Seeding", 2007; lab 04.
    """
    _demand_points("vector_codebook", points, size)
    wide = points.detach().double()
    centroids = _spread_out(wide, size, generator)
    before = None
    for _ in range(ROUNDS):
        codes = nearest_vector(wide, centroids)
        counts = torch.bincount(codes, minlength=size)
        sums = torch.zeros_like(centroids).index_add_(0, codes, wide)
        means = sums / counts.clamp(min=1)[:, None]
        centroids = torch.where(counts[:, None] > 0, means, centroids)
        moved = _refill(centroids, counts, wide, centroids[codes])
        if not moved and before is not None and torch.equal(codes, before):
            break
        before = codes
    return centroids.to(points.dtype)


def nearest_vector(
    points: Float[Tensor, "n length"], centroids: Float[Tensor, "size length"]
) -> Integer[Tensor, "n"]:
    """The code of the nearest centroid of each point.

    >>> nearest_vector(torch.tensor([[0.0, 1.0]]), torch.tensor([[5.0, 5.0], [0.0, 0.0]]))
    tensor([1])
    """
    # not by |a|^2 - 2ab + |b|^2, which loses the distance of near points
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(points.double(), centroids.double(), compute_mode=exact).argmin(dim=1)


def _midpoints(centroids: Tensor) -> Tensor:
    return (centroids[:-1] + centroids[1:]) / 2


def _refill(centroids: Tensor, counts: Tensor, points: Tensor, own: Tensor) -> bool:
    """Move centroids without points to the points farthest from their own; True if any moved."""
    empty = (counts == 0).nonzero().flatten()
    if not len(empty):
        return False
    distance, farthest = (points - own).square().sum(dim=1).topk(len(empty))
    gained = distance > 0
    centroids[empty[gained]] = points[farthest[gained]]
    return bool(gained.any())


def _spread_out(points: Tensor, size: int, generator: torch.Generator) -> Tensor:
    chosen = [int(torch.randint(len(points), (1,), generator=generator))]
    distance = torch.full((len(points),), torch.inf, dtype=points.dtype)
    for _ in range(size - 1):
        distance = distance.minimum((points - points[chosen[-1]]).square().sum(dim=1))
        odds = distance if bool(distance.any()) else torch.ones_like(distance)  # all are chosen
        chosen.append(int(odds.multinomial(1, generator=generator)))
    return points[chosen].clone()


def _demand_points(caller: str, points: Tensor, size: int) -> None:
    _check.whole(caller, "size", size, 1)
    if size > len(points):
        _check.fail(caller, "size", f"must be at most the {len(points)} values to share", size)
    if not bool(points.isfinite().all()):
        bad = points[~points.isfinite()][0].item()
        _check.fail(caller, "values", "must be finite", bad)
