"""Logits and softened probabilities, against closed forms and torch's divergence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from efficientdl.fit.distillation import match_logits, soft_targets


def rows(seed, *shape, mean=None):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x if mean is None else x - x.mean(-1, keepdim=True) + mean


def slope(loss, student):
    student = student.clone().requires_grad_()
    return torch.autograd.grad(loss(student), student)[0]


def test_matched_logits_against_numpy():
    student, teacher = rows(0, 6, 5), rows(1, 6, 5)
    wanted = np.mean(np.sum((student.numpy() - teacher.numpy()) ** 2, axis=1)) / 2
    # Sums of 30 squares in another order.
    np.testing.assert_allclose(float(match_logits(student, teacher)), wanted, rtol=1e-14)


def test_gradient_of_matched_logits_is_the_difference():
    student, teacher = rows(0, 6, 5), rows(1, 6, 5)
    mine = slope(lambda s: match_logits(s, teacher), student)
    torch.testing.assert_close(mine, (student - teacher) / 6)


@given(st.floats(0.1, 50), st.integers(1, 5), st.integers(2, 9), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_soft_targets_are_torchs_divergence(temperature, n, classes, seed):
    student, teacher = rows(seed, n, classes), rows(seed + 100, n, classes)
    mine = (student / temperature).log_softmax(1)
    theirs = (teacher / temperature).softmax(1)
    wanted = temperature**2 * functional.kl_div(mine, theirs, reduction="batchmean")
    got = soft_targets(student, teacher, temperature=temperature)
    # At high temperatures the divergence is a small difference of numbers near one, times T**2.
    torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-12 * max(1.0, temperature**2))


@given(st.floats(0.1, 50), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_gradient_is_the_difference_of_probabilities_times_the_temperature(temperature, seed):
    """Hinton's equation 2, `(q - p) / T`, times the T**2 of the loss."""
    student, teacher = rows(seed, 4, 7), rows(seed + 100, 4, 7)
    got = slope(lambda s: soft_targets(s, teacher, temperature=temperature), student)
    q, p = (student / temperature).softmax(1), (teacher / temperature).softmax(1)
    torch.testing.assert_close(got, temperature * (q - p) / 4, rtol=1e-9, atol=1e-12)


def test_without_the_factor_gradients_shrink_with_the_square_of_the_temperature():
    student, teacher = 3 * rows(0, 8, 10), 3 * rows(1, 8, 10)

    def size(temperature, power):
        gradient = slope(lambda s: soft_targets(s, teacher, temperature=temperature), student)
        return float(gradient.norm()) / temperature**power

    # Ten times the temperature: with the factor the size stays, without it is a hundredth. 2 %
    # is what is left of the next term of the series in 1 / T at T = 100.
    np.testing.assert_allclose(size(1e3, 0) / size(1e2, 0), 1, rtol=0.02)
    np.testing.assert_allclose(size(1e3, 2) / size(1e2, 2), 1 / 100, rtol=0.02)


def test_at_a_high_temperature_it_is_matching_logits():
    """Hinton's equation 4: for logits of mean zero, `(z - v) / classes`."""
    student, teacher = rows(0, 6, 5, mean=0.0), rows(1, 6, 5, mean=0.0)
    high = slope(lambda s: soft_targets(s, teacher, temperature=1e5), student)
    matched = slope(lambda s: match_logits(s, teacher), student) / 5
    # The next term of the series is the logits over T, 1e-5 of the first.
    torch.testing.assert_close(high, matched, rtol=1e-3, atol=1e-6)


def test_a_shift_of_all_logits_is_free_for_soft_targets_only():
    student, teacher = rows(0, 3, 4), rows(1, 3, 4)
    one = soft_targets(student, teacher, temperature=2.0)
    torch.testing.assert_close(soft_targets(student + 7, teacher - 3, temperature=2.0), one)
    assert float(match_logits(student + 7, teacher)) > 2 * float(match_logits(student, teacher))


def test_every_position_of_a_text_counts_alike():
    student, teacher = rows(0, 3, 4, 5), rows(1, 3, 4, 5)
    got = soft_targets(student, teacher, temperature=2.0)
    flat = soft_targets(student.flatten(0, 1), teacher.flatten(0, 1), temperature=2.0)
    torch.testing.assert_close(got, flat)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
def test_temperature_out_of_range(temperature):
    said = rf"soft_targets: temperature must be a .*number, got {temperature}"
    with pytest.raises(ValueError, match=said):
        soft_targets(torch.ones(2, 3), torch.ones(2, 3), temperature=temperature)
