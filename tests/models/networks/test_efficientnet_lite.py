"""EfficientNet-Lite0: the paper's table by hand, and the package that released it in torch."""

import pytest
import torch
from torch import nn

from efficientdl.models import build, skeleton
from efficientdl.models.networks import efficientnet_lite0
from tests.models.networks.by_hand import Count, conv, counted, linear


def block(c_in, c_out, t, kernel, side_in, side):
    hidden = t * c_in
    expand = conv(1, c_in, hidden, side_in) if t > 1 else Count(0, 0)
    filtered = conv(kernel, hidden, hidden, side, groups=hidden)
    return expand + filtered + conv(1, hidden, c_out, side)


# EfficientNet's Table 1 written out: channels in and out, expansion, kernel, side in and out.
BLOCKS = (
    (32, 16, 1, 3, 112, 112),
    (16, 24, 6, 3, 112, 56),
    (24, 24, 6, 3, 56, 56),
    (24, 40, 6, 5, 56, 28),
    (40, 40, 6, 5, 28, 28),
    (40, 80, 6, 3, 28, 14),
    *[(80, 80, 6, 3, 14, 14)] * 2,
    (80, 112, 6, 5, 14, 14),
    *[(112, 112, 6, 5, 14, 14)] * 2,
    (112, 192, 6, 5, 14, 7),
    *[(192, 192, 6, 5, 7, 7)] * 3,
    (192, 320, 6, 3, 7, 7),
)
ENDS = conv(3, 3, 32, 112) + conv(1, 320, 1280, 7) + linear(1280, 1000)
WHOLE = sum((block(*b) for b in BLOCKS), start=Count(0, 0)) + ENDS


def test_counts_by_hand_and_by_torch_agree():
    assert counted(skeleton("efficientnet_lite0"), 224) == WHOLE


def test_parameters_are_those_of_the_release():
    assert round(WHOLE.params / 1e6, 1) == 4.7  # the table of TensorFlow's release


def test_every_activation_is_relu6_and_there_is_no_squeeze_and_excitation():
    kinds = [type(m) for m in skeleton("efficientnet_lite0").modules()]
    assert kinds.count(nn.ReLU6) == 1 + 15 + 16 + 1  # stem, expansions, depthwise, last
    assert not {nn.ReLU, nn.Hardswish, nn.SiLU, nn.Sigmoid, nn.Hardsigmoid} & set(kinds)


def test_batch_norm_and_dropout_are_as_released():
    modules = list(skeleton("efficientnet_lite0").modules())
    norms = [m for m in modules if isinstance(m, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}
    assert [m.p for m in modules if isinstance(m, nn.Dropout)] == [0.2]


def test_the_other_implementation_has_the_same_layers_in_the_same_order():
    theirs = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch is not installed"
    )
    with torch.device("meta"):
        reference = theirs.EfficientNet.from_name("efficientnet-lite0")
    ours = skeleton("efficientnet_lite0").state_dict().values()
    wanted = reference.state_dict().values()
    assert [tuple(t.shape) for t in ours] == [tuple(t.shape) for t in wanted]


def test_it_answers_at_a_small_resolution():
    model = build("efficientnet_lite0", seed=0, classes=10).eval()
    with torch.no_grad():
        y = model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (2, 10)
    assert y.isfinite().all()


def test_no_class_is_refused():
    with pytest.raises(ValueError, match="efficientnet_lite0: classes must be a whole number"):
        efficientnet_lite0(classes=0, seed=0)
