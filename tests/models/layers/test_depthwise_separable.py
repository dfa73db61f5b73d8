import torch
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode

from efficientdl.models import outline, seeded
from efficientdl.models.layers import depthwise_separable


def test_it_is_one_filter_per_channel_and_then_a_mixture():
    block = seeded(lambda: depthwise_separable(4, 6, stride=2), seed=0).eval()
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    shrink = (1 + 1e-5) ** -0.5  # batch norm with the statistics that it starts from
    filtered = [
        conv2d(x[:, c : c + 1], block.depthwise.conv.weight[c : c + 1], stride=2, padding=1)
        for c in range(4)
    ]
    y = (shrink * torch.cat(filtered, dim=1)).relu()
    mixed = torch.einsum("oi,nihw->nohw", block.pointwise.conv.weight[:, :, 0, 0], y)
    torch.testing.assert_close(block(x), (shrink * mixed).relu())


def test_its_cost_is_the_papers_fraction_of_a_standard_convolution():
    block = outline(lambda: depthwise_separable(32, 64))
    with FlopCounterMode(display=False) as counter:
        block(torch.empty(1, 32, 10, 10, device="meta"))
    standard = 10 * 10 * 9 * 32 * 64
    assert counter.get_total_flops() // 2 == standard * (1 / 64 + 1 / 9)
