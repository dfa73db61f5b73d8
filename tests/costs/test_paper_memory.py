"""The numbers printed in Figures 9 and 10."""

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.costs import paper_running_bytes, paper_training_bytes


@pytest.mark.parametrize(
    ("name", "training", "running"),
    [
        ("resnet50", 88.4, 6.42),
        ("mobilenet_v2", 54.80, 5.60),
        ("mobilenet_v2_140", 626.4 / 8, None),
    ],
)
def test_figures_within_half_a_percent(name, training, running):
    model, x = models.skeleton(name), models.example(name, device="meta")
    assert paper_training_bytes(model, x) / 1e6 == pytest.approx(training, rel=0.005)
    if running is not None:
        assert paper_running_bytes(model, x) / 1e6 == pytest.approx(running, rel=0.005)


def test_the_fullest_moment_by_hand():
    model = nn.Sequential(nn.Conv2d(4, 8, 1, groups=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    x = torch.zeros(1, 4, 2, 2)
    # conv: 64 in, 128 out in two halves; batch norm: 64 kept, 128; ReLU: 64 + 128 kept, 128
    assert paper_training_bytes(model, x) == 64 + 128 + 128
    assert paper_running_bytes(model, x) == 64 + 128 // 2


def test_an_addition_needs_both_inputs():
    class Twice(nn.Module):
        def forward(self, x):
            return x + x.neg()

    assert paper_running_bytes(Twice(), torch.zeros(10)) == 80


def test_errors_say_what_to_pass():
    with pytest.raises(
        TypeError, match=r"paper_training_bytes: model must be a Module|parameter 'model'"
    ):
        paper_training_bytes(3, torch.zeros(1))
    with pytest.raises(
        TypeError, match=r"paper_running_bytes: x must be a Tensor or tuple|parameter 'x'"
    ):
        paper_running_bytes(nn.ReLU(), 3)
