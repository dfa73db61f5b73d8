"""The promises of networks, tried on a small one that keeps them and on others that do not."""

import pytest
import torch
from torch import nn

from efficientdl.catalogue import Network
from tests.promises.toys import broken_promises, toy

# 3 x 8 x 9 weights and 8 biases, 8 x 1000 and 1000; 6 x 6 outputs of the convolution
KIND = Network(resolution=8, params=224 + 9000, macs=36 * 216 + 8000)


def layers(classes):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes)
    )


def sound(*, classes, seed):
    rng = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        model = layers(classes)
    model.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=rng)
    return model


def draws(*, classes, seed):
    torch.manual_seed(seed)
    return layers(classes)


def ignores_its_seed(*, classes, seed):
    return sound(classes=classes, seed=0)


def seeds_wrongly(*, classes, seed):
    model = sound(classes=classes, seed=seed)
    with torch.no_grad():
        model[0].weight.add_(torch.rand(1))
    return model


def wider(*, classes, seed):
    model = sound(classes=classes, seed=seed)
    model.append(nn.PReLU())
    return model


def strided(*, classes, seed):
    model = sound(classes=classes, seed=seed)
    model[0].stride = (2, 2)
    return model


def forgets_a_layer(*, classes, seed):
    model = sound(classes=classes, seed=seed)
    with torch.no_grad():
        model[3].weight.zero_()
    return model


def has_a_nan(*, classes, seed):
    model = sound(classes=classes, seed=seed)
    with torch.no_grad():
        model[3].bias[7] = torch.nan
    return model


def test_a_sound_network_keeps_all():
    assert broken_promises(toy(sound, KIND)) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (draws, "leaves_global_generators_alone"),
        (ignores_its_seed, "replays_from_its_seed"),
        (seeds_wrongly, "replays_from_its_seed"),
        (wider, "has_the_params_and_macs_that_it_declares"),
        (strided, "has_the_params_and_macs_that_it_declares"),
        (forgets_a_layer, "has_no_memory_left_undrawn"),
        (has_a_nan, "has_no_memory_left_undrawn"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    before = torch.get_rng_state()
    try:
        assert promise in broken_promises(toy(call, KIND))
    finally:
        torch.set_rng_state(before)
