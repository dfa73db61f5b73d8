import pytest
import torch
from torch import nn

from efficientdl.models import seeded
from efficientdl.models.layers import InvertedResidual


def image(channels=8):
    return torch.randn(2, channels, 6, 6, generator=torch.Generator().manual_seed(1))


def silent(block):
    """The block with a branch that answers zero."""
    nn.init.zeros_(block.project.norm.weight)
    return block


def test_with_a_silent_branch_it_is_the_identity():
    block = silent(seeded(lambda: InvertedResidual(8, 8, hidden=24), seed=0))
    torch.testing.assert_close(block(image()), image(), rtol=0, atol=0)


@pytest.mark.parametrize(("c_out", "stride"), [(8, 2), (12, 1)])
def test_where_the_shape_changes_nothing_is_added(c_out, stride):
    block = silent(seeded(lambda: InvertedResidual(8, c_out, hidden=24, stride=stride), seed=0))
    torch.testing.assert_close(block(image()), torch.zeros(2, c_out, 6 // stride, 6 // stride))


def test_it_is_its_layers_one_after_the_other():
    options = {"hidden": 24, "kernel": 5, "activation": nn.Hardswish, "squeezed": 4}
    block = seeded(lambda: InvertedResidual(8, 8, **options), seed=0).eval()
    y = block.depthwise(block.expand(image()))
    y = block.project(
        y
        * block.squeeze_excitation.gate(
            block.squeeze_excitation.excite(
                block.squeeze_excitation.squeeze(y.mean(dim=(2, 3), keepdim=True)).relu()
            )
        )
    )
    torch.testing.assert_close(block(image()), image() + y)
    assert block.depthwise.conv.kernel_size == (5, 5)
    assert [type(m) for m in block.modules()].count(nn.Hardswish) == 2


def test_the_last_convolution_has_no_activation():
    block = seeded(lambda: InvertedResidual(8, 12, hidden=24), seed=0)
    assert (block(image()) < 0).any()


def test_without_expansion_there_is_no_first_convolution():
    block = seeded(lambda: InvertedResidual(8, 12, hidden=8), seed=0)
    assert [name for name, _ in block.named_children()] == ["depthwise", "project"]


def test_a_middle_without_channels_is_refused():
    with pytest.raises(ValueError, match="InvertedResidual: hidden must be a whole number, 1 or"):
        InvertedResidual(8, 8, hidden=0)
