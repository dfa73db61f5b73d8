"""How many singular values of a matrix stand out of noise: variational Bayes, in closed form."""

from math import ceil, log10

import torch
from jaxtyping import Float
from torch import Tensor

from efficientdl import _check

_N_GRID = 400  # noise levels tried at once


def vbmf_rank(singular: Float[Tensor, " l"], *, shape: tuple[int, int]) -> int:
    """The rank that empirical variational Bayes finds in a noisy matrix; 0 where all is noise.

    The matrix is a low-rank one plus Gaussian noise of unknown variance. The evidence lower bound
    then has a global optimum in closed form: for a noise variance, a singular value counts when it
    exceeds `sqrt(M variance x)`, with `x` a number that only the matrix's shape sets. The variance
    is the one of greatest evidence, found on a grid that is refined.

    Args:
        singular: Its singular values, largest first.
        shape: Its rows and columns, in either order.

    >>> noisy = torch.diag(torch.tensor([50.0, 40.0, 0.1, 0.1, 0.1]))
    >>> vbmf_rank(torch.linalg.svdvals(noisy), shape=(5, 5))
    2

    Source: Nakajima, Sugiyama, Babacan and Tomioka, "Global Analytic Solution of Fully-observed
    Variational Bayesian Matrix Factorization", JMLR 2013, theorems 2 and 3; used to choose ranks by
    Kim et al., ICLR 2016, section 3.2; the survey's section 2.2; lab 03.
    """
    rows, columns = sorted(shape)
    if len(singular) != rows:
        rule = f"must be the {rows} singular values of a matrix of shape {shape}"
        _check.fail("vbmf_rank", "singular", rule, len(singular))
    s = singular.detach().to(torch.float64)
    if not bool((s >= 0).all()):
        _check.fail("vbmf_rank", "singular", "must be at least 0", float(s.min()))
    if float(s[0]) == 0:
        return 0
    square = (s / s[0]).square().clamp_min(1e-24)  # of what is 0, the logarithm has no value
    threshold = _threshold(rows / columns)
    variance = _noise(square, rows, columns)
    return int((square > columns * variance * threshold).sum())


def _threshold(ratio: float) -> float:
    """The least `s^2 / (M variance)` at which a singular value is no noise."""
    tau = 2.5129 * ratio**0.5  # the approximate root of their equation for it
    return (1 + tau) * (1 + ratio / tau)


def _noise(square: Tensor, rows: int, columns: int) -> float:
    """The noise variance of greatest evidence."""
    ratio = rows / columns
    most = min(ceil(rows / (1 + ratio)) - 1, rows - 1)
    high = float(square.sum()) / (rows * columns)
    tail = square[most:]
    low = max(
        float(tail[0]) / (columns * _threshold(ratio)),
        float(tail.mean()) / columns,
    )
    if low >= high:
        return high
    for _ in range(3):  # each time between the neighbours of the best
        grid = torch.logspace(log10(low), log10(high), _N_GRID, dtype=torch.float64)
        best = int(_free_energy(square, grid, rows, columns).argmin())
        low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _N_GRID - 1)])
    return (low * high) ** 0.5


def _free_energy(square: Tensor, variance: Tensor, rows: int, columns: int) -> Tensor:
    """What the noise variance minimises, up to a constant, for each variance given."""
    ratio = rows / columns
    x = square / (columns * variance[:, None])
    above = x > _threshold(ratio)
    safe = torch.where(above, x, 4.0)  # where it does not count, only a number to compute with
    half = safe - (1 + ratio)
    tau = (half + (half.square() - 4 * ratio).clamp_min(0).sqrt()) / 2
    signal = torch.log(tau + 1) + ratio * torch.log(tau / ratio + 1) - tau
    return (x - x.log() + torch.where(above, signal, 0)).sum(dim=1)
