import torch
from torch import nn
from torch.nn.functional import conv2d

from efficientdl.models import seeded
from efficientdl.models.layers import conv_norm_activation, standard_conv


def image(seed=1):
    return 3 * torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(seed))


def test_training_it_normalizes_each_channel_before_the_activation():
    block = seeded(lambda: conv_norm_activation(standard_conv(3, 4), nn.ReLU6), seed=0)
    y = conv2d(image(), block.conv.weight, padding=1)
    mean = y.mean(dim=(0, 2, 3), keepdim=True)
    variance = y.var(dim=(0, 2, 3), keepdim=True, correction=0)
    wanted = ((y - mean) / (variance + 1e-5).sqrt()).clamp(0, 6)
    torch.testing.assert_close(block(image()), wanted)


def test_without_an_activation_it_is_linear():
    block = seeded(lambda: conv_norm_activation(standard_conv(3, 4), None), seed=0).eval()
    torch.testing.assert_close(block(-2 * image()), -2 * block(image()))
    assert [name for name, _ in block.named_children()] == ["conv", "norm"]
