import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import alexnet
from tests.models.networks.by_hand import biased, counted, linear

CONVS = (
    biased(11, 3, 96, 55)
    + biased(5, 96, 256, 27, groups=2)
    + biased(3, 256, 384, 13)
    + biased(3, 384, 384, 13, groups=2)
    + biased(3, 384, 256, 13, groups=2)
)
LINEARS = linear(256 * 6 * 6, 4096) + linear(4096, 4096) + linear(4096, 1000)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-alexnet"].kind
    assert counted(skeleton("alexnet"), 227) == CONVS + LINEARS == (kind.params, kind.macs)


def test_the_published_figures_come_out():
    params, macs = counted(skeleton("alexnet"), 227)
    assert round(params / 1e6, 2) == 60.97
    assert round(macs / 1e6, 1) == 724.4
    assert round(macs / 1e6, -1) == 720  # the survey's two digits


def test_the_docstring_shares_are_right():
    assert round(100 * LINEARS.params / (CONVS + LINEARS).params) == 96
    assert round(100 * CONVS.macs / (CONVS + LINEARS).macs) == 92


@pytest.mark.slow
def test_it_answers_with_finite_scores():
    model = build("alexnet", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 227, 227, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()
    assert y.std() > 0.01


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="alexnet: classes must be a whole number, 1 or more"):
        alexnet(classes=0, seed=0)
