"""Attention maps, against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.fit.distillation import attention_map, attention_transfer


def features(seed, n=3, c=4, h=5, w=6):
    gen = torch.Generator().manual_seed(seed)
    return torch.randn(n, c, h, w, generator=gen, dtype=torch.float64)


def by_hand(x, power):
    q = np.sum(np.abs(x.numpy()) ** power, axis=1).reshape(len(x), -1)
    return q / np.linalg.norm(q, axis=1, keepdims=True)


@pytest.mark.parametrize("power", [1.0, 2.0, 4.0])
def test_the_loss_is_equation_2_for_any_widths(power):
    student, teacher = features(0, c=2), features(1, c=9)
    got = attention_transfer(student, teacher, power=power)
    apart = np.linalg.norm(by_hand(student, power) - by_hand(teacher, power), axis=1)
    # Powers and norms of float64 in another order.
    np.testing.assert_allclose(float(got), apart.mean(), rtol=1e-12)


@given(st.floats(1e-6, 1e6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_neither_size_nor_order_nor_number_of_channels_matters(size, seed):
    x = features(seed, c=3)
    same = size * torch.cat([x.flip(1), x], dim=1)
    # A relative error of float64 in maps of length one.
    assert float(attention_transfer(same, x)) < 1e-12


def test_moving_what_is_looked_at_costs():
    x = torch.zeros(1, 2, 3, 3)
    x[0, :, 0, 0] = 1.0
    # Two unit vectors at a right angle.
    np.testing.assert_allclose(float(attention_transfer(x, x.roll(1, 2))), np.sqrt(2), rtol=1e-6)


def test_a_higher_power_draws_the_map_towards_its_peak():
    x = torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)
    shares = [attention_map(x, power=p)[0, 0].item() for p in (1.0, 2.0, 4.0)]
    wanted = [1 / np.hypot(1, 2**p) for p in (1, 2, 4)]
    np.testing.assert_allclose(shares, wanted, rtol=1e-6)  # float32


@pytest.mark.parametrize("power", [0.5, float("inf"), float("nan")])
def test_power_out_of_range(power):
    with pytest.raises(ValueError, match=r"attention_transfer: power must be a .*number"):
        attention_transfer(features(0), features(1), power=power)


def test_what_is_no_map():
    with pytest.raises(ValueError, match=r"attention_map: features must be a map of n, c, h, w"):
        attention_map(torch.ones(2, 0, 3, 3))
