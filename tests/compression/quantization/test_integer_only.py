"""A whole network on integers: no float in between, bit-exact, one code from fake quantization."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from efficientdl.compression.pruning import prune
from efficientdl.compression.quantization.integer_only import integer_only
from efficientdl.costs.count import count
from efficientdl.datasets import load
from efficientdl.fit import evaluate
from efficientdl.models import seeded
from efficientdl.models.layers.integer import IntegerProduct
from efficientdl.models.trained import trained
from efficientdl.tensors import PerChannel, PerGroup, PerTensor, affine
from tests.compression.quantization.residual_net import X, residual_net
from tests.models.layers import integer_reference as plain


class NoFloats(TorchDispatchMode):
    """Raise when an operation of torch takes or gives a floating-point tensor."""

    def __init__(self):
        super().__init__()
        self.n_ops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.n_ops += 1
        for leaf in tree_iter((args, kwargs, out)):
            if isinstance(leaf, torch.Tensor) and leaf.is_floating_point():
                raise AssertionError(f"{func} has a tensor of {leaf.dtype}")
            assert not isinstance(leaf, float), f"{func} has a float, {leaf}"
        return out


def fake_quantized(network, x, *, granularity=PerChannel(), bits=8):
    """The logits in float64 by fake quantization, written out for `ResidualNet` alone.

    Weights and activations are rounded to the levels that the integer network uses; batch norm is
    folded here once more; biases are not rounded, sums are exact to 1e-16.
    """
    model = residual_net().double()

    def on_levels(value, name):
        layer = network.get_submodule(name)
        y = layer.codes if name == "to_codes" else layer.y
        code = (value / y.scale + y.zero_point).round().clamp(y.lowest, y.highest)
        return (code - y.zero_point) * y.scale

    def weights(layer, norm=None):
        weight, bias = layer.weight.detach(), getattr(layer, "bias", None)
        if norm is not None:
            factor = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
            bias = norm.bias.detach() - norm.running_mean * factor
            weight = weight * factor[:, None, None, None]
        groups = granularity.group(weight.float()).double()
        scale = groups.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
        return granularity.ungroup((groups / scale).round() * scale, weight.shape), bias

    def conv(x, name, **options):
        weight, bias = weights(getattr(model, name), getattr(model, f"{name}_norm"))
        return functional.conv2d(x, weight, bias, **options)

    x = on_levels(x.double(), "to_codes")
    y = on_levels(functional.relu6(conv(x, "stem", padding=1)), "stem")
    z = on_levels(conv(y, "depthwise", padding=1, groups=8).relu(), "depthwise")
    y = on_levels(y + on_levels(conv(z, "pointwise"), "pointwise"), "add")
    y = on_levels(functional.avg_pool2d(functional.max_pool2d(y, 2), 2), "mean")
    return functional.linear(y.flatten(1), *weights(model.head)).detach()


def test_at_eight_bits_it_is_nearly_the_network_that_it_replaces():
    model, (network, _) = residual_net(), integer_only(residual_net(), X)
    expected = model(X).detach()
    spread = float(expected.max() - expected.min())
    # 255 levels a layer and five layers: some percent of the range at the worst
    assert float((network(X) - expected).abs().max()) < 0.03 * spread
    errors = [(integer_only(model, X, weight_bits=b)[0](X) - expected).norm() for b in (8, 6, 4, 2)]
    assert errors == sorted(errors)


def _arrays(packed):
    """Every array in what a kernel reads, however deep."""
    if isinstance(packed, np.ndarray):
        return [packed]
    parts = vars(packed).values() if hasattr(packed, "__dict__") else ()
    parts = packed if isinstance(packed, tuple) else parts
    return [array for part in parts for array in _arrays(part)]


def test_there_is_no_float_between_input_and_logits():
    network, _ = integer_only(residual_net(), X)
    codes = network.to_codes(X)
    with NoFloats() as watched:
        out = network.integers(codes)
    assert out.dtype == torch.int8
    assert watched.n_ops > 10
    for name, tensor in [*network.named_parameters(), *network.named_buffers()]:
        assert not tensor.is_floating_point(), name
    for layer in network.modules():  # and what the kernels hold
        for array in _arrays(layer.packed()) if isinstance(layer, IntegerProduct) else ():
            assert np.issubdtype(array.dtype, np.integer), type(layer)
    assert _arrays(next(m for m in network.modules() if isinstance(m, IntegerProduct)).packed())
    with pytest.raises(AssertionError, match=r"has a tensor of torch.float"), NoFloats():
        network(X)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"granularity": PerTensor()},
        {"weight_rule": affine, "granularity": PerTensor()},
        {"weight_bits": 4, "activation_bits": 5},
    ],
    ids=["per channel", "per tensor", "affine", "few bits"],
)
def test_it_is_bit_exact_against_plain_integers(options):
    network, _ = integer_only(residual_net(), X, **options)
    codes = network.to_codes(X[:2])
    expected = plain.integers(network, codes)
    np.testing.assert_array_equal(network.integers(codes), expected)
    assert len(np.unique(expected)) > 3


@pytest.mark.parametrize("granularity", [PerChannel(), PerTensor()], ids=repr)
def test_it_is_within_one_code_of_fake_quantization(granularity):
    network, _ = integer_only(residual_net(), X, granularity=granularity)
    x = torch.randn(200, 2, 8, 8, generator=torch.Generator().manual_seed(6))
    ours = network.integers(network.to_codes(x))
    y = network.from_codes.codes
    fake = fake_quantized(network, x, granularity=granularity)
    places = (fake / y.scale + y.zero_point).round().clamp(y.lowest, y.highest)
    apart = (ours - places).abs()
    assert float(apart.max()) <= 1
    assert float((apart > 0).double().mean()) < 0.05


def test_a_whole_trained_network_keeps_its_accuracy():
    model, digits = trained("small_cnn_mnist"), load("mnist")
    network, report = integer_only(model, digits.train.x[:128])
    test = (digits.test.x[:500], digits.test.y[:500])
    assert abs(evaluate(network, test) - evaluate(model, test)) < 0.01
    assert report.ratio(count(model, digits.train.x[:128]))["weight_bits"] > 3.8
    agree = network(test[0]).argmax(1) == model(test[0]).argmax(1)
    assert float(agree.double().mean()) > 0.99


def test_masked_weights_stay_zero():
    pruned, _ = prune(residual_net(), X, sparsity=0.8)
    network, _ = integer_only(pruned, X)
    np.testing.assert_array_equal(network.head.codes[~pruned.head.mask], 0)
    assert float((network.head.codes == 0).double().mean()) >= 0.8


class Wide(nn.Module):
    """Branches put side by side, a ReLU behind a shared sum, a mean without axes."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 4, 1)
        self.pool = nn.AvgPool2d(3, stride=2, padding=1)
        self.head = nn.Linear(7, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x):
        a, b = self.a(x), self.b(x)
        y = torch.cat([a, functional.relu(b)], dim=1)
        y = self.pool(functional.relu6(y + y))
        return self.norm(self.head(y.mean((2, 3))))


