import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import googlenet
from tests.models.networks.by_hand import Count, biased, counted, linear


def inception(side, c_in, one, three_reduce, three, five_reduce, five, pool):
    return (
        biased(1, c_in, one, side)
        + biased(1, c_in, three_reduce, side)
        + biased(3, three_reduce, three, side)
        + biased(1, c_in, five_reduce, side)
        + biased(5, five_reduce, five, side)
        + biased(1, c_in, pool, side)
    )


# The paper's Table 1; the input channels are its column "output size" of the line before.
INCEPTIONS = (
    inception(28, 192, 64, 96, 128, 16, 32, 32),
    inception(28, 256, 128, 128, 192, 32, 96, 64),
    inception(14, 480, 192, 96, 208, 16, 48, 64),
    inception(14, 512, 160, 112, 224, 24, 64, 64),
    inception(14, 512, 128, 128, 256, 24, 64, 64),
    inception(14, 512, 112, 144, 288, 32, 64, 64),
    inception(14, 528, 256, 160, 320, 32, 128, 128),
    inception(7, 832, 256, 160, 320, 32, 128, 128),
    inception(7, 832, 384, 192, 384, 48, 128, 128),
)
STEM = biased(7, 3, 64, 112) + biased(1, 64, 64, 56) + biased(3, 64, 192, 56)
WHOLE = sum(INCEPTIONS, start=Count(0, 0)) + STEM + linear(1024, 1000)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-googlenet"].kind
    assert counted(skeleton("googlenet"), 224) == WHOLE == (kind.params, kind.macs)


def test_the_published_figures_do_not_come_out_and_by_how_much():
    params, macs = counted(skeleton("googlenet"), 224)
    assert (round(params / 1e6, 3), round(macs / 1e6, 1)) == (6.999, 1582.7)
    assert round(100 * (params / 6.8e6 - 1), 1) == 2.9  # percent above the survey's
    assert round(100 * (macs / 1550e6 - 1), 1) == 2.1


def test_it_answers_at_a_small_resolution():
    model = build("googlenet", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="googlenet: classes must be a whole number, 1 or more"):
        googlenet(classes=0, seed=0)
