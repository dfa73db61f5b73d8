import torch
from torch.nn.functional import conv2d

from efficientdl.models import seeded
from efficientdl.models.layers import conv_activation, standard_conv


def test_it_is_a_convolution_cut_at_zero():
    block = seeded(lambda: conv_activation(standard_conv(3, 4, bias=True)), seed=0)
    x = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    wanted = conv2d(x, block.conv.weight, block.conv.bias, padding=1).clamp(min=0)
    torch.testing.assert_close(block(x), wanted)
    assert (wanted == 0).any()
