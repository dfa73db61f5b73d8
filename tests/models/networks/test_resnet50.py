import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import resnet50
from tests.models.networks.by_hand import Count, conv, counted, linear, norm_params


def stage(width, depth, side, c_in, side_in):
    """A stage: its first block brings the input to the new shape, the others add it as it is."""
    first = (
        conv(1, c_in, width, side_in)
        + conv(3, width, width, side)
        + conv(1, width, 4 * width, side)
        + conv(1, c_in, 4 * width, side)
    )
    other = conv(1, 4 * width, width, side) + conv(3, width, width, side)
    return first + (other + conv(1, width, 4 * width, side)) * (depth - 1)


STAGES = (
    stage(64, 3, 56, 64, 56),
    stage(128, 4, 28, 256, 56),
    stage(256, 6, 14, 512, 28),
    stage(512, 3, 7, 1024, 14),
)
WHOLE = sum(STAGES, start=Count(0, 0)) + conv(7, 3, 64, 112) + linear(2048, 1000)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-resnet50"].kind
    assert counted(skeleton("resnet50"), 224) == WHOLE == (kind.params, kind.macs)


def test_the_published_figures_come_out():
    model = skeleton("resnet50")
    params, macs = counted(model, 224)
    assert round((params - norm_params(model)) / 1e6, 3) == 25.504  # without batch norm
    assert params == 25_557_032  # with it, as every model zoo prints
    assert round(macs / 1e6, 1) == 4089.2


def test_it_has_fifty_layers_with_weights_on_the_longest_path():
    names = [
        name
        for name, module in skeleton("resnet50").named_modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)) and "shortcut" not in name
    ]
    assert len(names) == 50


def test_it_answers_at_a_small_resolution():
    model = build("resnet50", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="resnet50: classes must be a whole number, 1 or more"):
        resnet50(classes=0, seed=0)
