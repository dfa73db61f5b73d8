"""Accuracy over cost, each network named."""

import pytest

from efficientdl.viz import Axis
from efficientdl.viz.figures import tradeoff
from efficientdl.viz.figures.tradeoff import Candidate

ZOO = [
    Candidate("VGG-16", 15300, 71.5, 138, "by hand"),
    Candidate("MobileNetV2", 300, 72.0, 3.5, "by hand"),
    Candidate("MnasNet", 312, 75.2, 3.9, "searched"),
]
COST = Axis("MACs", "M", log=True)


def test_groups_look_alike_and_networks_are_named():
    figure = tradeoff("Table 1", ZOO, cost=COST, area_label="parameters (M)")
    by_hand, searched = figure.series
    assert by_hand.labels == ("VGG-16", "MobileNetV2")
    assert searched.areas == (3.9,)
    assert figure.alt == (
        "MnasNet is the most accurate, 75.2 %; MobileNetV2 is the cheapest, at 72 %."
    )


def test_accuracy_axis_can_be_fixed():
    assert tradeoff("t", ZOO, cost=COST, limits={"low": 50, "high": 80}).y.high == 80


def test_errors():
    with pytest.raises(ValueError, match="tradeoff: candidates must not be empty"):
        tradeoff("t", [], cost=COST)
