import pytest
import torch

from efficientdl.catalogue import catalogue
from efficientdl.models import build, skeleton
from efficientdl.models.networks import mobilenet_v3_large
from tests.models.networks.by_hand import Count, biased, conv, counted, linear


def block(side_in, c_in, kernel, hidden, c_out, squeezed, side):
    """A line of the paper's Table 1; the squeeze-and-excitation works on a single pixel."""
    expand = conv(1, c_in, hidden, side_in) if hidden != c_in else Count(0, 0)
    excite = Count(0, 0)
    if squeezed:
        excite = biased(1, hidden, squeezed, 1) + biased(1, squeezed, hidden, 1)
    depthwise = conv(kernel, hidden, hidden, side, groups=hidden)
    return expand + depthwise + excite + conv(1, hidden, c_out, side)


# Side in, input channels, kernel, expansion size, output channels, width of the squeeze (a
# quarter of the expansion size, to a multiple of 8), side out.
BLOCKS = (
    (112, 16, 3, 16, 16, 0, 112),
    (112, 16, 3, 64, 24, 0, 56),
    (56, 24, 3, 72, 24, 0, 56),
    (56, 24, 5, 72, 40, 24, 28),
    (28, 40, 5, 120, 40, 32, 28),
    (28, 40, 5, 120, 40, 32, 28),
    (28, 40, 3, 240, 80, 0, 14),
    (14, 80, 3, 200, 80, 0, 14),
    (14, 80, 3, 184, 80, 0, 14),
    (14, 80, 3, 184, 80, 0, 14),
    (14, 80, 3, 480, 112, 120, 14),
    (14, 112, 3, 672, 112, 168, 14),
    (14, 112, 5, 672, 160, 168, 7),
    (7, 160, 5, 960, 160, 240, 7),
    (7, 160, 5, 960, 160, 240, 7),
)
STEM = conv(3, 3, 16, 112)
HEAD = conv(1, 160, 960, 7) + linear(960, 1280) + linear(1280, 1000)
WHOLE = sum((block(*b) for b in BLOCKS), start=STEM + HEAD)


def test_counts_by_hand_by_torch_and_in_the_catalogue_agree():
    kind = catalogue["arch-mobilenet-v3"].kind
    assert counted(skeleton("mobilenet_v3_large"), 224) == WHOLE == (kind.params, kind.macs)


def test_the_authors_checkpoint_comes_out():
    params, macs = counted(skeleton("mobilenet_v3_large"), 224)
    assert round(macs / 1e6) == 217  # Google's table of checkpoints, "Large dm=1 (float)"
    assert int(params / 1e5) / 10 == 5.4  # which it cuts rather than rounds


def test_the_printed_macs_need_the_expansion_that_the_network_leaves_out():
    literal = WHOLE.macs + 16 * 16 * 112 * 112
    assert int(literal / 1e6) == 219
    assert round(100 * (WHOLE.macs / 219e6 - 1), 1) == -1.1  # percent, against the printed figure


def test_activations_are_those_of_the_papers_column_nl():
    kinds = [type(m) for m in skeleton("mobilenet_v3_large").modules()]
    # Blocks 1 to 6 have ReLU, and so has each of the eight squeeze-and-excitations, inside.
    assert kinds.count(torch.nn.ReLU) == 6 + 5 + 8
    assert kinds.count(torch.nn.Hardswish) == 1 + 2 * 9 + 1 + 1
    assert kinds.count(torch.nn.Hardsigmoid) == 8


def test_it_answers_at_a_small_resolution():
    model = build("mobilenet_v3_large", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_a_bad_number_of_classes_is_named():
    with pytest.raises(ValueError, match="mobilenet_v3_large: classes must be a whole number"):
        mobilenet_v3_large(classes=0, seed=0)
