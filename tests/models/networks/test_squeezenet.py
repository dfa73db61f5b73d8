import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import squeezenet
from tests.models.networks.by_hand import Count, biased, counted


def fire(side, c_in, squeeze, expand):
    return (
        biased(1, c_in, squeeze, side)
        + biased(1, squeeze, expand, side)
        + biased(3, squeeze, expand, side)
    )


FIRES = (
    fire(55, 96, 16, 64),
    fire(55, 128, 16, 64),
    fire(55, 128, 32, 128),
    fire(27, 256, 32, 128),
    fire(27, 256, 48, 192),
    fire(27, 384, 48, 192),
    fire(27, 384, 64, 256),
    fire(13, 512, 64, 256),
)
# conv10 is padded by one on each side, so its map is 15 wide, not 13.
WHOLE = sum(FIRES, start=Count(0, 0)) + biased(7, 3, 96, 111) + biased(1, 512, 1000, 15)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-squeezenet"].kind
    assert counted(skeleton("squeezenet"), 227) == WHOLE == (kind.params, kind.macs)


def test_the_published_figures_come_out():
    params, macs = counted(skeleton("squeezenet"), 227)
    assert round(params / 1e6, 3) == 1.248
    assert round(macs / 1e6) == 861
    assert round(2 * macs / 1e9, 2) == 1.72  # operations: the authors' "1.72 GFLOPS/image"


def test_it_has_26_convolutions_and_no_linear_layer():
    modules = list(skeleton("squeezenet").modules())
    assert sum(isinstance(m, torch.nn.Conv2d) for m in modules) == 26  # the survey's section 2.5
    assert not any(isinstance(m, torch.nn.Linear) for m in modules)


def test_it_answers_at_a_small_resolution():
    model = build("squeezenet", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 63, 63, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="squeezenet: classes must be a whole number, 1 or more"):
        squeezenet(classes=0, seed=0)
