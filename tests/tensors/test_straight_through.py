"""Rounding with a gradient, against torch's own fake quantization and against equation 2."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors import (
    PerChannel,
    PerTensor,
    affine,
    as_signed,
    choose_qparams,
    dequantize,
    fake_quantize,
    quantize,
    symmetric,
)
from efficientdl.tensors.ranges import LeastError, Percentile
from efficientdl.tensors.straight_through import on_levels


def drawn(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def with_gradient(f, x):
    """What `f` gives, and the gradient of a weighted sum of it."""
    x = x.clone().requires_grad_()
    y = f(x)
    upstream = torch.arange(1.0, 1 + y.numel(), dtype=y.dtype).reshape(y.shape)
    return y.detach(), torch.autograd.grad((y * upstream).sum(), x)[0]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 999),
    bits=st.integers(2, 12),
    rule=st.sampled_from([symmetric, affine, LeastError(10), Percentile(0.8)]),
    granularity=st.sampled_from([PerTensor(), PerChannel()]),
    signed=st.booleans(),
)
def test_it_is_what_codes_stand_for_bit_for_bit(seed, bits, rule, granularity, signed):
    x = drawn(3, 8, seed=seed)
    qparams = choose_qparams(x, bits=bits, granularity=granularity, rule=rule)
    qparams = as_signed(qparams) if signed else qparams
    codes = quantize(x, qparams, granularity=granularity)
    ours = on_levels(x, qparams, granularity=granularity)
    torch.testing.assert_close(
        ours, dequantize(codes, qparams, granularity=granularity), rtol=0, atol=0
    )


def test_value_and_gradient_are_those_of_torch_per_tensor():
    x = drawn(200)
    qparams = affine(x[None] * 0.4, bits=6)  # so that something is cut
    zero, top = int(qparams.zero_point), qparams.n_levels - 1
    theirs = with_gradient(
        lambda x: torch.fake_quantize_per_tensor_affine(x, float(qparams.scale), zero, 0, top), x
    )
    ours = with_gradient(lambda x: on_levels(x, qparams, granularity=PerTensor()), x)
    assert bool((ours[1] == 0).any())
    assert bool((ours[1] != 0).any())
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=1e-6)  # another order of float32
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=0)


def test_value_and_gradient_are_those_of_torch_per_channel():
    x = drawn(4, 50)
    qparams = symmetric(x * 0.6, bits=5)
    scale, zero = qparams.scale[:, 0], qparams.zero_point[:, 0].int()
    theirs = with_gradient(
        lambda x: torch.fake_quantize_per_channel_affine(x, scale, zero, 0, 0, 30), x
    )
    ours = with_gradient(lambda x: on_levels(x, qparams, granularity=PerChannel()), x)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=1e-6)  # another order of float32
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=0)


def test_inside_the_range_and_far_outside_it_is_equation_2():
    x = torch.tensor([-9.0, -1.0, -0.3, 0.55, 1.9, 2.0, 9.0], dtype=torch.float64)
    qparams = choose_qparams(x[1:-1], bits=3, granularity=PerTensor(), rule=affine)
    low = float(-qparams.zero_point * qparams.scale)
    high = low + 7 * float(qparams.scale)
    ours = with_gradient(lambda x: on_levels(x, qparams, granularity=PerTensor()), x)
    theirs = with_gradient(lambda x: fake_quantize(x, low=low, high=high, n_levels=8), x)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-12)  # another order in float64
    np.testing.assert_array_equal(ours[1][[0, 2, 3, 4, 6]], theirs[1][[0, 2, 3, 4, 6]])


@pytest.mark.parametrize("value", [0.0, 2.5, -2.5])
def test_a_constant_keeps_its_value_and_its_gradient(value):
    x = torch.full((2, 6), value)
    qparams = choose_qparams(x, bits=4, granularity=PerChannel(), rule=symmetric)
    ours, gradient = with_gradient(lambda x: on_levels(x, qparams, granularity=PerChannel()), x)
    torch.testing.assert_close(ours, x, rtol=0, atol=0)
    assert bool((gradient != 0).all())
