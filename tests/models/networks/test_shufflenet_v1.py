from functools import partial

import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, outline, skeleton
from efficientdl.models.networks import shufflenet_v1
from efficientdl.models.networks.shufflenet_v1 import shufflenet_v1_layers
from tests.models.networks.by_hand import conv, counted, linear


def stage(c_in, c_out, depth, side, first_groups=3):
    """The paper's Figure 2: (c) once, which makes only the channels that are missing, then (b)."""
    mid = c_out // 4
    first = (
        conv(1, c_in, mid, 2 * side, groups=first_groups)
        + conv(3, mid, mid, side, groups=mid)
        + conv(1, mid, c_out - c_in, side, groups=3)
    )
    other = conv(1, c_out, mid, side, groups=3) + conv(3, mid, mid, side, groups=mid)
    return first + (other + conv(1, mid, c_out, side, groups=3)) * (depth - 1)


def by_hand(stem, two, three, four):
    return (
        conv(3, 3, stem, 112)
        + stage(stem, two, 4, 28, first_groups=1)
        + stage(two, three, 8, 14)
        + stage(three, four, 4, 7)
        + linear(four, 1000)
    )


WHOLE = by_hand(24, 360, 720, 1440)

# The authors' table of sizes, group = 3 (megvii-model/ShuffleNet-Series): width, MACs, parameters.
PUBLISHED = ((0.5, 38, 0.7), (1.0, 138, 1.9), (1.5, 292, 3.4), (2.0, 524, 5.4))


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-shufflenet-v1"].kind
    assert counted(skeleton("shufflenet_v1_150"), 224) == WHOLE == (kind.params, kind.macs)


def test_the_published_figures_come_out():
    params, macs = counted(skeleton("shufflenet_v1_150"), 224)
    assert round(params / 1e6, 1) == 3.4
    assert round(macs / 1e6) == 292


@pytest.mark.parametrize(("width", "macs", "params"), PUBLISHED)
def test_the_authors_table_of_sizes_comes_out(width, macs, params):
    ours = counted(outline(partial(shufflenet_v1_layers, 1000, width=width)), 224)
    # Half of the last printed digit and a tenth more: the table rounds some up, some down.
    assert abs(ours.macs / 1e6 - macs) < 0.6
    assert abs(ours.params / 1e6 - params) < 0.06


def test_it_answers_at_a_small_resolution():
    model = build("shufflenet_v1_150", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_width_that_the_paper_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"shufflenet_v1: width must be one of 0.5, 1.0, 1.5"):
        shufflenet_v1(width=1.2, seed=0)
