"""DoReFa-Net: levels of weights and activations in NumPy, gradients that are noisy and right."""

import numpy as np
import pytest
import torch
from torch import nn

from efficientdl.compression.quantization.dorefa import RoundedGradient, dorefa
from efficientdl.fit import evaluate
from efficientdl.models.layers.few_bit_input import FewBitInput
from tests.compression.quantization.small_mnist import NAMES, TEST, X, network, training
from tests.promises.state import global_generators_untouched, untouched


def stored(model, name):
    layer = model.get_submodule(name)
    return layer.layer if isinstance(layer, FewBitInput) else layer


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_weights_are_the_papers_levels(bits):
    model = network()
    small, report = dorefa(model, X, weight_bits=bits)
    for name in NAMES:
        w = model.get_submodule(name).weight.detach().double().numpy()
        squeezed = np.tanh(w)
        unit = squeezed / (2 * np.abs(squeezed).max()) + 0.5
        expected = 2 * np.round((2**bits - 1) * unit) / (2**bits - 1) - 1
        if bits == 1:
            expected = np.where(w >= 0, 1, -1) * np.abs(w).mean()
        np.testing.assert_allclose(stored(small, name).weight, expected, atol=1e-6)
        assert float(stored(small, name).weight.abs().max()) <= 1
        assert len(stored(small, name).codes.unique()) <= 2**bits
    assert report.rows["conv2"].weight_bits == bits * 3200 + 32


def test_activations_are_levels_in_0_to_1_and_the_picture_stays():
    small, report = dorefa(network(), X, weight_bits=32, activation_bits=2)
    assert isinstance(small.conv2, FewBitInput)
    assert type(small.conv1) is nn.Conv2d
    seen = []
    small.conv2.layer.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    small.eval()(X)
    levels = np.unique(seen[0].detach().numpy() * 3)
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-6)
    assert levels.min() >= 0
    assert levels.max() <= 3 + 1e-6
    assert report.rows["conv2"].activation_bytes == 8 * 8 * 12 * 12 // 4 + 4 * 8 * 16 * 4 * 4


def test_at_32_bits_it_is_the_network():
    same, _ = dorefa(network(), X, weight_bits=32, activation_bits=32, gradient_bits=32)
    assert [type(m) for m in same] == [type(m) for m in network()]
    trained, _ = dorefa(
        network(), X, weight_bits=32, activation_bits=32, gradient_bits=32, training=training(1)
    )
    torch.testing.assert_close(
        trained.state_dict(), training(1).run(network()).state_dict(), rtol=0, atol=0
    )


@pytest.mark.parametrize("bits", [1, 2, 6])
def test_what_comes_back_is_rounded_with_noise_and_right_on_average(bits):
    layer, n = RoundedGradient(bits).train(), 20_000
    upstream = torch.tensor([0.5, -0.2, 1.0, 0.03])
    x = torch.zeros(n, 4, requires_grad=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.testing.assert_close(layer(x), x, rtol=0, atol=0)
        layer(x).backward(upstream.expand(n, 4))
    step = 2 / (2**bits - 1)  # from -1 to 1, since 1 is the largest of each example
    codes = (x.grad + 1) / step
    np.testing.assert_allclose(codes, codes.round(), atol=1e-4)
    assert codes.min() >= 0
    assert codes.max() <= 2**bits - 1 + 1e-4
    inside = [0, 1, 3]  # the largest is cut at the end of the range
    error = (x.grad.double().mean(dim=0) - upstream).abs()[inside]
    assert bool((error <= 5 * 0.5 * step / n**0.5).all())  # 5 standard errors
    y = x.detach().requires_grad_()
    RoundedGradient(bits).eval()(y).backward(upstream.expand(n, 4))
    torch.testing.assert_close(y.grad, upstream.expand(n, 4), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("bits", [(1, 2, 6), (1, 1, 2), (2, 2, 32)], ids=str)
def test_a_trained_network_beats_chance_by_far(bits):
    weight, activation, gradient = bits
    options = {"weight_bits": weight, "activation_bits": activation, "gradient_bits": gradient}
    model = network()
    with untouched(model), global_generators_untouched():
        small, _ = dorefa(model, X, training=training(), **options)
    assert evaluate(small, TEST) > 0.5  # chance is 0.1
    assert not any(isinstance(m, RoundedGradient) for m in small.modules())


@pytest.mark.slow
def test_the_noise_of_the_gradients_replays_from_the_seed():
    one, _ = dorefa(network(), X, training=training(1))
    torch.rand(3)
    other, _ = dorefa(network(), X, training=training(1))
    exact, _ = dorefa(network(), X, training=training(1), gradient_bits=32)
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)
    assert not torch.equal(one.fc.layer.codes, exact.fc.layer.codes)


def test_bad_bits_are_named():
    for option in ("weight_bits", "activation_bits", "gradient_bits"):
        for bits in (0, 17, 33):
            with pytest.raises(
                ValueError, match=rf"dorefa: {option} must be one .*16, 32, got {bits}"
            ):
                dorefa(network(), X, **{option: bits})
    with pytest.raises(ValueError, match=r"dorefa: layer named in weight_bits must be one of con"):
        dorefa(network(), X, weight_bits={"body": 2})
    with pytest.raises(ValueError, match=r"RoundedGradient: bits must be .* got 0"):
        RoundedGradient(0)
