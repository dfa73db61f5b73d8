"""Costs by kind of layer."""

import pytest
import torch
from torch import nn

from efficientdl import models
from efficientdl.costs import KINDS, by_kind, count, kind_of
from efficientdl.report import Cost, Report


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(4, 8, 3), "conv"),
        (nn.Conv2d(4, 8, (1, 3)), "conv"),
        (nn.Conv2d(4, 8, 1), "pointwise"),
        (nn.Conv2d(4, 8, 3, groups=4), "depthwise"),
        (nn.Conv2d(4, 8, 1, groups=2), "grouped"),
        (nn.Conv2d(6, 6, 3, groups=3), "grouped"),
        (nn.ConvTranspose2d(4, 8, 2), "conv"),
        (nn.Linear(4, 8), "linear"),
        (nn.BatchNorm2d(4), "norm"),
        (nn.LayerNorm(4), "norm"),
        (nn.LSTM(4, 8), "recurrent"),
        (nn.ReLU(), None),
    ],
)
def test_kind_of_a_layer(layer, kind):
    assert kind_of(layer) == kind


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "shufflenet_v1_150"])
def test_kinds_add_up_to_the_whole(name):
    model = models.skeleton(name)
    report = count(model, models.example(name, device="meta"))
    kinds = by_kind(model, report)
    assert kinds.total == report.total
    assert list(kinds.rows) == [kind for kind in KINDS if kind in kinds.rows]


def test_resnet_is_convolutions_and_mobilenet_is_pointwise():
    def shares(name):
        model = models.skeleton(name)
        kinds = by_kind(model, count(model, models.example(name, device="meta")))
        return {kind: cost.macs / kinds.total.macs for kind, cost in kinds.rows.items()}

    resnet, mobilenet = shares("resnet50"), shares("mobilenet_v1")
    assert resnet["conv"] + resnet["pointwise"] > 0.99  # survey, section 2.5
    # Howard et al., MobileNets, 2017, Table 2, share of the MACs in percent
    printed = {"pointwise": 94.86, "depthwise": 3.06, "linear": 0.18}
    assert {kind: round(100 * mobilenet[kind], 2) for kind in printed} == printed


def test_products_outside_layers_are_attention():
    class Scores(nn.Module):
        def forward(self, x):
            return x @ x.transpose(1, 2)

    model = nn.Sequential(nn.Linear(4, 4), Scores())
    kinds = by_kind(model, count(model, torch.zeros(2, 3, 4)))
    assert kinds.rows["attention matmul"].macs == 2 * 3 * 3 * 4


def test_a_report_of_another_model_is_refused():
    with pytest.raises(ValueError, match="by_kind: row of report must be one of"):
        by_kind(nn.Sequential(nn.ReLU()), Report({"conv": Cost(macs=1)}))
