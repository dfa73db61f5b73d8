import torch
from torch.nn.functional import conv2d

from efficientdl.models import seeded
from efficientdl.models.layers import Fire


def test_it_squeezes_and_expands_on_two_sides():
    block = seeded(lambda: Fire(8, 3, 5), seed=0)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    thin = conv2d(x, block.squeeze.conv.weight).relu()
    one = conv2d(thin, block.expand1x1.conv.weight).relu()
    three = conv2d(thin, block.expand3x3.conv.weight, padding=1).relu()
    y = block(x)
    torch.testing.assert_close(y, torch.cat([one, three], dim=1))
    assert y.shape == (2, 10, 6, 6)
