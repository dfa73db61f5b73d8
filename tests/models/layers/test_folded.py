"""Layer and norm as one product: exactly both of them where nothing is rounded."""

import copy

import pytest
import torch
from torch import nn

from efficientdl.models import seeded
from efficientdl.models.layers.folded import Folded, folded_weight
from efficientdl.models.layers.masked import MaskedConv2d

X = torch.randn(6, 4, 5, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def same(weight):
    return weight


def norm_of(make, n, **options):
    """A norm with statistics and factors worth folding."""
    norm = make(n, dtype=torch.float64, **options)
    generator = torch.Generator().manual_seed(3)
    if norm.track_running_stats:
        norm.running_mean.normal_(0, 1, generator=generator)
        norm.running_var.uniform_(0.2, 3, generator=generator)
    if norm.affine:
        norm.weight.data.uniform_(-1, 2, generator=generator)
        norm.bias.data.normal_(0, 1, generator=generator)
    return norm


def with_bias(layer):
    """The layer with biases that count: `seeded` makes them zero."""
    if layer.bias is not None:
        layer.bias.data.normal_(0, 1, generator=torch.Generator().manual_seed(5))
    return layer


def pairs():
    def conv(**options):
        return with_bias(seeded(lambda: nn.Conv2d(4, 6, 3, dtype=torch.float64, **options), seed=0))

    mask = torch.rand(6, 4, 3, 3, generator=torch.Generator().manual_seed(4)) > 0.5
    linear = with_bias(seeded(lambda: nn.Linear(5, 6, dtype=torch.float64), seed=0))
    yield conv(bias=False), norm_of(nn.BatchNorm2d, 6), X
    yield conv(padding=1, stride=2), norm_of(nn.BatchNorm2d, 6, momentum=0.3), X
    yield conv(groups=2), norm_of(nn.BatchNorm2d, 6, affine=False), X
    yield MaskedConv2d(conv(), mask), norm_of(nn.BatchNorm2d, 6, momentum=None), X
    yield linear, norm_of(nn.BatchNorm1d, 6), X[:, 0, 0]


CASES = pytest.mark.parametrize(
    ("layer", "norm", "x"), list(pairs()), ids=["conv", "strided", "grouped", "masked", "linear"]
)


@CASES
def test_in_inference_it_is_layer_and_norm(layer, norm, x):
    both = Folded(copy.deepcopy(layer), copy.deepcopy(norm), rounding=same).eval()
    expected = copy.deepcopy(norm).eval()(layer(x))
    torch.testing.assert_close(both(x), expected, rtol=1e-12, atol=1e-12)  # float64 sums


@CASES
def test_in_training_it_is_layer_and_norm_with_gradients_and_statistics(layer, norm, x):
    plain = nn.Sequential(copy.deepcopy(layer), copy.deepcopy(norm)).train()
    both = Folded(copy.deepcopy(layer), copy.deepcopy(norm), rounding=same).train()
    for step in range(3):
        ours, theirs = both(x + step), plain(x + step)
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)  # float64 sums
        for y in (ours, theirs):
            (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)).sum().backward()
    found = dict(both.layer.named_parameters()), dict(both.norm.named_parameters())
    for mine, other in zip(found, plain, strict=True):
        for name, parameter in other.named_parameters():
            ours = mine[name].grad  # of a bias before a norm there is none: it cancels
            ours = torch.zeros_like(parameter) if ours is None else ours
            # float64 sums, and in torch's zero gradient of such a bias their rounding
            torch.testing.assert_close(ours, parameter.grad, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(both.norm.state_dict(), plain[1].state_dict())


def test_what_is_rounded_in_training_is_the_weight_of_inference():
    """The weight is scaled by the running statistics, not by those of the batch."""
    layer, norm, x = next(pairs())
    seen = []

    def spy(weight):
        seen.append(weight.detach())
        return weight

    both = Folded(layer, norm, rounding=spy).train()
    both(x)
    both.eval()(x)
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=0)


def test_a_norm_in_evaluation_mode_is_frozen():
    layer, norm, x = next(pairs())
    both = Folded(copy.deepcopy(layer), copy.deepcopy(norm), rounding=same).train()
    both.norm.eval()
    torch.testing.assert_close(both(x), norm.eval()(layer(x)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(both.norm.state_dict(), norm.state_dict(), rtol=0, atol=0)


def test_without_a_norm_it_is_the_layer():
    layer, _, x = next(pairs())
    torch.testing.assert_close(Folded(layer, None, rounding=same)(x), layer(x), rtol=0, atol=0)
    halved = Folded(layer, None, rounding=lambda weight: weight / 2)
    torch.testing.assert_close(halved(x), layer(x) / 2)


def test_it_moves_to_another_dtype_as_any_module_does():
    layer, norm, x = next(pairs())
    both = Folded(layer, norm, rounding=same).eval().float()
    assert both(x.float()).dtype == torch.float32


def test_bad_values_are_named():
    with pytest.raises(
        TypeError, match=r"Folded: layer must be a Linear or Conv2d, got Conv1d|'layer'"
    ):
        Folded(nn.Conv1d(2, 2, 1), None, rounding=same)
    norm = nn.BatchNorm1d(2, track_running_stats=False)
    with pytest.raises(ValueError, match=r"fold: norm must have running statistics, got BatchNorm"):
        folded_weight(torch.ones(2, 3), None, norm)
