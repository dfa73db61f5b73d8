"""The first look: removing channels is exact, and the three sliders move what they should."""

from copy import deepcopy

import pytest
import torch

from efficientdl import datasets, models
from efficientdl.course.first_look import first_look, keep_channels

BLOCKS = ("conv1", "conv2", "conv3", "conv4")


@pytest.fixture(scope="module")
def network():
    return models.trained("small_cnn_mnist")


@pytest.fixture(scope="module")
def images():
    return datasets.load("mnist").test.x[:16]


def silenced(model, share):
    """The oracle: the weakest filters stay, but batch norm lets nothing of them through."""
    model = deepcopy(model)
    for name in BLOCKS:
        conv, norm = model.get_submodule(f"{name}.conv"), model.get_submodule(f"{name}.norm")
        strength = conv.weight.detach().square().sum(dim=(1, 2, 3))
        weakest = strength.argsort()[: len(strength) - round(share * len(strength))]
        with torch.no_grad():
            norm.weight[weakest] = 0
            norm.bias[weakest] = 0
    return model


def test_keeping_every_channel_changes_nothing(network, images):
    with torch.no_grad():
        torch.testing.assert_close(keep_channels(network, 1.0)(images), network(images))


@pytest.mark.parametrize("share", [0.75, 0.5, 0.25])
def test_removed_channels_are_silent_channels(network, images, share):
    small = keep_channels(network, share)
    with torch.no_grad():
        # float32 sums in another order
        torch.testing.assert_close(
            small(images), silenced(network, share)(images), rtol=1e-4, atol=1e-4
        )
    assert small.conv3.conv.weight.shape == (round(64 * share), round(32 * share), 3, 3)
    assert network.conv3.conv.weight.shape == (64, 32, 3, 3)


def test_keep_channels_draws_nothing_from_the_global_generator(network):
    before = torch.get_rng_state()
    keep_channels(network, 0.5)
    assert torch.equal(before, torch.get_rng_state())


def test_share_out_of_range_is_refused(network):
    with pytest.raises(ValueError, match=r"keep_channels: share must be in \[0, 1\], got 1.5"):
        keep_channels(network, 1.5)


@pytest.mark.slow
def test_each_slider_moves_its_own_figures():
    start = first_look(channels=0, zeros=0, bits=32)
    assert start.accuracy > 0.97
    assert start.size_bytes == 4 * 57_594
    fewer_bits = first_look(channels=0, zeros=0, bits=8)
    assert 3.5 < start.size_bytes / fewer_bits.size_bytes <= 4
    assert fewer_bits.energy_pj < start.energy_pj
    assert abs(fewer_bits.accuracy - start.accuracy) < 0.01
    zeroed = first_look(channels=0, zeros=90, bits=32)
    assert zeroed.size_bytes < start.size_bytes / 4
    assert zeroed.accuracy < start.accuracy
    both = first_look(channels=0, zeros=50, bits=4)
    assert start.size_bytes / both.size_bytes > 8
    assert both.accuracy > start.accuracy - 0.03


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"channels": 95, "zeros": 0, "bits": 8}, "channels must be a whole number in"),
        ({"channels": 0, "zeros": 100, "bits": 8}, "zeros must be a whole number in"),
        ({"channels": 0, "zeros": 0, "bits": 1}, "bits must be a whole number in"),
    ],
)
def test_settings_out_of_range_are_refused(setting, said):
    with pytest.raises(ValueError, match=said):
        first_look(**setting)
