"""Trained ternary quantization: the paper's gradients, and two sizes that part in training."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.compression.quantization.ttq import train_ternary, two_scale_ternary
from efficientdl.fit import evaluate
from tests.compression.quantization.small_mnist import NAMES, TEST, X, network, training
from tests.promises.state import global_generators_untouched, untouched


def drawn(n=30, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return (torch.randn(n, generator=rng, dtype=torch.float64) for _ in range(2))


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), threshold=st.floats(0, 0.9), up=st.floats(0.1, 3))
def test_values_and_gradients_are_the_papers(seed, threshold, up):
    weight, upstream = drawn(seed=seed)
    weight.requires_grad_()
    positive, negative = (
        torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (up, 0.7)
    )
    values = two_scale_ternary(weight, positive, negative, threshold=threshold)
    (values * upstream).sum().backward()
    w, g = weight.detach().numpy(), upstream.numpy()
    delta = threshold * np.abs(w).max()
    above, below = w > delta, w < -delta
    np.testing.assert_array_equal(values.detach(), up * above - 0.7 * below)  # eq. 6
    np.testing.assert_allclose(positive.grad, g[above].sum(), atol=1e-12)  # eq. 7
    np.testing.assert_allclose(negative.grad, -g[below].sum(), atol=1e-12)
    factor = np.where(above, up, np.where(below, 0.7, 1.0))
    np.testing.assert_allclose(weight.grad, factor * g, atol=1e-12)  # eq. 8


def test_gradients_of_the_sizes_are_finite_differences():
    """With the signs held, the value is linear in both sizes: what eq. 7 says is exact."""
    weight, upstream = drawn()
    sizes = torch.tensor([0.4, 0.9], dtype=torch.float64)

    def value(p, n):
        return (two_scale_ternary(weight, p, n) * upstream).sum()

    assert torch.autograd.gradcheck(value, [s.requires_grad_() for s in sizes.unbind()])


def test_at_first_both_sizes_are_the_best_that_one_can_be():
    small, report = train_ternary(network(), X)
    for name in NAMES:
        weight = network().get_submodule(name).weight.detach()
        ternary = small.get_submodule(name)
        signs = ternary.codes.double() - 1
        best = (weight.double() * signs).sum() / signs.square().sum()  # least squares
        np.testing.assert_allclose(ternary.levels, [-best, 0, best], rtol=1e-5)
    assert report.rows["conv2"].weight_bits == 2 * 3200 + 2 * 32


@pytest.mark.slow
def test_training_parts_the_two_sizes_and_beats_chance_by_far():
    model = network()
    with untouched(model), global_generators_untouched():
        small, _ = train_ternary(model, X, training=training())
    assert evaluate(small, TEST) > 0.6  # chance is 0.1
    for name in NAMES:
        low, zero, high = small.get_submodule(name).levels.tolist()
        assert zero == 0
        assert abs(high + low) > 0.01 * high
        assert set(small.get_submodule(name).weight.unique().tolist()) == {low, zero, high}


def test_a_bad_threshold_is_named():
    for call in (
        lambda: train_ternary(network(), X, threshold=1.0),
        lambda: two_scale_ternary(torch.ones(2), torch.ones(()), torch.ones(()), threshold=1.0),
    ):
        with pytest.raises(ValueError, match=r"ternary: threshold must be in \[0, 1\), got 1.0"):
            call()
