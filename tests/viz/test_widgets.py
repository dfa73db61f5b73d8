"""The live controls: what the browser sends is checked, and the page names every input."""

import pytest
from traitlets import TraitError

from efficientdl.viz import Choice, Slider, Toggle
from efficientdl.viz.widgets import LabProgress, LabStatus

SLIDER = Slider("Sparsity", 0, 95, value=50, step=5, unit="%")


def test_slider_takes_what_the_browser_sends():
    widget = SLIDER.widget()
    widget.set_state({"value": 30})
    assert widget.chosen == 30
    assert type(widget.chosen) is int


@pytest.mark.parametrize(("sent", "kept"), [(9999, 95), (-5, 0), (33.3, 35)])
def test_slider_moves_strange_numbers_to_a_stop(sent, kept):
    widget = SLIDER.widget()
    widget.set_state({"value": sent})
    assert widget.chosen == kept


@pytest.mark.parametrize("sent", [float("nan"), float("inf"), "30", None, [1]])
def test_slider_refuses_what_is_no_number(sent):
    widget = SLIDER.widget()
    with pytest.raises(TraitError):
        widget.set_state({"value": sent})
    assert widget.chosen == 50


@pytest.mark.parametrize("sent", [2, -1, "vgg16", 0.5])
def test_choice_refuses_what_is_no_option(sent):
    widget = Choice("Network", ("resnet50", "vgg16"), value="vgg16").widget()
    with pytest.raises(TraitError):
        widget.set_state({"value": sent})
    assert widget.chosen == "vgg16"


def test_choice_and_toggle_take_what_the_browser_sends():
    choice = Choice("Batch", (1, 8, 64), value=8).widget()
    choice.set_state({"value": 2})
    assert choice.chosen == 64
    toggle = Toggle("Hold").widget()
    toggle.set_state({"value": True})
    assert toggle.chosen is True
    with pytest.raises(TraitError):
        toggle.set_state({"value": "yes"})


def test_controls_are_moved_from_python_by_their_own_values():
    choice = Choice("Batch", (1, 8, 64), value=8).widget()
    choice.choose(1)
    assert choice.value == 0
    with pytest.raises(ValueError, match="Batch must be one of 1, 8, 64"):
        choice.choose(2)


@pytest.mark.parametrize(
    "widget", [SLIDER.widget(), Choice("a", ("b",), value="b").widget(), Toggle("c").widget()]
)
def test_inputs_have_a_label_and_keep_their_keys(widget):
    assert "label.htmlFor = input.id" in widget._esm
    assert 'input.setAttribute("data-lm-suppress-shortcuts", "true")' in widget._esm
    assert widget.get_state()["label"] == widget.control.label


def test_only_a_slider_that_plays_asks_for_the_button():
    assert SLIDER.widget().get_state()["play_s"] == 0
    cycle = Slider("Cycle", 0, 9, value=0, play_s=0.5).widget()
    assert cycle.get_state()["play_s"] == 0.5
    assert 'if (model.get("play_s") <= 0) return;' in cycle._esm
    assert cycle._esm.count('setAttribute("data-lm-suppress-shortcuts", "true")') == 2


def test_roles_are_said():
    assert "aria-valuetext" in SLIDER.widget()._esm
    status = LabStatus()._esm
    assert 'part("status"' in status
    assert 'part("alert"' in status
    assert '"progressbar"' in LabProgress()._esm
    assert "innerHTML" not in status  # words from anywhere are shown as words
