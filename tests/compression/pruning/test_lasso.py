"""The LASSO against scikit-learn's, and its choice of channels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from efficientdl.compression.pruning.lasso import lasso, lasso_choice


def problem(seed, n=40, c=6):
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(n, c)) @ rng.normal(size=(c, c))
    return columns, columns @ rng.normal(size=c) + rng.normal(size=n)


def products(columns, y):
    return torch.from_numpy(columns.T @ columns), torch.from_numpy(columns.T @ y)


def test_without_a_penalty_it_is_least_squares():
    columns, y = problem(0)
    ours = lasso(*products(columns, y), penalty=0.0, sweeps=100_000)
    theirs = np.linalg.lstsq(columns, y, rcond=None)[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)  # descent ends at steps of 1e-9


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), share=st.floats(0.01, 1.2))
def test_equals_scikit_learns(seed, share):
    columns, y = problem(seed)
    gram, target = products(columns, y)
    penalty = share * float(target.abs().max())
    ours = lasso(gram, target, penalty=penalty, sweeps=100_000)
    theirs = Lasso(alpha=penalty / len(y), fit_intercept=False, tol=1e-12, max_iter=200_000)
    np.testing.assert_allclose(ours, theirs.fit(columns, y).coef_, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 999), n_stay=st.integers(1, 6))
def test_as_many_stay_as_asked_for(seed, n_stay):
    chosen = lasso_choice(*products(*problem(seed)), n_stay=n_stay)
    assert len(set(chosen.tolist())) == n_stay


@pytest.mark.parametrize("seed", range(4))
def test_columns_at_right_angles_stay_by_what_they_explain(seed):
    """Then each factor is softshrink(t_i), and the largest |t_i| stay longest."""
    target = torch.randn(7, generator=torch.Generator().manual_seed(seed)).double()
    chosen = lasso_choice(torch.eye(7).double(), target, n_stay=3)
    np.testing.assert_array_equal(chosen, np.sort(np.argsort(-target.abs().numpy())[:3]))


def test_more_than_are_independent_may_be_asked_for():
    columns, y = problem(1)
    columns = np.hstack([columns, columns[:, :2]])  # the last two say what the first two do
    gram, target = products(columns, y)
    assert set(lasso_choice(gram, target, n_stay=6).tolist()) in (set(range(6)), {2, 3, 4, 5, 6, 7},
        {0, 2, 3, 4, 5, 7}, {1, 2, 3, 4, 5, 6})  # fmt: skip
    assert len(set(lasso_choice(gram, target, n_stay=7).tolist())) == 7
