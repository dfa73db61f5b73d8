"""Spatial factorization: exact for separable kernels, the best of its rank for others."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from efficientdl.compression.lowrank import factorize_spatial
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(2, 4, 9, 8, generator=gen(5)).double()


def conv_of(kernel, **options):
    c_out, c_in, *size = kernel.shape
    conv = drawn(nn.Conv2d(c_in, c_out, size, **options)).double()
    conv.weight.data = torch.as_tensor(kernel).double()
    return conv


def kernel_of(thin):
    v, h = (part.weight.detach() for part in thin)
    return torch.einsum("tiy,otx->oiyx", v[..., 0], h[:, :, 0]).numpy()


def test_sobel_is_separable():
    sobel = np.outer([1.0, 2, 1], [1, 0, -1])[None, None]
    conv = conv_of(sobel, padding=1)
    thin, report = factorize_spatial(conv, X[:, :1], rank=1)
    torch.testing.assert_close(thin(X[:, :1]), conv(X[:, :1]), rtol=0, atol=1e-12)
    assert report.total.macs == 2 * 72 * 6  # 3 + 3 for each pixel, where 9 were


@pytest.mark.parametrize("rank", [1, 2, 5])
@pytest.mark.parametrize("options", [{}, {"stride": (2, 3), "padding": (1, 2)}, {"dilation": 2}])
def test_it_is_exact_for_separable_kernels(rank, options):
    rng = np.random.default_rng(rank)
    v, h = rng.standard_normal((rank, 4, 3)), rng.standard_normal((6, rank, 3))
    conv = conv_of(np.einsum("tiy,otx->oiyx", v, h), **options)
    thin, _ = factorize_spatial(conv, X, rank=rank)
    # 1e-10: outputs of size 100 in float64
    torch.testing.assert_close(thin(X), conv(X), rtol=0, atol=1e-10)


@settings(deadline=None, max_examples=15)
@given(rank=st.integers(1, 12), seed=st.integers(0, 99))
def test_the_error_is_the_tail_of_the_reshaped_matrix(rank, seed):
    kernel = np.random.default_rng(seed).standard_normal((6, 4, 3, 5))
    thin, report = factorize_spatial(conv_of(kernel), X, rank=rank)
    pairs = kernel.transpose(1, 2, 0, 3).reshape(12, 30)  # (c_in r) x (c_out s)
    tail = np.linalg.svd(pairs, compute_uv=False)[rank:]
    error = np.linalg.norm(kernel_of(thin) - kernel)
    np.testing.assert_allclose(error, np.sqrt((tail**2).sum()), atol=1e-10)
    # rows first: 7 x 8 positions of 4 * 3, then 7 x 4 of 6 * 5
    assert report.total.macs == 2 * rank * (7 * 8 * 12 + 7 * 4 * 30)


def test_layers_that_have_no_two_sides_stay():
    model = nn.Sequential(conv_of(np.ones((6, 4, 3, 3))), drawn(nn.Conv2d(6, 5, (1, 3))).double())
    thin, _ = factorize_spatial(model, X, rank=1)
    assert isinstance(thin[0], nn.Sequential)
    assert type(thin[1]) is nn.Conv2d
    with pytest.raises(
        ValueError, match=r"factorize_spatial: layer named in rank must be one of 0"
    ):
        factorize_spatial(model, X, rank={"1": 1})
    with pytest.raises(
        ValueError, match=r"factorize_spatial: model must have a convolution that is"
    ):
        factorize_spatial(model[1], X, rank=1)
