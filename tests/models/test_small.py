"""The small networks: sizes by hand, and the family's four choices."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from efficientdl import models
from efficientdl.models.networks import small, small_family
from efficientdl.models.networks.small_family import MEMBERS, Member
from tests.models.tracing import traced

NAMES = [*small.NETWORKS, *small_family.NETWORKS]


def macs(name):
    with FlopCounterMode(display=False) as counter:
        models.skeleton(name).eval()(models.example(name, device="meta"))
    return counter.get_total_flops() // 2


def params(name):
    return sum(p.numel() for p in models.skeleton(name).parameters())


def norm(c):
    return 2 * c


# Weights of each layer, written out from its width; a norm has two for each channel.
BY_HAND = {
    "small_cnn": (
        (9 * 16 + norm(16))
        + (9 * 16 * 32 + norm(32))
        + (9 * 32 * 64 + norm(64))
        + (9 * 64 * 32 + norm(32))
        + (32 * 49 + 1) * 10
    ),
    "lenet_300_100": 785 * 300 + 301 * 100 + 101 * 10,
    # Han et al., 2015, Table 4, in thousands: conv1 0.5, conv2 25, fc1 400, fc2 5
    "lenet_5": (25 + 1) * 20 + (20 * 25 + 1) * 50 + (800 + 1) * 500 + 501 * 10,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_parameters_by_hand(name):
    assert params(name) == BY_HAND[name]


def test_macs_by_hand():
    # 14 x 14 and three times 7 x 7 positions; the classifier sees 32 x 7 x 7 values.
    convs = 14 * 14 * 9 * 16 + 7 * 7 * 9 * (16 * 32 + 32 * 64 + 64 * 32)
    assert macs("small_cnn") == convs + 32 * 49 * 10
    # Han et al., 2015, Table 4, thousands of multiplications and additions: 576, 3200, 800, 10
    assert macs("lenet_5") == 24 * 24 * 25 * 20 + 8 * 8 * 500 * 50 + 800 * 500 + 500 * 10


@pytest.mark.parametrize("name", NAMES)
def test_runs_traces_and_has_ten_classes(name):
    model = models.build(name, seed=0).eval()
    x = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = model(x)
        torch.testing.assert_close(traced(model)(x), y)
    assert y.shape == (2, 10)
    assert bool(y.isfinite().all())
    assert models.build(name, seed=0, classes=3)(x).shape == (2, 3)


def by_formula(member):
    """Weights and MACs of a member, from its four choices alone."""

    def convolution(c_in, c_out, pixels, kernel=3, groups=1):
        weights = kernel**2 * c_in * c_out // groups
        return np.array([weights + norm(c_out), weights * pixels])

    def block(c_in, c_out, pixels_in, pixels):
        if member.block == "dense":
            return convolution(c_in, c_out, pixels)
        hidden = c_in if member.block == "separable" else 4 * c_in
        depthwise = convolution(hidden, hidden, pixels, groups=hidden)
        total = depthwise + convolution(hidden, c_out, pixels, kernel=1)
        if member.block == "inverted":
            total = total + convolution(c_in, hidden, pixels_in, kernel=1)
        return total

    side = 14 if member.early else 28
    total, c_in = convolution(1, member.width, side**2), member.width
    for stage, side_out in enumerate((14, 7, 4)):
        for _ in range(member.depth):
            c_out = member.width * 2**stage
            total = total + block(c_in, c_out, side**2, side_out**2)
            c_in, side = c_out, side_out
    return total + np.array([(c_in + 1) * 10, c_in * 10])


@pytest.mark.parametrize("member", MEMBERS, ids=lambda m: m.name)
def test_family_by_formula(member):
    np.testing.assert_array_equal(by_formula(member), [params(member.name), macs(member.name)])


def test_late_costs_no_weight_and_more_macs():
    for member in MEMBERS:
        early = Member(member.block, member.width, member.depth, early=True)
        late = Member(member.block, member.width, member.depth, early=False)
        np.testing.assert_array_equal(by_formula(early)[0], by_formula(late)[0])
        assert by_formula(early)[1] < by_formula(late)[1]


def test_names_are_unique_and_in_the_registry():
    assert len(set(NAMES)) == len(small.NETWORKS) + len(MEMBERS)
    assert set(NAMES) <= set(models.names())


def test_misspelt_member():
    with pytest.raises(ValueError, match="did you mean 'dense_w16_d1_late'"):
        models.build("dense_w16_d1_lat", seed=0)
