"""The panels of lab 02 as its notebook calls them, without a browser."""

from math import isfinite

import pytest
import torch

from efficientdl.course.panels import lab_02
from efficientdl.course.panels import lab_02_subject as subject

pytestmark = pytest.mark.slow


def test_every_control_of_the_histogram_changes_the_view():
    panel = lab_02.histogram()
    for name, control in panel.controls.items():
        ends = [panel.set(**{name: end}) for end in control.extremes]
        assert str(ends[0]) != str(ends[1]), name
        panel.set(**{name: control.value})


def test_no_threshold_cuts_nothing_and_the_largest_leaves_one_weight():
    panel = lab_02.histogram()
    none, most = (panel.set(threshold=t) for t in (0, 100))
    assert "cuts 0 of the 18,432" in none.text
    assert f"Accuracy {subject.percent(subject.dense())}" in none.text
    assert "cuts 18,431 of the 18,432" in most.text


@pytest.mark.parametrize("threshold", [5, 30])
def test_threshold_cuts_what_is_smaller(threshold):
    view = lab_02.histogram().set(layer="conv2.conv", threshold=threshold)
    weight = subject.weights()["conv2.conv"]
    limit = float(weight.abs().max()) * threshold / 100
    small = weight.abs() < limit
    row = dict(zip(view.tables[0].head, view.tables[0].rows[0], strict=True))
    assert row["cut"] == int(small.sum())
    assert row["accuracy (%)"] == 100 * subject.accuracy({"conv2.conv": ~small})
    kept, dropped, *lines = view.figures[0].series
    assert sum(kept.counts) == int((~small).sum())
    assert sum(dropped.counts) == int(small.sum())
    assert [line.x for line in lines] == [-limit, limit]


PANELS = ["histogram", "sensitivity", "by_hand", "curve", "masks", "criteria"]


@pytest.mark.parametrize("name", PANELS)
def test_panels_need_no_argument_and_show_in_both_faces(name, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    panel = getattr(lab_02, name)()
    assert len(panel.controls) <= 3
    assert panel.live().view.status.text == panel.view.text
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    assert set(panel._repr_mimebundle_()) == {"text/plain"}
    view = panel.view
    assert all(figure.alt == view.text for figure in view.figures)
    assert all(figure.svg().startswith("<svg") for figure in view.figures)
    cells = [cell for table in view.tables for row in table.rows for cell in row]
    assert all(isfinite(cell) for cell in cells if isinstance(cell, int | float))


def test_everything_the_notebook_needs_is_here():
    assert all(callable(getattr(lab_02, name)) for name in lab_02.__all__)
    view = lab_02.groups(subject.network(), torch.zeros(1, 1, 28, 28))
    assert "4 groups" in view.text


def test_unknown_layer_is_refused():
    with pytest.raises(ValueError, match=r"did you mean 'conv1\.conv'"):
        lab_02.histogram().set(layer="conv1")
