"""Chains of layers: composed kernels equal the one kernel, whatever the stride and the padding."""

import pytest
import torch
from torch import nn

from efficientdl.models.layers.factorized import conv_chain, linear_chain

WALKS = {
    "plain": {},
    "strided": {"stride": (2, 1), "padding": (1, 2), "bias": False},
    "dilated": {"dilation": (1, 2), "padding": 2},
    "same": {"padding": "same"},
    "valid": {"padding": "valid"},
    "reflected": {"padding": (1, 2), "padding_mode": "reflect"},
    "wrapped": {"padding": 1, "padding_mode": "circular", "stride": 2},
}


def gen(seed):
    return torch.Generator().manual_seed(seed)


def conv_with(kernel, **options):
    conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2:], **options).double()
    with torch.no_grad():
        conv.weight.copy_(kernel)
    return conv


@pytest.mark.parametrize("options", WALKS.values(), ids=WALKS)
def test_a_chain_equals_the_kernel_that_it_composes(options):
    b, v = (
        torch.randn(2, 3, generator=gen(0)).double(),
        torch.randn(2, 3, generator=gen(1)).double(),
    )
    h, a = (
        torch.randn(2, 5, generator=gen(2)).double(),
        torch.randn(4, 2, generator=gen(3)).double(),
    )
    conv = conv_with(torch.einsum("ot,ti,ty,tx->oiyx", a, b, v, h), **options)
    weights = [b[:, :, None, None], v[:, None, :, None], h[:, None, None], a[:, :, None, None]]
    chain = conv_chain(conv, weights, rows=1, columns=2)
    x = torch.randn(2, 3, 9, 8, generator=gen(4)).double()
    # 1e-12: float64, summed in another order
    torch.testing.assert_close(chain(x), conv(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(chain(x[0]), conv(x[0]), rtol=0, atol=1e-12)
    assert [part.groups for part in chain] == [1, 2, 2, 1]


def test_a_linear_chain_is_the_product():
    layer = nn.Linear(6, 4).double()
    first, second = torch.randn(3, 6, generator=gen(0)), torch.randn(4, 3, generator=gen(1))
    chain = linear_chain(layer, [first, second])
    x = torch.randn(2, 5, 6, generator=gen(2)).double()
    product = x @ (second.double() @ first.double()).T + layer.bias
    torch.testing.assert_close(chain(x), product, rtol=0, atol=1e-12)


def test_what_the_layer_was_the_chain_is():
    layer = nn.Linear(6, 4).to(torch.bfloat16).eval()
    layer.weight.requires_grad_(False)
    chain = linear_chain(layer, [torch.eye(6), torch.ones(4, 6)])
    assert {p.dtype for p in chain.parameters()} == {torch.bfloat16}
    assert [p.requires_grad for p in chain.parameters()] == [False, False, True]
    assert not any(module.training for module in chain.modules())
    chain[1].bias.data.zero_()
    assert (layer.bias != 0).any()
    other = linear_chain(nn.Linear(6, 4, bias=False), [torch.ones(4, 6)], bias=torch.ones(4))
    torch.testing.assert_close(other(torch.zeros(1, 6)), torch.ones(1, 4))


def test_a_chain_exports():
    chain = conv_chain(
        nn.Conv2d(3, 4, 3), [torch.ones(2, 3, 3, 3), torch.ones(4, 2, 1, 1)], rows=0, columns=0
    )
    x = torch.ones(1, 3, 6, 6)
    torch.testing.assert_close(torch.export.export(chain, (x,)).module()(x), chain(x))


def test_bad_values_are_named():
    layer = nn.Linear(6, 4)
    with pytest.raises(ValueError, match=r"linear_chain: weights must fit the 6 that come in"):
        linear_chain(layer, [torch.ones(4, 5)])
    with pytest.raises(ValueError, match=r"linear_chain: weights must end in 4, got \[\(3, 6\)\]"):
        linear_chain(layer, [torch.ones(3, 6)])
    with pytest.raises(ValueError, match=r"linear_chain: weights must be one or more, got \[\]"):
        linear_chain(layer, [])
    with pytest.raises(ValueError, match=r"conv_chain: weights must fit the 3 that come in"):
        conv_chain(nn.Conv2d(3, 4, 3), [torch.ones(4, 2, 3, 3)], rows=0, columns=0)