def test_branches_and_shared_values():
    model = seeded(Wide, seed=1).eval()
    network, _ = integer_only(model, X)
    codes = network.to_codes(X[:2])
    np.testing.assert_array_equal(network.integers(codes), plain.integers(network, codes))
    expected = model(X).detach()
    spread = float(expected.max() - expected.min())
    assert float((network(X) - expected).abs().max()) < 0.03 * spread


def test_a_relu_behind_a_shared_sum_is_a_step_of_its_own():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            y = self.conv(x)
            return torch.relu(y) + y

    model = seeded(Twice, seed=0)
    expected = model(X).detach()
    network, _ = integer_only(model, X)
    assert [name for name, _ in network.wires] == ["conv", "relu", "add"]
    assert float((network(X) - expected).abs().max()) < 3 * network.add.y.scale


def test_a_clamp_behind_a_shared_relu_is_a_step_of_its_own():
    class Again(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 1)

        def forward(self, x):
            y = torch.relu(self.conv(x))
            return y.clamp(0.0, 0.1) + y

    model = seeded(Again, seed=0)
    expected = model(X).detach()
    network, _ = integer_only(model, X)
    assert [name for name, _ in network.wires] == ["conv", "clamp", "add"]
    assert float((network(X) - expected).abs().max()) < 3 * network.add.y.scale


