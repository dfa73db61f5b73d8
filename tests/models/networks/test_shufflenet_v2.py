from functools import partial

import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, outline, skeleton
from efficientdl.models.networks import shufflenet_v2
from efficientdl.models.networks.shufflenet_v2 import shufflenet_v2_layers
from tests.models.networks.by_hand import conv, counted, linear


def stage(c_in, c_out, depth, side):
    """The paper's Figure 3: (d) once, with two branches, then (c), which works on one half."""
    half = c_out // 2
    left = conv(3, c_in, c_in, side, groups=c_in) + conv(1, c_in, half, side)
    middle = conv(3, half, half, side, groups=half) + conv(1, half, half, side)
    right = conv(1, c_in, half, 2 * side) + middle
    return left + right + (conv(1, half, half, side) + middle) * (depth - 1)


def by_hand(two, three, four, last):
    return (
        conv(3, 3, 24, 112)
        + stage(24, two, 4, 28)
        + stage(two, three, 8, 14)
        + stage(three, four, 4, 7)
        + conv(1, four, last, 7)
        + linear(last, 1000)
    )


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-shufflenet-v2"].kind
    hand = by_hand(176, 352, 704, 1024)
    assert counted(skeleton("shufflenet_v2_150"), 224) == hand == (kind.params, kind.macs)
    assert counted(skeleton("shufflenet_v2_200"), 224) == by_hand(244, 488, 976, 2048)


def test_the_published_parameters_come_out_and_the_macs_do_not():
    params, macs = counted(skeleton("shufflenet_v2_150"), 224)
    assert (round(params / 1e6, 3), round(macs / 1e6, 1)) == (3.504, 295.8)
    assert round(100 * (macs / 299e6 - 1), 1) == -1.1  # percent, against the survey's
    params, macs = counted(skeleton("shufflenet_v2_200"), 224)
    assert (round(params / 1e6, 3), round(macs / 1e6, 1)) == (7.394, 583.3)
    assert round(100 * (macs / 591e6 - 1), 1) == -1.3


@pytest.mark.parametrize(("width", "per_element", "printed"), [(150, 1, 299), (200, 2, 591)])
def test_counting_batch_norm_gives_the_printed_macs(width, per_element, printed):
    # One operation for each element at one width, two at the other, as the docstring says.
    model, elements = skeleton(f"shufflenet_v2_{width}"), []
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(lambda m, x, y: elements.append(y.numel()))
    macs = counted(model, 224).macs + per_element * sum(elements)
    assert round(macs / 1e6) == printed


@pytest.mark.parametrize(("width", "params"), [(0.5, 1.4), (1.0, 2.3), (1.5, 3.5), (2.0, 7.4)])
def test_the_authors_table_of_sizes_comes_out(width, params):
    model = outline(partial(shufflenet_v2_layers, 1000, width=width))
    assert round(counted(model, 224).params / 1e6, 1) == params


def test_it_answers_at_a_small_resolution():
    model = build("shufflenet_v2_150", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_width_that_the_paper_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"shufflenet_v2: width must be one of 0.5, 1.0, 1.5"):
        shufflenet_v2(width=3, seed=0)
