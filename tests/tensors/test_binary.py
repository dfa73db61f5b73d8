"""Two levels: the survey's equations 3 to 5, and XNOR's best factor."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from efficientdl.tensors import PerChannel, choose_qparams, dequantize, quantize
from efficientdl.tensors.binary import binarize, binarize_stochastically, binary, hard_sigmoid

ROWS = arrays(np.float64, (3, 5), elements=st.floats(-4, 4).map(lambda v: round(v, 2)))


def rows(n=2, k=50, seed=0):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_binarize_is_equation_3_with_the_gradient_of_a_clamp():
    x = torch.tensor([-3.0, -1.0, -0.0, 0.0, 0.4, 1.0, 1.1], requires_grad=True)
    upstream = torch.arange(1.0, 8.0)
    values = binarize(x)
    np.testing.assert_array_equal(values.detach(), np.where(x.detach().numpy() >= 0, 1, -1))
    (grad,) = torch.autograd.grad((values * upstream).sum(), x)
    np.testing.assert_array_equal(grad, upstream * (x.detach().abs() <= 1))


def test_hard_sigmoid_is_equation_5():
    x = np.linspace(-2, 2, 41)
    expected = np.maximum(0, np.minimum(1, (x + 1) / 2))
    np.testing.assert_allclose(hard_sigmoid(torch.from_numpy(x)), expected, atol=1e-15)


def test_plus_one_is_drawn_with_the_probability_of_equation_4():
    x = torch.tensor([-1.5, -0.6, 0.0, 0.3, 2.0])
    n = 40_000
    u = torch.rand(n, 5, generator=torch.Generator().manual_seed(0))
    share = (binarize_stochastically(x.expand(n, 5), u) == 1).double().mean(dim=0)
    p = hard_sigmoid(x).double()
    assert bool(((share - p).abs() <= 5 * (p * (1 - p) / n).sqrt()).all())  # 5 standard errors
    assert bool((binarize_stochastically(x, u[0]).abs() == 1).all())


def test_the_drawn_sign_hands_its_gradient_through():
    x = torch.tensor([-1.5, -0.6, 0.3], requires_grad=True)
    values = binarize_stochastically(x, torch.tensor([0.1, 0.1, 0.9]))
    assert torch.autograd.grad(values.sum(), x)[0].tolist() == [0.0, 1.0, 1.0]


@settings(deadline=None, max_examples=25)
@given(x=ROWS)
def test_the_factor_is_the_mean_magnitude_and_none_is_nearer(x):
    x = torch.from_numpy(x)
    qparams = choose_qparams(x, bits=1, granularity=PerChannel(), rule=binary)
    values = dequantize(
        quantize(x, qparams, granularity=PerChannel()), qparams, granularity=PerChannel()
    )
    mean = np.abs(x.numpy()).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(values.abs(), np.broadcast_to(mean, (3, 5)))
    signs = values.sign().where(values != 0, 1.0)
    best = ((values - x) ** 2).sum(dim=1)
    for factor in torch.linspace(0, 4, 33, dtype=torch.float64):
        assert bool((((factor * signs - x) ** 2).sum(dim=1) >= best - 1e-9).all())


def test_a_group_of_zeros_stays_zeros():
    x = torch.zeros(2, 4)
    qparams = choose_qparams(x, bits=1, granularity=PerChannel(), rule=binary)
    codes = quantize(x, qparams, granularity=PerChannel())
    assert torch.equal(dequantize(codes, qparams, granularity=PerChannel()), x)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"binary: bits must be one of 1, got 2"):
        binary(rows(), bits=2)
    with pytest.raises(ValueError, match=r"binary: x must hold finite numbers alone, got nan"):
        binary(rows() * float("nan"))
