import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import vgg16
from tests.models.networks.by_hand import biased, counted, linear

CONVS = (
    biased(3, 3, 64, 224)
    + biased(3, 64, 64, 224)
    + biased(3, 64, 128, 112)
    + biased(3, 128, 128, 112)
    + biased(3, 128, 256, 56)
    + biased(3, 256, 256, 56) * 2
    + biased(3, 256, 512, 28)
    + biased(3, 512, 512, 28) * 2
    + biased(3, 512, 512, 14) * 3
)
LINEARS = linear(512 * 7 * 7, 4096) + linear(4096, 4096) + linear(4096, 1000)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-vgg16"].kind
    assert counted(skeleton("vgg16"), 224) == CONVS + LINEARS == (kind.params, kind.macs)


def test_the_published_figures_come_out():
    assert round((CONVS + LINEARS).params / 1e6, 2) == 138.36
    assert round(CONVS.macs / 1e6, 1) == 15_346.6  # the survey's 15300 counts convolutions alone
    assert round((CONVS + LINEARS).macs / 1e6, -1) == 15_470


def test_the_layers_have_the_papers_names():
    convs = [name for name, _ in skeleton("vgg16").named_children() if name.startswith("conv")]
    per_stage = [sum(name.startswith(f"conv{stage}_") for name in convs) for stage in range(1, 6)]
    assert per_stage == [2, 2, 3, 3, 3]


@pytest.mark.slow
def test_it_answers_with_finite_scores():
    model = build("vgg16", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (1, 10)
    assert y.isfinite().all()
    assert y.std() > 0.01


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="vgg16: classes must be a whole number, 1 or more"):
        vgg16(classes=-1, seed=0)
