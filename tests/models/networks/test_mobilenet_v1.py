import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import mobilenet_v1
from tests.models.networks.by_hand import Count, conv, counted, linear

# The paper's Table 1: input channels, output channels, side of the output.
BLOCKS = (
    (32, 64, 112),
    (64, 128, 56),
    (128, 128, 56),
    (128, 256, 28),
    (256, 256, 28),
    (256, 512, 14),
    *[(512, 512, 14)] * 5,
    (512, 1024, 7),
    (1024, 1024, 7),
)
DEPTHWISE = sum((conv(3, i, i, side, groups=i) for i, _, side in BLOCKS), start=Count(0, 0))
POINTWISE = sum((conv(1, i, o, side) for i, o, side in BLOCKS), start=Count(0, 0))
WHOLE = DEPTHWISE + POINTWISE + conv(3, 3, 32, 112) + linear(1024, 1000)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-mobilenet-v1"].kind
    assert counted(skeleton("mobilenet_v1"), 224) == WHOLE == (kind.params, kind.macs)


def test_the_published_figures_come_out():
    params, macs = counted(skeleton("mobilenet_v1"), 224)
    assert round(params / 1e6, 1) == 4.2
    assert round(macs / 1e6) == 569


def test_the_papers_table_2_comes_out():
    assert round(100 * POINTWISE.macs / WHOLE.macs, 2) == 94.86
    assert round(100 * DEPTHWISE.macs / WHOLE.macs, 2) == 3.06


def test_it_answers_at_a_small_resolution():
    model = build("mobilenet_v1", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="mobilenet_v1: classes must be a whole number, 1 or"):
        mobilenet_v1(classes=0, seed=0)
