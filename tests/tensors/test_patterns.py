"""The chosen set of patterns against every set there is."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from efficientdl.models import trained
from efficientdl.tensors.patterns import (
    choose_patterns,
    every_pattern,
    kept_energy,
    nearest_pattern,
)


def energy_of(seed, n=60):
    """Kernels whose entries differ in size by place, as trained ones do."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((n, 3, 3)) ** 2 * rng.random((3, 3)))


def total(energy, patterns):
    """By a loop, in NumPy: what is kept when each kernel takes its best pattern."""
    kept = [[(e * p).sum() for p in patterns.numpy()] for e in energy.numpy()]
    return np.max(kept, axis=1).sum()


def best_of_all_sets(energy, pool, n):
    return max(total(energy, pool[list(chosen)]) for chosen in combinations(range(len(pool)), n))


@pytest.mark.parametrize("n_kept", range(1, 10))
def test_the_pool_is_every_mask_of_that_size_with_the_centre(n_kept):
    pool = every_pattern(n_kept)
    assert len(pool) == comb(8, n_kept - 1)
    assert len(pool.unique(dim=0)) == len(pool)
    assert (pool.sum(dim=(1, 2)) == n_kept).all()
    assert pool[:, 1, 1].all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n", [1, 2, 3])
def test_as_good_as_the_best_of_all_sets_of_a_small_pool(n, seed):
    energy, pool = energy_of(seed, n=25), every_pattern(3)[::3]  # 10 patterns
    found = total(energy, choose_patterns(energy, pool, n_patterns=n))
    np.testing.assert_allclose(found, best_of_all_sets(energy, pool, n))


def best_by_integer_program(kept, n):
    """The most that `n` patterns keep together: each kernel is served by one that is chosen."""
    kernels, pool = kept.shape
    gain = np.concatenate([kept.ravel(), np.zeros(pool)])  # who serves whom, then who is chosen
    served = sp.hstack([
        sp.kron(sp.eye_array(kernels), np.ones((1, pool))),
        np.zeros((kernels, pool)),
    ])
    by_chosen = sp.hstack([
        sp.eye_array(kernels * pool),
        -sp.kron(np.ones((kernels, 1)), sp.eye_array(pool)),
    ])
    chosen = np.concatenate([np.zeros(kernels * pool), np.ones(pool)])
    rules = [
        LinearConstraint(served, 1, 1),
        LinearConstraint(by_chosen, -np.inf, 0),
        LinearConstraint(chosen[None], n, n),
    ]
    return -milp(-gain, constraints=rules, integrality=chosen, bounds=Bounds(0, 1)).fun


@pytest.mark.parametrize("layer", ["conv2.conv", "conv3.conv", "conv4.conv"])
@pytest.mark.parametrize("part", range(2))
def test_of_trained_kernels_no_other_set_of_six_keeps_more(layer, part):
    weight = trained("small_cnn_fashion").get_submodule(layer).weight.detach()
    energy, pool = weight.square().flatten(0, 1)[40 * part : 40 * part + 40], every_pattern(4)
    kept = kept_energy(energy, pool)
    found = total(energy.double(), choose_patterns(energy, pool, n_patterns=6))
    np.testing.assert_allclose(found, best_by_integer_program(kept.numpy(), 6), rtol=1e-6)
    often = kept.argmax(dim=1).bincount(minlength=len(pool)).argsort(descending=True)[:6]
    assert found > total(energy.double(), pool[often])  # the paper's set: the most frequent ones


@pytest.mark.parametrize("n", [4, 6])
def test_no_exchange_of_one_pattern_keeps_more(n):
    energy, pool = energy_of(3), every_pattern(4)
    chosen = choose_patterns(energy, pool, n_patterns=n)
    found = total(energy, chosen)
    kept = kept_energy(energy, pool).numpy()
    for place in range(n):
        rest = kept_energy(energy, chosen[[i for i in range(n) if i != place]]).numpy().max(axis=1)
        assert np.maximum(kept, rest[:, None]).sum(axis=0).max() <= found * (1 + 1e-9)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), n_kept=st.integers(1, 8))
def test_more_patterns_keep_no_less_and_the_whole_pool_keeps_each_kernels_best(seed, n_kept):
    energy, pool = energy_of(seed, n=12), every_pattern(n_kept)
    sizes = [1, min(4, len(pool)), len(pool)]
    kept = [total(energy, choose_patterns(energy, pool, n_patterns=n)) for n in sizes]
    assert kept[0] <= kept[1] * (1 + 1e-12) <= kept[2] * (1 + 2e-12)
    flat = energy.flatten(1).numpy()
    others = np.sort(np.delete(flat, 4, axis=1), axis=1)[:, 8 - (n_kept - 1) :]
    np.testing.assert_allclose(kept[2], (flat[:, 4] + others.sum(axis=1)).sum())


def test_each_kernel_takes_the_pattern_that_keeps_most():
    energy, patterns = energy_of(1).reshape(10, 6, 3, 3), every_pattern(4)[::7]
    numbers = nearest_pattern(energy, patterns)
    for i, j in np.ndindex(10, 6):
        kept = (energy[i, j] * patterns).sum(dim=(1, 2))
        assert kept[numbers[i, j]] == kept.max()


def test_bad_values_are_named():
    pool = every_pattern(4)
    with pytest.raises(ValueError, match=r"choose_patterns: n_patterns must be a whole number in"):
        choose_patterns(energy_of(0), pool, n_patterns=57)
    with pytest.raises(ValueError, match=r"choose_patterns: energy must be 0 or more, got -"):
        choose_patterns(-energy_of(0), pool, n_patterns=4)
    with pytest.raises(ValueError, match=r"every_pattern: n_kept must be a whole number in \[1, 9"):
        every_pattern(10)
