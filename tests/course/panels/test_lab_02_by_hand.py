"""Pruning by hand: what the panel remembers, and what it adds up."""

import pytest
import torch

from efficientdl import models
from efficientdl.compression.pruning import prune
from efficientdl.course.panels import lab_02_subject as subject
from efficientdl.course.panels.lab_02_by_hand import by_hand
from efficientdl.course.panels.lab_02_subject import LAYERS

pytestmark = pytest.mark.slow


def test_without_zeros_it_is_the_dense_network():
    panel = by_hand()
    for layer in LAYERS:
        panel.set(layer=layer)
        panel.set(sparsity=0)
    assert panel.sparsity == dict.fromkeys(LAYERS, 0)
    assert "57,296 of 57,296 weights stay" in panel.view.text
    assert f"Accuracy {subject.percent(subject.dense())}" in panel.view.text


def test_its_ratios_are_what_prune_takes():
    panel = by_hand()
    for layer, zeros in zip(LAYERS, (0, 50, 85, 90, 70), strict=True):
        panel.set(layer=layer)
        panel.set(sparsity=zeros)
    model = models.trained("small_cnn_fashion")
    pruned = prune(model, torch.zeros(1, 1, 28, 28), sparsity=panel.sparsity).model
    kept = {n: int(pruned.get_parameter(f"{n}.weight").count_nonzero()) for n in LAYERS}
    rows = {row[0]: row for row in panel.view.tables[0].rows}
    assert {name: rows[name][3] for name in LAYERS} == kept
    assert rows["all"][3] == sum(kept.values())
    assert f"Accuracy {subject.percent(subject.accuracy_of(pruned))}" in panel.view.text
    bars = panel.view.figures[0].series
    assert list(bars[0].values) == list(kept.values())
    assert [a + b for a, b in zip(bars[0].values, bars[1].values, strict=True)] == [
        w.numel() for w in subject.weights().values()
    ]


def test_a_layer_comes_back_with_its_own_ratio():
    panel = by_hand()
    panel.set(sparsity=10)
    panel.set(layer="conv3.conv")
    assert panel.state["sparsity"] == 80
    panel.set(sparsity=95)
    panel.set(layer="conv1.conv")
    assert panel.state["sparsity"] == 10
    assert panel.sparsity["conv3.conv"] == 0.95


def test_a_setting_seen_before_is_drawn_anew_when_other_layers_changed():
    panel = by_hand()
    before = panel.set(layer="conv2.conv").text
    panel.set(layer="conv4.conv")
    panel.set(sparsity=95)
    assert panel.set(layer="conv2.conv").text != before
    assert panel.state["sparsity"] == 80


@pytest.mark.parametrize(
    ("budget", "says"), [(15, "over the budget of 15 %"), (20, "within the budget of 20 %")]
)
def test_the_budget_is_a_share_of_all_weights(budget, says):
    view = by_hand().set(budget=budget)
    assert says in view.text
    row = view.tables[0].rows[-1]
    assert row == ("budget", 57_296, 100 - budget, 57_296 * budget // 100)


def test_a_browser_s_choice_of_layer_moves_the_slider(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    panel = by_hand()
    live = panel.live()
    live.controls["sparsity"].set_state({"value": 30})  # what a browser's message does
    live.controls["layer"].set_state({"value": 3})
    assert panel.state == {"layer": "conv4.conv", "sparsity": 80, "budget": 20}
    assert live.controls["sparsity"].value == 80
    live.controls["layer"].set_state({"value": 0})
    assert live.controls["sparsity"].value == 30
    assert live.view.status.text == panel.view.text


def test_what_is_no_layer_or_no_stop_leaves_everything_as_it_was():
    panel = by_hand()
    with pytest.raises(ValueError, match="Layer must be one of"):
        panel.set(layer="conv9")
    with pytest.raises(ValueError, match="must be a stop"):
        panel.set(sparsity=33)
    assert panel.sparsity == dict.fromkeys(LAYERS, 0.8)


def test_the_static_page_shows_other_ratios_of_the_first_layer(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    lines = by_hand().text().splitlines()[-2:]
    assert "Zeros in this layer = 0 %" in lines[0]
    assert f"{922 + 3686 + 3686 + 3136 + 144:,} of 57,296" in lines[0]
    assert "Zeros in this layer = 50 %" in lines[1]
    assert f"{922 + 3686 + 3686 + 3136 + 72:,} of 57,296" in lines[1]
