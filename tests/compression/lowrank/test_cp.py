"""CP factorization: exact where the rank is known, and the four layers are the sum that it found."""  # noqa: E501

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.lowrank import Energy, factorize_cp, factorize_svd
from efficientdl.tensors.factors import cp
from tests.models.layers.test_masked import drawn, gen

X = torch.randn(2, 6, 9, 8, generator=gen(5)).double()


def conv_of(kernel, **options):
    c_out, c_in, *size = kernel.shape
    conv = drawn(nn.Conv2d(c_in, c_out, size, **options)).double()
    conv.weight.data = torch.as_tensor(kernel).double()
    return conv


def planted(rank, seed=0):
    rng = np.random.default_rng(seed)
    factors = [rng.standard_normal((size, rank)) for size in (8, 6, 3, 3)]
    return np.einsum("ot,it,yt,xt->oiyx", *factors)


@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("options", [{}, {"stride": (2, 3), "padding": (1, 2)}, {"dilation": 2}])
def test_it_is_exact_on_a_kernel_of_known_rank(rank, options):
    conv = conv_of(planted(rank), **options)
    thin, _ = factorize_cp(conv, X, rank=rank)
    moved = (thin(X) - conv(X)).detach().norm() / conv(X).detach().norm()
    # 1e-4: it stops when a round gains less than 1e-12 of the square
    assert float(moved) < 1e-4


def test_the_four_layers_are_the_sum_that_was_found():
    kernel = np.random.default_rng(3).standard_normal((8, 6, 3, 3))
    conv = conv_of(kernel, padding=1)
    near = np.einsum("ot,it,yt,xt->oiyx", *(f.numpy() for f in cp(conv.weight, rank=5)))
    thin, report = factorize_cp(conv, X, rank=5)
    torch.testing.assert_close(
        thin(X) - conv.bias[:, None, None],
        nn.functional.conv2d(X, torch.from_numpy(near), padding=1),
        rtol=0,
        atol=1e-10,
    )
    assert [part.groups for part in thin] == [1, 5, 5, 1]
    assert report.total.params == 5 * (8 + 6 + 3 + 3) + 8
    assert report.total.macs == 2 * 72 * 5 * (8 + 6 + 3 + 3)


def test_macs_follow_the_strides():
    conv = conv_of(planted(2), stride=2, padding=1)  # 9 x 8 becomes 5 x 4
    _, report = factorize_cp(conv, X, rank=3)
    assert report.total.macs == 2 * 3 * (9 * 8 * 6 + 5 * 8 * 3 + 5 * 4 * 3 + 5 * 4 * 8)


def test_energy_finds_the_known_rank():
    thin, _ = factorize_cp(conv_of(planted(3)), X, rank=Energy(0.9999))
    assert thin[0].out_channels == 3


def test_at_full_rank_it_is_exact_where_a_svd_needs_fewer():
    conv = conv_of(planted(4))
    whole, _ = factorize_cp(conv, X, rank=54)
    torch.testing.assert_close(whole(X), conv(X), rtol=0, atol=1e-10)
    same, _ = factorize_svd(conv, X, rank=4)  # each term of the sum has one output direction
    torch.testing.assert_close(same(X), conv(X), rtol=0, atol=1e-10)


def test_other_layers_stay_and_bad_ranks_are_named():
    model = nn.Sequential(conv_of(planted(1)), drawn(nn.Conv2d(8, 4, 1)).double())
    thin, _ = factorize_cp(model, X, rank=1)
    assert type(thin[1]) is nn.Conv2d
    with pytest.raises(
        ValueError, match=r"factorize_cp: rank must be at most 54 for layer '0', got"
    ):
        factorize_cp(model, X, rank=55)
    with pytest.raises(
        ValueError, match=r"factorize_cp: layer named in rank must be one of 0, got"
    ):
        factorize_cp(model, X, rank={"1": 1})
    with pytest.raises(
        ValueError, match=r"factorize_cp: model must have a convolution larger than"
    ):
        factorize_cp(model[1], X, rank=1)