def test_a_channel_of_zeros_and_one_nearly_so_keep_their_biases():
    model = nn.Sequential(nn.Conv2d(2, 4, 1), nn.Flatten(), nn.Linear(256, 3))
    with torch.no_grad():
        model[0].weight[0] = 0
        model[0].weight[1] = 1e-12
        model[0].bias[:] = torch.tensor([0.7, -0.9, 0.2, 0.0])
    network, _ = integer_only(model, X)
    y = network.get_submodule("0").y
    out = network.get_submodule("0")(network.to_codes(X))
    for channel, bias in ((0, 0.7), (1, -0.9)):
        expected = round(bias / y.scale + y.zero_point)
        np.testing.assert_array_equal(out[:, channel].unique(), [expected])


def test_a_network_of_zeros_and_a_constant_input_are_exact():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU())
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([0.5, -1.0]))
    x = torch.full((3, 1, 2, 2), 0.3)
    network, _ = integer_only(model, x)
    torch.testing.assert_close(network(x), model(x).detach(), rtol=1e-6, atol=0)


def test_the_report_is_what_is_stored():
    network, report = integer_only(residual_net(), X)
    assert report == count(network, X)
    macs = count(residual_net(), X).total.macs
    assert report.total.macs == macs
    n_weights = 8 * 2 * 9 + 8 * 9 + 64 + 160
    assert report.total.weight_bits == 8 * n_weights + (8 + 8 + 8 + 5) * (32 + 32 + 8)


def test_the_model_given_and_its_copy_stay_apart():
    model = residual_net().train()
    state = copy.deepcopy(model.state_dict())
    network, _ = integer_only(model, X)
    torch.testing.assert_close(model.state_dict(), state, rtol=0, atol=0)
    assert model.training
    assert network.training
    np.testing.assert_array_equal(network(X), integer_only(residual_net(), X)[0](X))


REFUSED = {
    "sigmoid": nn.Sequential(nn.Conv2d(2, 4, 1), nn.Sigmoid()),
    "convolutions of pictures": nn.Sequential(nn.Flatten(1, 2), nn.Conv1d(16, 4, 1)),
    "none transposed": nn.Sequential(nn.ConvTranspose2d(2, 4, 1)),
    "behind a layer with weights": nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 4, 1)),
    "averag": nn.Sequential(nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(3)),
    "whole windows": nn.Sequential(nn.Conv2d(2, 4, 1), nn.MaxPool2d(3, ceil_mode=True)),
    "one size": nn.Sequential(nn.AvgPool2d(3, padding=1, count_include_pad=False)),
    "apart": nn.Sequential(nn.Flatten(0, 1)),
    "which has no rule": nn.Sequential(nn.Flatten(2), nn.LSTM(64, 4)),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_has_no_rule_is_an_error_that_names_the_layer(words):
    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = REFUSED[words].eval()

        def forward(self, x):
            y = self.body(x)
            return y[0] if isinstance(y, tuple) else y

    rule = rf"integer_only: model must .*{words}.*, in layer, got 'body\.\d'"
    with pytest.raises(ValueError, match=rule):
        integer_only(First(), X)


def test_bad_values_are_named():
    model = residual_net()
    for bits in (0, 33):
        with pytest.raises(ValueError, match=rf"integer_only: weight_bits .*\[2, 8\], got {bits}"):
            integer_only(model, X, weight_bits=bits)
        with pytest.raises(ValueError, match=rf"integer_only: activation_bits .* got {bits}"):
            integer_only(model, X, activation_bits=bits)
    with pytest.raises(ValueError, match=r"integer_only: x must hold examples, got \(0, 2, 8, 8\)"):
        integer_only(model, X[:0])
    with pytest.raises(TypeError, match=r"integer_only: granularity must be a PerChannel or PerT"):
        integer_only(model, X, granularity=PerGroup(4))
    with pytest.raises(ValueError, match=r"integer_only: model must have a Linear or Conv2d layer"):
        integer_only(nn.Identity(), X)
    for bad in (float("nan"), float("inf")):
        broken = residual_net()
        with torch.no_grad():
            broken.head.weight[0, 0] = bad
        with pytest.raises(ValueError, match=r"integer_only: model must have finite .* got 'head'"):
            integer_only(broken, X)
