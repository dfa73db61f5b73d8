"""Layers with codebooks equal dense ones that hold the same values, and count what they store."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.costs.count import count
from efficientdl.models.layers.masked import MaskedConv2d, MaskedLinear
from efficientdl.models.layers.shared_weight import SharedConv2d, SharedLinear, shared
from efficientdl.tensors.storage import storage_bits
from tests.models.layers.test_masked import CONVS, drawn, gen, mask_of


def with_books(layer, books=1, size=8, length=1):
    codebooks = torch.randn(books, size, length, generator=gen(3), dtype=layer.weight.dtype)
    groups = layer.weight.numel() // (books * length)
    return shared(layer, codebooks, torch.randint(size, (groups, books), generator=gen(4)))


def dense(layer, few):
    """The dense layer with the values written out."""
    plain = copy.deepcopy(layer)
    plain.weight.data = few.weight.detach().clone()
    return plain


@pytest.mark.parametrize("options", CONVS.values(), ids=CONVS)
def test_conv_equals_a_dense_one_with_its_values(options):
    conv = drawn(nn.Conv2d(4, 6, **options))
    x = torch.randn(2, 4, 9, 8, generator=gen(2))
    few = with_books(conv)
    torch.testing.assert_close(few(x), dense(conv, few)(x))
    assert few.cost(tuple(x.shape)).macs == count(conv, x).total.macs


def test_linear_equals_a_dense_one_with_its_values():
    linear, x = drawn(nn.Linear(12, 8)), torch.randn(3, 5, 12, generator=gen(2))
    for books, length in ((1, 1), (12, 1), (4, 3), (1, 12)):
        few = with_books(linear, books=books, length=length)
        assert isinstance(few, SharedLinear)
        torch.testing.assert_close(few(x), dense(linear, few)(x))
        assert few.cost(tuple(x.shape)).macs == 3 * 5 * 12 * 8


def test_every_weight_its_own_value_is_the_layer():
    """The identity."""
    linear = drawn(nn.Linear(4, 8))
    codes = torch.arange(32)[:, None]
    same = SharedLinear(linear, linear.weight.detach().reshape(1, 32, 1), codes)
    np.testing.assert_array_equal(same.weight.detach(), linear.weight.detach())


def test_the_gradient_of_a_value_is_the_sum_over_the_weights_that_are_kept():
    linear = drawn(nn.Linear(12, 8)).double()
    mask = mask_of(linear)
    few = with_books(MaskedLinear(linear, mask))
    x = torch.randn(5, 12, generator=gen(5), dtype=torch.float64)
    plain = dense(linear, few)
    for layer in (few, plain):
        layer(x).square().sum().backward()
    codes = few.codes.reshape(8, 12)
    for code in range(8):
        total = plain.weight.grad[mask & (codes == code)].sum()
        torch.testing.assert_close(few.codebooks.grad[0, code, 0], total)


def test_what_the_mask_drops_stays_zero_when_values_move():
    linear = drawn(nn.Linear(12, 8))
    mask = mask_of(linear)
    few = with_books(MaskedLinear(linear, mask))
    with torch.no_grad():
        few.codebooks.add_(1)
    np.testing.assert_array_equal(few.weight.detach()[~mask], 0)
    whole = with_books(MaskedLinear(linear, torch.ones_like(mask)))
    assert whole.mask is None


def test_storage_is_codes_indices_and_codebooks():
    linear = drawn(nn.Linear(12, 8))
    assert with_books(linear).storage().bits == 96 * 3 + 8 * 32
    assert with_books(linear, books=4, length=3).storage().bits == 8 * 4 * 3 + 4 * 8 * 3 * 32
    mask = mask_of(linear)
    masked = MaskedLinear(linear, mask)
    values = storage_bits(mask, value_bits=3)
    sparse = with_books(masked).storage()
    assert (sparse.bits, sparse.index_bits) == (values.bits + 8 * 32, values.index_bits)
    vectors = with_books(masked, books=4, length=3).storage()
    assert vectors.index_bits == 96
    assert vectors.bits == 8 * 4 * 3 + 96 + 4 * 8 * 3 * 32


def test_coded_storage_is_the_bytes_of_the_streams():
    conv = drawn(nn.Conv2d(4, 6, 3))
    few = with_books(MaskedConv2d(conv, mask_of(conv)))
    assert isinstance(few, SharedConv2d)
    few.coded = True
    codes, gaps, _ = few.coded_weight()
    n_bytes = sum(map(len, (codes.data, codes.table, gaps.data, gaps.table)))
    assert few.storage().bits == 8 * n_bytes + 8 * 32
    assert len(codes.symbols) == int(few.mask.sum())
    assert few.cost((1, 4, 8, 8)).weight_bits == few.storage().bits + 6 * 32


def test_mode_flags_and_copies():
    linear = drawn(nn.Linear(12, 8)).eval()
    linear.weight.requires_grad_(False)
    few = with_books(linear)
    assert not few.training
    assert not few.codebooks.requires_grad
    assert few.bias is linear.bias
    x = torch.ones(1, 12)
    for again in (copy.deepcopy(few), pickle.loads(pickle.dumps(few))):
        np.testing.assert_array_equal(again(x).detach(), few(x).detach())
    assert "8x12, codebooks=1, size=8, length=1" in repr(few)


def test_codes_that_do_not_fit_are_named():
    linear, book = nn.Linear(4, 2), torch.zeros(1, 3, 1)
    with pytest.raises(ValueError, match=r"SharedLinear: codes must be in \[0, 2\], got 3"):
        SharedLinear(linear, book, torch.full((8, 1), 3))
    with pytest.raises(ValueError, match=r"codes must be groups x 1 codebooks, 1 of 8 weights"):
        SharedLinear(linear, book, torch.zeros(7, 1, dtype=torch.long))
    with pytest.raises(ValueError, match=r"size of a codebook must be .* \[1, 256\], got 257"):
        SharedLinear(linear, torch.zeros(1, 257, 1), torch.zeros(8, 1, dtype=torch.long))
