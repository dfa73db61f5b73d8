"""A range that follows the data: the moving average by hand, and a range that stands still."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.models.layers.tracked_input import TrackedInput
from efficientdl.tensors import PerTensor, affine, dequantize, quantize

ZERO, ONE = torch.tensor(0.0), torch.tensor(1.0)


def batch(seed):
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(seed))


def test_at_sixteen_bits_it_is_nearly_the_layer():
    x = batch(0)
    tracked = TrackedInput(nn.Identity(), x.min(), x.max(), bits=16).eval()
    torch.testing.assert_close(tracked(x), x, rtol=0, atol=5e-5)  # half a step of 5 / 65535


def test_the_range_is_the_moving_average_of_least_and_largest():
    tracked = TrackedInput(nn.Identity(), -ONE, ONE, bits=8, momentum=0.25).train()
    low, high = -1.0, 1.0
    for seed in range(6):
        tracked(batch(seed))
        low += 0.25 * (float(batch(seed).min()) - low)
        high += 0.25 * (float(batch(seed).max()) - high)
        np.testing.assert_allclose([tracked.low, tracked.high], [low, high], rtol=1e-5)


def test_in_evaluation_mode_the_range_stands_still_and_cuts():
    tracked = TrackedInput(nn.Identity(), ZERO, torch.tensor(1.5), bits=2).eval()
    y = tracked(torch.tensor([-9.0, 0.2, 0.6, 1.3, 9.0]))
    np.testing.assert_array_equal(y, [0.0, 0.0, 0.5, 1.5, 1.5])
    assert (float(tracked.low), float(tracked.high)) == (0.0, 1.5)


def test_its_levels_are_those_of_affine():
    x = batch(1)
    tracked = TrackedInput(nn.Identity(), x.min(), x.max(), bits=5).eval()
    qparams = affine(x.reshape(1, -1), bits=5)
    codes = quantize(x, qparams, granularity=PerTensor())
    expected = dequantize(codes, qparams, granularity=PerTensor())
    torch.testing.assert_close(tracked(x), expected, rtol=0, atol=0)


def test_it_is_saved_with_the_network():
    first, other = (TrackedInput(nn.Identity(), ZERO, ONE, bits=8) for _ in range(2))
    first.train()(batch(0))
    other.load_state_dict(first.state_dict())
    torch.testing.assert_close(first.eval()(batch(1)), other.eval()(batch(1)), rtol=0, atol=0)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"TrackedInput: bits must be .* \[1, 16\], got 0"):
        TrackedInput(nn.Identity(), ZERO, ONE, bits=0)
    with pytest.raises(ValueError, match=r"TrackedInput: momentum must be in \(0, 1\], got 0"):
        TrackedInput(nn.Identity(), ZERO, ONE, bits=8, momentum=0)
    tracked = TrackedInput(nn.Identity(), ZERO, ONE, bits=8).train()
    with pytest.raises(
        ValueError, match=r"TrackedInput: x must hold finite numbers alone, got nan"
    ):
        tracked(torch.tensor([float("nan")]))
