"""The two rules, operation by operation."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from efficientdl.costs import (
    measured_saved_bytes,
    paper_rule,
    saved_activation_bytes,
    torch_rule,
)

X = torch.zeros(2, 4, 8, 8)
N = X.numel()
CONV_INPUT = 4 * N


def after_conv(*layers, in_place_conv=None):
    return nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), *layers)


@pytest.mark.parametrize(
    ("layer", "kept"),
    [
        (nn.ReLU(), N // 8),
        (nn.ReLU6(inplace=True), N // 8),
        (nn.Hardswish(), 4 * N),
        (nn.Sigmoid(), 4 * N),
        (nn.BatchNorm2d(4), 4 * N),
        (nn.Conv2d(4, 8, 1), 4 * N),
        (nn.MaxPool2d(2), 0),
        (nn.AdaptiveAvgPool2d(1), 0),
        (nn.Dropout(), 0),
    ],
)
def test_paper_rule_by_hand(layer, kept):
    model = after_conv(layer)
    assert saved_activation_bytes(model, X, rule=paper_rule) == CONV_INPUT + kept


def test_paper_rule_counts_a_shared_input_for_each_reader():
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return self.a(x) + self.b(x)

    x = torch.zeros(3, 8)
    assert saved_activation_bytes(Fork(), x, rule=paper_rule) == 2 * 4 * 24
    assert saved_activation_bytes(Fork(), x, rule=torch_rule) == 4 * 24


def test_frozen_weights_keep_nothing_on_paper_and_everything_in_torch():
    model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
    for conv in model:
        conv.weight.requires_grad_(False)
    assert saved_activation_bytes(model, X, rule=paper_rule) == 0
    both = 4 * N + 4 * 2 * 4 * 6 * 6
    assert saved_activation_bytes(model, X, rule=torch_rule) == both
    assert measured_saved_bytes(model, X) == both


class Formula(nn.Module):
    """Operations that no layer of the zoo runs."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(8))
        self.qkv = nn.Linear(8, 24)
        self.norm = nn.LayerNorm(8)

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        scores = functional.softmax(q @ k.transpose(1, 2) / 2.0, dim=-1)
        y = scores @ v * self.scale + (x * 0.5).exp()
        return torch.cat([y / self.scale, y.sqrt(), (y**2).mean(-1, keepdim=True)], dim=-1)


@pytest.mark.parametrize(
    "model",
    [
        after_conv(nn.ReLU6(inplace=True), nn.Conv2d(4, 4, 1)),
        after_conv(nn.SiLU(inplace=True), nn.SiLU(), nn.Hardswish(inplace=True)),
        after_conv(nn.ReLU(inplace=True), nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.LeakyReLU()),
        after_conv(nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
        after_conv(nn.Dropout(), nn.GroupNorm(2, 4), nn.LocalResponseNorm(3), nn.Softplus()),
        after_conv(nn.Upsample(scale_factor=2), nn.LogSoftmax(1), nn.Hardsigmoid()),
    ],
)
def test_torch_rule_equals_the_hooks(model):
    kept = saved_activation_bytes(model, X, rule=torch_rule)
    assert kept == measured_saved_bytes(model, X)


def test_torch_rule_equals_the_hooks_on_a_formula():
    x = torch.ones(2, 5, 8)
    kept = saved_activation_bytes(Formula(), x, rule=torch_rule)
    assert kept == measured_saved_bytes(Formula(), x)


def test_torch_rule_equals_the_hooks_on_attention():
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu")
    model = nn.Sequential(nn.Embedding(10, 16), layer)
    x = torch.zeros(2, 6, dtype=torch.int64)
    kept = saved_activation_bytes(model, x, rule=torch_rule)
    assert kept == measured_saved_bytes(model, x)


def test_an_operation_without_a_line_is_an_error():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.special.i0(x)

    with pytest.raises(
        ValueError, match=r"torch_rule: operation must be one .* 'aten\.(special_)?i0'"
    ):
        saved_activation_bytes(
            nn.Sequential(nn.Linear(3, 3), Odd()), torch.ones(1, 3), rule=torch_rule
        )
