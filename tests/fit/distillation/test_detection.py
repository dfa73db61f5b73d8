"""Detection's two losses, against closed forms and brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.fit.distillation import (
    bounded_regression,
    soft_targets,
    weighted_soft_targets,
)


def rows(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_at_weight_one_it_is_soft_targets_at_temperature_one():
    student, teacher = rows(0, 6, 4), rows(1, 6, 4)
    got = weighted_soft_targets(student, teacher, background_weight=1.0)
    torch.testing.assert_close(got, soft_targets(student, teacher, temperature=1.0))


def test_it_is_the_weighted_cross_entropy_but_for_a_constant():
    teacher, weight = rows(1, 6, 4), np.array([1.5, 1, 1, 1])

    def equation_3(student):
        p, q = (np.exp(x.numpy()) for x in (teacher, student))
        p, q = (x / x.sum(1, keepdims=True) for x in (p, q))
        return np.mean(np.sum(-weight * p * np.log(q), axis=1))

    one, two = rows(2, 6, 4), rows(3, 6, 4)
    got = weighted_soft_targets(one, teacher) - weighted_soft_targets(two, teacher)
    # Differences of sums of logarithms.
    np.testing.assert_allclose(float(got), equation_3(one) - equation_3(two), rtol=1e-10)


@given(st.floats(0.1, 10), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_its_minimum_leans_towards_the_background_as_the_docstring_says(weight, seed):
    teacher = rows(seed, 3, 5)
    shares = teacher.softmax(1) * torch.tensor([weight, 1, 1, 1, 1], dtype=torch.float64)
    best = shares.log().requires_grad_()
    loss = weighted_soft_targets(best, teacher, background_weight=weight)
    (slope,) = torch.autograd.grad(loss, best)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-14)  # rounding
    assert float(loss.detach()) <= 1e-14


@given(st.floats(0, 3), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_bounded_regression_by_brute_force(margin, seed):
    student, teacher, target = (rows(seed + i, 7, 4).numpy() for i in (0, 100, 200))
    total = 0.0
    for s, t, y in zip(student, teacher, target, strict=True):
        mine, theirs = np.sum((s - y) ** 2), np.sum((t - y) ** 2)
        total += mine if mine + margin > theirs else 0.0
    tensors = (torch.from_numpy(x) for x in (student, teacher))
    got = bounded_regression(*tensors, target=torch.from_numpy(target), margin=margin)
    np.testing.assert_allclose(float(got), total / 7, rtol=1e-12)  # sums in another order


def test_who_is_better_by_the_margin_feels_nothing():
    target, teacher = torch.zeros(1, 4), torch.full((1, 4), 2.0)
    student = torch.full((1, 4), 0.5, requires_grad=True)  # 1 against 16
    bounded_regression(student, teacher, target=target, margin=14.0).backward()
    torch.testing.assert_close(student.grad, torch.zeros(1, 4), rtol=0, atol=0)
    student.grad = None
    bounded_regression(student, teacher, target=target, margin=15.5).backward()
    torch.testing.assert_close(student.grad, 2 * student.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf")])
def test_background_weight_out_of_range(weight):
    with pytest.raises(ValueError, match=r"weighted_soft_targets: background_weight must be"):
        weighted_soft_targets(rows(0, 2, 3), rows(1, 2, 3), background_weight=weight)


def test_margin_and_target():
    x = torch.ones(2, 4)
    with pytest.raises(ValueError, match=r"bounded_regression: margin must be at least 0, got -1"):
        bounded_regression(x, x, target=x, margin=-1.0)
    with pytest.raises(ValueError, match=r"bounded_regression: student must have its teacher's"):
        bounded_regression(x, x, target=torch.ones(2, 5), margin=0.0)
