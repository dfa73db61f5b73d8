import pytest
import torch
from torch import nn

from efficientdl.models import seeded
from efficientdl.models.layers import ShuffleUnitV2


def image(channels):
    return torch.randn(2, channels, 6, 6, generator=torch.Generator().manual_seed(1))


def test_at_stride_1_half_of_the_channels_pass_untouched():
    unit = seeded(lambda: ShuffleUnitV2(8, 8, stride=1), seed=0).eval()
    y = unit(image(8))
    torch.testing.assert_close(y[:, 0::2], image(8)[:, :4], rtol=0, atol=0)
    worked = unit.expand(unit.depthwise(unit.reduce(image(8)[:, 4:])))
    torch.testing.assert_close(y[:, 1::2], worked)


def test_at_stride_2_both_branches_see_the_whole_input():
    unit = seeded(lambda: ShuffleUnitV2(6, 16, stride=2), seed=0).eval()
    y = unit(image(6))
    assert y.shape == (2, 16, 3, 3)
    left = unit.shortcut.pointwise(unit.shortcut.depthwise(image(6)))
    right = unit.expand(unit.depthwise(unit.reduce(image(6))))
    torch.testing.assert_close(y, nn.ChannelShuffle(2)(torch.cat([left, right], dim=1)))


def test_depthwise_convolutions_have_no_activation():
    unit = seeded(lambda: ShuffleUnitV2(6, 16, stride=2), seed=0)
    depthwise = [unit.depthwise, unit.shortcut.depthwise]
    assert all([name for name, _ in d.named_children()] == ["conv", "norm"] for d in depthwise)


def test_a_bad_shape_is_named():
    with pytest.raises(ValueError, match="ShuffleUnitV2: stride must be one of 1, 2, got 0"):
        ShuffleUnitV2(8, 8, stride=0)
    with pytest.raises(ValueError, match="ShuffleUnitV2: c_out must be c_in = 8 at stride 1"):
        ShuffleUnitV2(8, 16, stride=1)
    with pytest.raises(ValueError, match="must divide c_out = 9"):
        ShuffleUnitV2(8, 9, stride=2)
