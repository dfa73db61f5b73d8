"""The promises of layers, tried on group convolutions, some of them dishonest."""

import pytest
import torch
from torch import nn

from efficientdl.catalogue import Layer
from tests.promises.toys import broken_promises, toy

KIND = Layer(
    options={"groups": 4}, identity={"groups": 1}, mac_ratio=lambda c_in, c_out, groups: groups
)


def sound(c_in, c_out, *, groups):
    return nn.Conv2d(c_in, c_out, 3, padding=1, groups=groups, bias=False)


def shrinks(c_in, c_out, *, groups):
    return nn.Conv2d(c_in, c_out, 3, groups=groups, bias=False)


def dearer_than_it_says(c_in, c_out, *, groups):
    return nn.Conv2d(c_in, c_out, 3, padding=1, groups=max(1, groups // 2), bias=False)


def never_standard(c_in, c_out, *, groups):
    return nn.Conv2d(c_in, c_out, 3, padding=1, groups=max(2, groups), bias=False)


class Scaled(nn.Conv2d):
    def forward(self, input):
        return 1.01 * super().forward(input)


def scaled(c_in, c_out, *, groups):
    return Scaled(c_in, c_out, 3, padding=1, groups=groups, bias=False)


class Detached(nn.Conv2d):
    def forward(self, input):
        half, other = input[:, :8].detach(), input[:, 8:]
        return super().forward(torch.cat([half, other], dim=1))


def detached(c_in, c_out, *, groups):
    return Detached(c_in, c_out, 3, padding=1, groups=groups, bias=False)


def test_a_sound_layer_keeps_all():
    assert broken_promises(toy(sound, KIND)) == set()


def test_a_layer_without_an_identity_has_none_to_keep():
    def pointwise(c_in, c_out, *, kernel):
        return nn.Conv2d(c_in, c_out, 1, bias=False)

    kind = Layer(options={"kernel": 5}, mac_ratio=lambda c_in, c_out, kernel: kernel**2)
    assert broken_promises(toy(pointwise, kind)) == set()


@pytest.mark.parametrize(
    ("call", "promise"),
    [
        (shrinks, "gives_the_standard_shape"),
        (dearer_than_it_says, "has_the_mac_ratio_of_its_closed_form"),
        (never_standard, "is_the_standard_layer_at_its_identity"),
        (scaled, "is_the_standard_layer_at_its_identity"),
        (detached, "has_a_right_gradient"),
    ],
)
def test_each_fault_is_caught_by_the_promise_meant_for_it(call, promise):
    assert promise in broken_promises(toy(call, KIND))
