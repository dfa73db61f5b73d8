"""Vectors of length one, at every size."""

import numpy as np
import pytest
import torch

from efficientdl.fit.distillation.directions import peak, unit


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e30])
def test_unit_is_numpys_at_every_size(size):
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    wanted = x.numpy() / np.linalg.norm(x.numpy(), axis=1, keepdims=True)
    # Two rounded products and a root of float32.
    torch.testing.assert_close(unit(size * x, 1), torch.from_numpy(wanted), rtol=1e-6, atol=0)


def test_its_gradient_is_the_derivative():
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: unit(x, 1), x.requires_grad_())


def test_zero_has_no_direction_and_no_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    unit(x, 1).sum().backward()
    assert bool(x.grad.isfinite().all())
    torch.testing.assert_close(unit(x, 1), torch.zeros(2, 3), rtol=0, atol=0)


def test_peak_of_zeros_is_one():
    x = torch.tensor([[0.0, 0.0], [-3.0, 2.0]])
    torch.testing.assert_close(peak(x, 1), torch.tensor([[1.0], [3.0]]), rtol=0, atol=0)
