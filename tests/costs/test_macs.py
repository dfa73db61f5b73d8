"""MACs of one operation against brute force: with ones everywhere, outputs add up to the MACs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from efficientdl.costs.macs import macs
from efficientdl.costs.trace import Watcher, run


class Call(nn.Module):
    """A function as a model."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


class Sum(Watcher):
    def __init__(self):
        self.macs = 0

    def op(self, op):
        self.macs += macs(op)


def counted(function, *x):
    total = Sum()
    run(function if isinstance(function, nn.Module) else Call(function), x, total)
    return total.macs


def by_torch(function, *x):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function(*x)
    return counter.get_total_flops() // 2


sizes = st.integers(1, 4)


@settings(deadline=None, max_examples=40)
@given(
    n=sizes,
    groups=sizes,
    c_in=sizes,
    c_out=sizes,
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    dims=st.integers(1, 3),
    transposed=st.booleans(),
)
def test_convolutions_equal_brute_force(n, groups, c_in, c_out, kernel, stride, dims, transposed):
    names = ["conv1d", "conv2d", "conv3d"]
    function = getattr(
        functional, ("conv_transpose" + names[dims - 1][4:]) if transposed else names[dims - 1]
    )
    x = torch.ones(n, groups * c_in, *[5] * dims)
    shape = (groups * c_in, c_out) if transposed else (groups * c_out, c_in)
    weight = torch.ones(*shape, *[kernel] * dims)

    def convolve(x):
        return function(x, weight, stride=stride, groups=groups)

    # No padding: each product of ones adds exactly one to the sum of the outputs.
    assert counted(convolve, x) == int(convolve(x).sum())


@settings(deadline=None, max_examples=30)
@given(batch=sizes, m=sizes, k=sizes, n=sizes)
def test_matrix_products_equal_brute_force(batch, m, k, n):
    a, b = torch.ones(batch, m, k), torch.ones(batch, k, n)
    for function, x in [
        (torch.mm, (a[0], b[0])),
        (torch.bmm, (a, b)),
        (torch.matmul, (a, b[0])),
        (torch.mv, (a[0], b[0, :, 0])),
        (torch.dot, (a[0, 0], b[0, :, 0])),
    ]:
        assert counted(function, *x) == int(function(*x).sum()), function


def test_einsum_is_a_matrix_product():
    a, b = torch.ones(2, 3, 4), torch.ones(2, 4, 5)
    assert counted(lambda a, b: torch.einsum("bmk,bkn->bmn", a, b), a, b) == 2 * 3 * 4 * 5


def test_a_bias_costs_no_mac():
    bias, a, b = torch.ones(2, 4), torch.ones(2, 3), torch.ones(3, 4)
    assert counted(torch.addmm, bias, a, b) == 2 * 3 * 4
    assert counted(torch.baddbmm, bias[None], a[None], b[None]) == 2 * 3 * 4
    assert counted(torch.addmv, bias[:, 0], a, b[:, 0]) == 2 * 3
    assert counted(torch.addbmm, bias, a[None], b[None]) == 2 * 3 * 4
    assert counted(lambda x: x.addmm_(a, b), bias.clone()) == 2 * 3 * 4


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_attention_is_two_products(device):
    q, k, v = (torch.ones(2, 3, n, 8, device=device) for n in (5, 7, 7))
    # scores: 5 x 7 for each of 2 x 3 heads, 8 long; then 5 x 8 outputs, 7 long
    expected = 2 * 3 * (5 * 7 * 8 + 5 * 8 * 7)
    assert counted(functional.scaled_dot_product_attention, q, k, v) == expected


@pytest.mark.parametrize("need_weights", [True, False])
def test_attention_layer_in_evaluation_mode_hides_nothing(need_weights):
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    x = torch.ones(3, 5, 8)
    projections = 4 * 3 * 5 * 8 * 8
    assert counted(Fixed(attention, need_weights), x) == projections + 2 * 3 * 5 * 5 * 8


class Fixed(nn.Module):
    def __init__(self, attention, need_weights):
        super().__init__()
        self.attention, self.need_weights = attention, need_weights

    def forward(self, x):
        return self.attention(x, x, x, need_weights=self.need_weights)


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
def test_recurrent_layers_by_hand(kind, gates, device):
    layer = kind(4, 8, num_layers=2, bidirectional=True, device=device)
    t, n = 5, 3
    first = t * n * gates * 8 * (4 + 8)
    second = t * n * gates * 8 * (16 + 8)
    assert counted(layer, torch.ones(t, n, 4, device=device)) == 2 * (first + second)


def test_transformer_equals_torch():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, device="meta")
    x = torch.ones(2, 6, 16, device="meta")
    assert counted(layer, x) == by_torch(layer, x) > 0


def test_what_sums_no_products_costs_no_mac():
    x = torch.ones(2, 4, 6, 6)
    for layer in (nn.ReLU(), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.AvgPool2d(2), nn.Flatten()):
        assert counted(layer, x) == 0
