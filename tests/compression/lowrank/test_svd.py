"""Truncated SVD: the least error of its rank by NumPy, and mk MACs that become mt + tk."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.lowrank import Share, factorize_svd
from efficientdl.costs.count import count
from efficientdl.datasets import load
from efficientdl.fit import evaluate
from efficientdl.models import trained
from tests.models.layers.test_masked import drawn, gen


@settings(deadline=None, max_examples=20)
@given(m=st.integers(1, 12), k=st.integers(1, 12), t=st.integers(1, 12), rows=st.integers(1, 3))
def test_error_and_macs_in_closed_form(m, k, t, rows):
    t = min(m, k, t)
    layer = drawn(nn.Linear(k, m)).double()
    thin, report = factorize_svd(layer, torch.zeros(rows, k).double(), rank=t)
    product = (thin[1].weight @ thin[0].weight).detach().numpy()
    tail = np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)[t:]
    # 1e-12: float64 over sums of a dozen terms; Eckart and Young
    error = np.linalg.norm(product - layer.weight.detach().numpy())
    np.testing.assert_allclose(error, np.sqrt((tail**2).sum()), atol=1e-11)
    assert report.total.macs == rows * (m * t + t * k)
    assert report.total.params == m * t + t * k + m
    np.testing.assert_array_equal(thin[1].bias.detach(), layer.bias.detach())


@pytest.mark.parametrize("t", [1, 3, 8])
def test_a_convolution_is_a_matrix_of_patches(t):
    conv = drawn(nn.Conv2d(4, 8, 3, stride=2, padding=1)).double()
    x = torch.randn(2, 4, 8, 8, generator=gen(0)).double()
    thin, report = factorize_svd(conv, x, rank=t)
    u, s, vt = np.linalg.svd(conv.weight.detach().numpy().reshape(8, 36))
    near = (u[:, :t] * s[:t]) @ vt[:t]
    patches = nn.functional.unfold(x, 3, padding=1, stride=2)  # n, 36, positions
    y = torch.einsum("ok,nkl->nol", torch.from_numpy(near), patches).reshape(2, 8, 4, 4)
    y = y + conv.bias.detach()[:, None, None]
    torch.testing.assert_close(thin(x).detach(), y, rtol=0, atol=1e-10)
    assert report.total.macs == 2 * 16 * (36 * t + 8 * t)


def test_a_trained_network_bears_it():
    model, test = trained("lenet_300_100_mnist"), load("mnist").test
    first = next(name for name, m in model.named_modules() if isinstance(m, nn.Linear))
    thin, report = factorize_svd(model, test.x[:1], rank={first: Share(0.25)})
    before, after = (evaluate(m, test) for m in (model, thin))
    assert before > 0.9
    assert after > before - 0.02
    assert report.total.macs < 0.4 * count(model, test.x[:1]).total.macs


def test_bad_values_are_named():
    layer = nn.Linear(6, 4)
    with pytest.raises(
        ValueError, match=r"factorize_svd: rank must be at most 4 for layer '', got"
    ):
        factorize_svd(layer, torch.zeros(1, 6), rank=5)
    with pytest.raises(TypeError, match=r"factorize_svd: rank must be a whole number|'rank'"):
        factorize_svd(layer, torch.zeros(1, 6), rank=(2, 2))
