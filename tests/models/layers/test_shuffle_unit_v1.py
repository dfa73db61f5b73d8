import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

from efficientdl.models import seeded
from efficientdl.models.layers import ShuffleUnitV1


def image(channels):
    return torch.randn(2, channels, 6, 6, generator=torch.Generator().manual_seed(1))


def test_at_stride_1_a_silent_branch_leaves_the_input():
    unit = seeded(lambda: ShuffleUnitV1(24, 24, groups=3, stride=1), seed=0)
    nn.init.zeros_(unit.expand.norm.weight)
    torch.testing.assert_close(unit(image(24)), image(24).relu(), rtol=0, atol=0)


def test_at_stride_2_the_averaged_input_stands_beside_the_branch():
    unit = seeded(lambda: ShuffleUnitV1(12, 36, groups=3, stride=2), seed=0)
    y = unit(image(12))
    assert y.shape == (2, 36, 3, 3)
    torch.testing.assert_close(y[:, :12], avg_pool2d(image(12), 3, 2, 1).relu())
    assert unit.expand.conv.out_channels == 24


def test_the_shuffle_stands_between_the_pointwise_convolutions():
    unit = seeded(lambda: ShuffleUnitV1(24, 24, groups=3, stride=1), seed=0).eval()
    y = nn.ChannelShuffle(3)(unit.reduce(image(24)))
    wanted = (image(24) + unit.expand(unit.depthwise(y))).relu()
    torch.testing.assert_close(unit(image(24)), wanted)


def groups_reached(unit, x):
    """Groups of the output that the first group of the input reaches through the branch."""
    moved = x.clone()
    moved[:, :16] += 1
    changed = (unit(moved) - unit(x)).abs().amax(dim=(0, 2, 3)) > 1e-6
    return [bool(group.any()) for group in changed.chunk(3)]


def test_every_group_sees_every_other_thanks_to_the_shuffle(monkeypatch):
    unit = seeded(lambda: ShuffleUnitV1(48, 48, groups=3, stride=1), seed=0).eval()
    assert groups_reached(unit, image(48)) == [True, True, True]
    monkeypatch.setattr(
        "efficientdl.models.layers.shuffle_unit_v1.channel_shuffle", lambda x, groups: x
    )
    assert groups_reached(unit, image(48)) == [True, False, False]


def test_a_bad_shape_is_named():
    with pytest.raises(ValueError, match="ShuffleUnitV1: stride must be one of 1, 2, got 3"):
        ShuffleUnitV1(24, 24, groups=3, stride=3)
    with pytest.raises(ValueError, match="ShuffleUnitV1: c_out must be c_in = 24 at stride 1"):
        ShuffleUnitV1(24, 48, groups=3, stride=1)
