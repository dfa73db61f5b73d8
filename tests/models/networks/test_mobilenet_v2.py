from functools import partial

import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, outline, skeleton
from efficientdl.models.networks import mobilenet_v2
from efficientdl.models.networks.mobilenet_v2 import mobilenet_v2_layers, scaled
from tests.models.networks.by_hand import Count, conv, counted, linear, norm_params


def block(c_in, c_out, t, side_in, side):
    hidden = t * c_in
    expand = conv(1, c_in, hidden, side_in) if t > 1 else Count(0, 0)
    return expand + conv(3, hidden, hidden, side, groups=hidden) + conv(1, hidden, c_out, side)


# The paper's Table 2, written out: input channels, output channels, t, side in, side out.
BLOCKS = (
    (32, 16, 1, 112, 112),
    (16, 24, 6, 112, 56),
    (24, 24, 6, 56, 56),
    (24, 32, 6, 56, 28),
    *[(32, 32, 6, 28, 28)] * 2,
    (32, 64, 6, 28, 14),
    *[(64, 64, 6, 14, 14)] * 3,
    (64, 96, 6, 14, 14),
    *[(96, 96, 6, 14, 14)] * 2,
    (96, 160, 6, 14, 7),
    *[(160, 160, 6, 7, 7)] * 2,
    (160, 320, 6, 7, 7),
)
ENDS = conv(3, 3, 32, 112) + conv(1, 320, 1280, 7) + linear(1280, 1000)
WHOLE = sum((block(*b) for b in BLOCKS), start=Count(0, 0)) + ENDS

# Google's table of checkpoints (tensorflow/models, slim): width, resolution, MACs and parameters
# without batch norm, both in millions. It counts the convolutions.
CHECKPOINTS = (
    (1.4, 224, 582, 6.06),
    (1.3, 224, 509, 5.34),
    (1.0, 224, 300, 3.47),
    (1.0, 192, 221, 3.47),
    (1.0, 160, 154, 3.47),
    (1.0, 128, 99, 3.47),
    (1.0, 96, 56, 3.47),
    (0.75, 224, 209, 2.61),
    (0.75, 160, 107, 2.61),
    (0.5, 224, 97, 1.95),
    (0.5, 128, 32, 1.95),
    (0.35, 224, 59, 1.66),
    (0.35, 96, 11, 1.66),
)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-mobilenet-v2"].kind
    assert counted(skeleton("mobilenet_v2"), 224) == WHOLE == (kind.params, kind.macs)


@pytest.mark.parametrize(("width", "side", "macs", "params"), CHECKPOINTS)
def test_the_authors_checkpoints_come_out(width, side, macs, params):
    model = outline(partial(mobilenet_v2_layers, 1000, width=width))
    ours = counted(model, side)
    assert round((ours.params - norm_params(model)) / 1e6, 2) == params
    assert abs(ours.macs / 1e6 - macs) < 1.0  # that table rounds some down, some up


def test_width_140_comes_out_as_released_and_not_as_printed():
    model = skeleton("mobilenet_v2_140")
    params, macs = counted(model, 224)
    params -= norm_params(model)
    assert (round(params / 1e6, 3), round(macs / 1e6, 1)) == (6.061, 582.2)
    assert round(100 * (params / 6.9e6 - 1)) == -12  # percent, against the survey's
    assert round(100 * (macs / 585e6 - 1), 1) == -0.5


def test_channels_are_rounded_as_the_authors_do():
    # The widths of the 1.4 network, as the released checkpoint has them.
    plain = (32, 16, 24, 32, 64, 96, 160, 320, 1280)
    assert [scaled(1.4 * c) for c in plain] == [48, 24, 32, 48, 88, 136, 224, 448, 1792]


def test_every_activation_is_relu6_and_no_projection_has_one():
    kinds = [type(m) for m in skeleton("mobilenet_v2").modules()]
    assert kinds.count(torch.nn.ReLU6) == 1 + 16 + 17 + 1  # stem, expansions, depthwise, last
    assert torch.nn.ReLU not in kinds


def test_it_answers_at_a_small_resolution():
    model = build("mobilenet_v2", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_bad_width_is_named():
    with pytest.raises(ValueError, match=r"mobilenet_v2: width must be in \[0.05, 10\], got 0"):
        mobilenet_v2(width=0, seed=0)
