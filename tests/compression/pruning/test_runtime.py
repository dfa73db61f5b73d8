"""Runtime pruning: closed channels are zero, cost nothing, and easy pictures close more."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn

from efficientdl.compression.pruning.runtime import GatedConv2d, channel_use, gate_channels
from efficientdl.costs.count import count
from efficientdl.fit import Recipe, evaluate, fit
from tests.compression.pruning.structure.networks import X, conv, gen, randomised

IMAGES = torch.randn(6, 3, 8, 8, generator=gen(4)) * torch.linspace(0.2, 2, 6)[:, None, None, None]


def chain():
    return randomised(
        nn.Sequential(conv(3, 8, 3), nn.ReLU(), conv(8, 10, 3, stride=2), nn.ReLU(), conv(10, 2))
    )


def test_threshold_0_is_the_model_itself():
    model = chain()
    gated = gate_channels(model, IMAGES, threshold=0.0).model
    # 1e-6: a convolution of fewer filters may add in another order
    torch.testing.assert_close(gated(IMAGES), model(IMAGES), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(channel_use(gated, IMAGES), torch.ones(6))


@settings(deadline=None, max_examples=20)
@given(threshold=st.floats(0, 1), n_groups=st.integers(1, 10))
@torch.no_grad()
def test_left_out_channels_are_those_of_the_whole_convolution_times_zero(threshold, n_groups):
    layer = randomised(conv(3, 8, 3))
    sizes = IMAGES.abs().mean(dim=(2, 3))
    gated = GatedConv2d(layer, sizes, threshold=threshold, n_groups=n_groups)
    widths = [len(part) for part in np.array_split(np.arange(8), min(n_groups, 8))]
    opened = np.repeat(gated.is_open(IMAGES).numpy(), widths, axis=1)
    wanted = layer(IMAGES).numpy() * opened[:, :, None, None]
    np.testing.assert_allclose(gated(IMAGES), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gated.share(IMAGES), opened.mean(axis=1), rtol=1e-6)
    assert opened.any(axis=1).all()


@torch.no_grad()
def test_training_computes_what_evaluation_does():
    gated = gate_channels(chain(), IMAGES, threshold=0.5).model.eval()
    left_out = gated(IMAGES)
    for layer in gated:
        if isinstance(layer, GatedConv2d):
            layer.training = True  # the gate's batch norm stays in evaluation mode
    torch.testing.assert_close(gated(IMAGES), left_out, rtol=1e-5, atol=1e-5)


def test_macs_are_those_of_the_channels_that_are_open():
    gated, report = gate_channels(chain(), IMAGES, threshold={"0": 0.5, "2": 0.5})
    pixels = {"0": 64, "2": 16}
    per_channel = {"0": 27 * 64, "2": 72 * 16}
    features = IMAGES
    for name, layer in (("0", gated[0]), ("2", gated[2])):
        widths = torch.tensor(layer.widths)
        n_open = int((layer.is_open(features) * widths).sum())
        gate = 6 * layer.gate.weight.numel()
        assert (
            report.rows[name].macs + report.rows[f"{name}.gate"].macs
            == n_open * per_channel[name] + gate
        )
        features = layer(features).relu()
        assert features.shape[2] ** 2 == pixels[name]
    assert report.total.macs < count(chain(), IMAGES).total.macs


def test_a_dark_picture_uses_fewer_channels_than_a_bright_one():
    use = channel_use(gate_channels(chain(), IMAGES, threshold=0.5).model, IMAGES).detach()
    assert use[0] < use[-1]


def test_the_gate_learns_through_its_hard_decision():
    gated = gate_channels(chain(), IMAGES, threshold={"0": 0.5}).model.train()
    use = channel_use(gated, IMAGES).mean()
    use.backward()
    layer = gated[0]
    features = layer.norm(IMAGES.abs().mean(dim=(2, 3)))
    p = torch.sigmoid(features @ layer.gate.weight.T + layer.gate.bias)
    # the hard decision in value; the sigmoid's slope, p (1 - p), in gradient
    np.testing.assert_allclose(float(use.detach()), float(layer.share(IMAGES).mean().detach()))
    expected = (p * (1 - p)).mean(dim=0) / 4
    torch.testing.assert_close(layer.gate.bias.grad, expected.detach())


@pytest.mark.slow
def test_easy_pictures_come_to_use_fewer_channels_at_the_same_accuracy():
    """Digits, every other one under noise. The figures of five seeds belong to the benchmarks."""
    digits, noise = load_digits(), gen(0)
    order = torch.randperm(1797, generator=noise)
    x = torch.tensor(digits.images, dtype=torch.float32)[order, None] / 16
    y, hard = torch.tensor(digits.target)[order], torch.arange(1797) % 2 == 1
    x[hard] += 0.35 * torch.randn(x[hard].shape, generator=noise)
    model = randomised(
        nn.Sequential(
            conv(1, 16, 3), nn.ReLU(), nn.MaxPool2d(2), conv(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            conv(32, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10),
        )
    )  # fmt: skip
    train, test = slice(0, 1200), slice(1200, None)
    plain = fit(model, (x[train], y[train]), None, epochs=12, lr=6e-3, seed=0).model
    gated = gate_channels(plain, x[:64], threshold={"3": 0.5, "6": 0.5}).model
    price = Recipe(penalty=lambda m: 0.1 * channel_use(m, x[:200]).mean())
    gated = fit(gated, (x[train], y[train]), None, epochs=12, lr=6e-3, seed=0, recipe=price).model
    use = channel_use(gated.eval(), x[test]).detach()
    easy, difficult = ~hard[test], hard[test]
    assert use[easy].mean() < 0.8 * use[difficult].mean()
    for which in (easy, difficult):
        examples = x[test][which], y[test][which]
        assert evaluate(gated, examples) > evaluate(plain, examples) - 0.03  # 18 of 600


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match=r"gate_channels: threshold must be in \[0, 1\], got -1"):
        gate_channels(chain(), X, threshold=-1)
    with pytest.raises(ValueError, match="layer named in threshold must be one of 0, 2, 4"):
        gate_channels(chain(), X, threshold={"1": 0.5})
    with pytest.raises(ValueError, match="n_groups must be a whole number, 1 or more, got 0"):
        gate_channels(chain(), X, threshold=0.5, n_groups=0)
    with pytest.raises(ValueError, match="must have a Conv2d layer that is not grouped"):
        gate_channels(conv(3, 3, groups=3), X, threshold=0.5)
    with pytest.raises(ValueError, match="channel_use: model must have gates"):
        channel_use(chain(), X)
    broken = chain()
    broken[0].weight.data[0] = float("nan")
    with pytest.raises(ValueError, match="gate_channels: model must have finite weights"):
        gate_channels(broken, X, threshold=0.5)
