"""The rank under noise: planted ranks, and the free energy of the paper, minimised by SciPy."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from efficientdl.tensors.vbmf import vbmf_rank

CASES = [(50, 80, 0), (50, 80, 5), (30, 300, 8), (64, 64, 10), (300, 30, 8)]


def noisy(m, k, rank, seed):
    rng = np.random.default_rng(seed)
    return 2 * rng.standard_normal((m, rank)) @ rng.standard_normal((rank, k)) + (
        rng.standard_normal((m, k))
    )


@pytest.mark.parametrize(("m", "k", "rank"), CASES)
@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_a_planted_rank_is_found_whatever_the_noise(m, k, rank, scale):
    for seed in range(3):
        matrix = scale * torch.from_numpy(noisy(m, k, rank, seed))
        assert vbmf_rank(torch.linalg.svdvals(matrix), shape=(m, k)) == rank


def rank_by_scipy(s, rows, columns):
    """Theorems 2 and 3 of Nakajima et al. term by term, the variance by bounded minimisation."""
    alpha = rows / columns
    tau_low = 2.5129 * np.sqrt(alpha)
    x_low = (1 + tau_low) * (1 + alpha / tau_low)

    def free_energy(variance):
        x = s**2 / (columns * variance)
        psi = x - np.log(x)
        big = x[x > x_low]
        tau = (big - (1 + alpha) + np.sqrt((big - (1 + alpha)) ** 2 - 4 * alpha)) / 2
        return psi.sum() + (np.log(tau + 1) + alpha * np.log(tau / alpha + 1) - tau).sum()

    grid = np.geomspace((s[-1] ** 2) / columns / 10, (s**2).sum() / rows / columns, 3000)
    best = int(np.argmin([free_energy(v) for v in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    variance = minimize_scalar(free_energy, bounds=bounds, method="bounded").x
    return int((s > np.sqrt(columns * variance * x_low)).sum())


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_minimum_found_by_scipy(seed):
    rng = np.random.default_rng(seed)
    # singular values that fall off slowly, as those of trained weights do
    matrix = (rng.standard_normal((24, 24)) * 0.9 ** np.arange(24)) @ rng.standard_normal((24, 60))
    s = np.linalg.svd(matrix, compute_uv=False)
    assert vbmf_rank(torch.from_numpy(s), shape=(24, 60)) == rank_by_scipy(s, 24, 60)


def test_no_noise_is_no_matter():
    matrix = torch.from_numpy(noisy(8, 9, 0, 0))[:, :3] @ torch.from_numpy(noisy(3, 12, 0, 1))
    assert vbmf_rank(torch.linalg.svdvals(matrix), shape=(8, 12)) == 3
    assert vbmf_rank(torch.zeros(4), shape=(4, 9)) == 0


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"vbmf_rank: singular must be the 4 singular values"):
        vbmf_rank(torch.ones(3), shape=(4, 9))
    with pytest.raises(ValueError, match=r"vbmf_rank: singular must be at least 0, got -1"):
        vbmf_rank(torch.tensor([1.0, -1.0]), shape=(2, 9))
