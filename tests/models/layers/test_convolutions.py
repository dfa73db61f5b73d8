import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d
from torch.utils.flop_counter import FlopCounterMode

from efficientdl.catalogue import catalogue
from efficientdl.models import outline, seeded
from efficientdl.models.layers import depthwise_conv, group_conv, pointwise_conv, standard_conv


def macs(make):
    """Half of what torch counts, on an 8 x 8 map."""
    conv = outline(make)
    with FlopCounterMode(display=False) as counter:
        conv(torch.empty(1, conv.in_channels, 8, 8, device="meta"))
    return counter.get_total_flops() // 2


def image(channels, seed=0):
    return torch.randn(2, channels, 7, 6, generator=torch.Generator().manual_seed(seed))


def test_with_one_group_it_is_the_standard_convolution():
    ours = seeded(lambda: group_conv(4, 6, groups=1), seed=0)
    plain = torch.nn.Conv2d(4, 6, 3, padding=1, bias=False)
    plain.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(image(4)), plain(image(4)), rtol=0, atol=0)


def test_a_group_convolution_is_several_small_ones_side_by_side():
    conv = seeded(lambda: group_conv(6, 9, kernel=5, groups=3, bias=True), seed=0)
    x = image(6)
    parts = zip(x.chunk(3, dim=1), conv.weight.chunk(3), conv.bias.chunk(3), strict=True)
    alone = [torch.nn.functional.conv2d(part, w, b, padding=2) for part, w, b in parts]
    torch.testing.assert_close(conv(x), torch.cat(alone, dim=1))


def test_a_pointwise_convolution_is_a_matrix_product_for_each_pixel():
    conv = seeded(lambda: pointwise_conv(5, 3), seed=0)
    x, weight = image(5).numpy(), conv.weight.detach().numpy()[:, :, 0, 0]
    wanted = np.einsum("oi,nihw->nohw", weight, x)
    # float32 sums of five products in another order
    np.testing.assert_allclose(conv(image(5)).detach().numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_a_depthwise_convolution_filters_each_channel_alone():
    conv = seeded(lambda: depthwise_conv(4), seed=0)
    x, weight = image(4), conv.weight.detach().numpy()
    wanted = [[correlate2d(x[n, c], weight[c, 0], mode="same") for c in range(4)] for n in (0, 1)]
    np.testing.assert_allclose(conv(x).detach().numpy(), wanted, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    kernel=st.sampled_from([1, 3, 5, 7]),
    groups=st.integers(1, 4),
    c_in=st.integers(1, 3),
    c_out=st.integers(1, 3),
)
def test_the_three_cost_ratios_are_exact(kernel, groups, c_in, c_out):
    c_in, c_out = groups * c_in, groups * c_out
    standard = macs(lambda: standard_conv(c_in, c_out, kernel))
    assert standard == 8 * 8 * kernel**2 * c_in * c_out
    assert standard == kernel**2 * macs(lambda: pointwise_conv(c_in, c_out))
    assert standard == groups * macs(lambda: group_conv(c_in, c_out, kernel=kernel, groups=groups))
    same = macs(lambda: standard_conv(c_in, c_in, kernel))
    assert same == c_in * macs(lambda: depthwise_conv(c_in, kernel=kernel))


def test_the_catalogue_says_the_same_ratio():
    kind = catalogue["conv-pointwise-group-depthwise"].kind
    dear = macs(lambda: standard_conv(8, 16))
    cheap = macs(lambda: group_conv(8, 16, **kind.options))
    assert dear / cheap == kind.mac_ratio(8, 16, **kind.options) == 4.0


@pytest.mark.parametrize("stride", [1, 2])
def test_padding_keeps_the_map_at_stride_1_and_halves_it_at_2(stride):
    for kernel in (1, 3, 5, 7):
        y = outline(lambda k=kernel: standard_conv(3, 4, k, stride=stride))(
            torch.empty(1, 3, 8, 8, device="meta")
        )
        assert y.shape[2:] == (8 // stride, 8 // stride)


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="group_conv: groups must divide c_in = 6, got 4"):
        group_conv(6, 8, groups=4)
    with pytest.raises(ValueError, match="group_conv: groups must divide c_out = 9, got 4"):
        group_conv(8, 9, groups=4)
    with pytest.raises(ValueError, match="group_conv: kernel must be odd"):
        standard_conv(8, 8, 4)
    with pytest.raises(ValueError, match="group_conv: groups must be a whole number, 1 or more"):
        depthwise_conv(0)
    with pytest.raises(ValueError, match="group_conv: groups must divide c_out = 8, got 3"):
        pointwise_conv(6, 8, groups=3)
