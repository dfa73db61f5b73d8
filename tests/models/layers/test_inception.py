import torch
from torch.nn.functional import conv2d, max_pool2d

from efficientdl.models import seeded
from efficientdl.models.layers import Inception, InceptionWidths


def test_it_stacks_four_looks_at_the_same_input():
    widths = InceptionWidths(2, 3, 4, 5, 6, 7)
    block = seeded(lambda: Inception(8, widths), seed=0)
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    three, five = block.branch3x3, block.branch5x5
    branches = [
        conv2d(x, block.branch1x1.conv.weight),
        conv2d(conv2d(x, three.reduce.conv.weight).relu(), three.spatial.conv.weight, padding=1),
        conv2d(conv2d(x, five.reduce.conv.weight).relu(), five.spatial.conv.weight, padding=2),
        conv2d(max_pool2d(x, 3, 1, 1), block.branch_pool.project.conv.weight),
    ]
    torch.testing.assert_close(block(x), torch.cat(branches, dim=1).relu())
    assert widths.c_out == 2 + 4 + 6 + 7
    assert five.spatial.conv.kernel_size == (5, 5)
