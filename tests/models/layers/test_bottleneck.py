import torch
from torch import nn

from efficientdl.models import seeded
from efficientdl.models.layers import Bottleneck


def image(channels):
    return torch.randn(2, channels, 6, 6, generator=torch.Generator().manual_seed(1))


def test_with_a_silent_branch_it_passes_its_input_through_the_relu():
    block = seeded(lambda: Bottleneck(16, 4), seed=0)
    nn.init.zeros_(block.restore.norm.weight)
    torch.testing.assert_close(block(image(16)), image(16).relu(), rtol=0, atol=0)


def test_where_the_shape_changes_the_input_is_brought_to_it():
    block = seeded(lambda: Bottleneck(8, 4, stride=2), seed=0).eval()
    nn.init.zeros_(block.restore.norm.weight)
    shrink = (1 + 1e-5) ** -0.5  # batch norm with the statistics that it starts from
    weight = block.shortcut.conv.weight[:, :, 0, 0]
    wanted = shrink * torch.einsum("oi,nihw->nohw", weight, image(8)[:, :, ::2, ::2])
    torch.testing.assert_close(block.shortcut(image(8)), wanted)  # linear: no activation yet
    torch.testing.assert_close(block(image(8)), wanted.relu())


def test_its_stride_is_in_the_3x3_convolution():
    block = seeded(lambda: Bottleneck(8, 4, stride=2), seed=0)
    strides = [block.reduce.conv.stride, block.spatial.conv.stride, block.restore.conv.stride]
    assert strides == [(1, 1), (2, 2), (1, 1)]


def test_it_is_its_layers_one_after_the_other():
    block = seeded(lambda: Bottleneck(16, 4), seed=0).eval()
    wanted = image(16) + block.restore(block.spatial(block.reduce(image(16))))
    torch.testing.assert_close(block(image(16)), wanted.relu())
    assert (block.restore(block.spatial(block.reduce(image(16)))) < 0).any()
