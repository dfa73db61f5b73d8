"""DoReFa's equations against NumPy, and gradients that are right on average."""

import numpy as np
import pytest
import torch

from efficientdl.tensors.dorefa import (
    dorefa_activation,
    dorefa_gradient,
    dorefa_weight,
    unit_levels,
)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def levels(x, bits):
    return np.round((2**bits - 1) * x) / (2**bits - 1)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_weights_are_equation_9(bits):
    w = drawn(200)
    squeezed = np.tanh(w.numpy())
    expected = 2 * levels(squeezed / (2 * np.abs(squeezed).max()) + 0.5, bits) - 1
    np.testing.assert_allclose(dorefa_weight(w, bits=bits), expected, atol=1e-12)
    assert float(dorefa_weight(w, bits=bits).abs().max()) == 1
    assert len(dorefa_weight(w, bits=bits).unique()) <= 2**bits


def test_one_bit_is_the_sign_times_the_mean_magnitude():
    w = drawn(200).requires_grad_()
    values = dorefa_weight(w, bits=1)
    magnitude = w.detach().abs().mean()
    np.testing.assert_allclose(
        values.detach(), np.sign(w.detach().numpy()) * float(magnitude), atol=1e-15
    )
    assert torch.equal(torch.autograd.grad(values.sum(), w)[0], torch.ones_like(w))


def test_the_gradient_of_a_weight_is_that_of_the_squeeze():
    w = drawn(50).requires_grad_()
    (ours,) = torch.autograd.grad(dorefa_weight(w, bits=3).sum(), w)
    inside = w.detach()
    expected = (1 - inside.tanh() ** 2) / inside.tanh().abs().max()  # straight through the rounding
    torch.testing.assert_close(ours, expected)


def test_activations_are_cut_to_0_and_1_and_rounded():
    x = 2 * drawn(100)
    x.requires_grad_()
    for bits in (1, 2, 4):
        y = dorefa_activation(x, bits=bits)
        np.testing.assert_allclose(
            y.detach(), levels(np.clip(x.detach().numpy(), 0, 1), bits), atol=1e-12
        )
        (grad,) = torch.autograd.grad(y.sum(), x)
        assert torch.equal(grad, ((x >= 0) & (x <= 1)).double())


@pytest.mark.parametrize("bits", [2, 4, 6])
def test_gradients_are_right_on_average_where_rounding_alone_is_not(bits):
    grad = drawn(3, 4) * torch.tensor([[1e-3], [1.0], [50.0]])
    n, rng = 2000, torch.Generator().manual_seed(1)
    u = torch.rand(n, 3, 4, generator=rng, dtype=torch.float64)
    each = torch.stack([dorefa_gradient(grad, one, bits=bits) for one in u])
    reach = 2 * grad.abs().amax(dim=1, keepdim=True)
    step = reach / (2**bits - 1)
    # the ends are cut, so the largest value of each example is biased by up to an eighth of a step
    inside = grad.abs() < reach / 2 - step
    error = (each.mean(dim=0) - grad).abs() / step
    assert bool((error[inside] <= 5 * 0.5 / n**0.5).all())  # 5 standard errors
    codes = each / step + (2**bits - 1) / 2
    assert bool(((codes - codes.round()).abs() < 1e-6).all())  # levels, and nothing between


def test_zeros_stay_finite():
    zeros = torch.zeros(2, 3)
    rounded = dorefa_gradient(zeros, torch.full((2, 3), 0.5), bits=2)
    assert float(rounded.abs().max()) < 1e-30  # an even number of levels has none at zero
    assert bool(dorefa_weight(zeros, bits=2).isfinite().all())


def test_bad_values_are_named():
    for call in (unit_levels, dorefa_weight, dorefa_activation):
        with pytest.raises(ValueError, match=r"bits must be .* \[1, 16\], got 33"):
            call(torch.zeros(2), bits=33)
    with pytest.raises(ValueError, match=r"dorefa_gradient: bits must be .* got 0"):
        dorefa_gradient(torch.zeros(2, 2), torch.zeros(2, 2), bits=0)
