"""Plotly takes every figure, and a widget turns into another figure without being replaced."""

from dataclasses import replace

import pytest

from efficientdl.viz import Bars, plotly_face
from efficientdl.viz.plotly_spec import spec
from tests.viz import samples


@pytest.mark.parametrize("name", samples.ALL)
def test_plotly_takes_every_figure(name):
    made = samples.ALL[name].plotly()
    traces, layout = spec(samples.ALL[name])
    assert [trace.type for trace in made.data] == [trace["type"] for trace in traces]
    assert made.layout.title.text == layout["title"]["text"]


def test_widget_is_updated_in_place():
    made = plotly_face.widget(samples.STACK)
    first = made.data[0]
    other = replace(
        samples.STACK,
        title="Another",
        series=(Bars("weights", [7, 8, 9]), samples.STACK.series[1]),
    )
    plotly_face.update(made, other)
    assert made.data[0] is first
    assert list(first.y) == [7, 8, 9]
    assert "Another" in made.layout.title.text
    assert list(made.data[1].base) == [7, 8, 9]


def test_widget_takes_a_figure_of_another_kind():
    made = plotly_face.widget(samples.BARS)
    plotly_face.update(made, samples.LINES)
    assert [trace.type for trace in made.data] == ["scatter"] * 3
    assert list(made.data[0].y) == [1.0, 0.1, 0.01]


def test_updated_widget_equals_a_new_one():
    made = plotly_face.widget(samples.HISTOGRAM)
    for figure in (samples.LINES, samples.BUBBLES, samples.HISTOGRAM):
        plotly_face.update(made, figure)
        new = plotly_face.widget(figure)
        assert made.layout.to_plotly_json() == new.layout.to_plotly_json()
        for old, fresh in zip(made.data, new.data, strict=True):
            want = {**fresh.to_plotly_json(), "uid": None}
            assert {**old.to_plotly_json(), "uid": None} == want


def test_no_bar_of_buttons():
    assert plotly_face.widget(samples.BARS)._config["displayModeBar"] is False


def test_a_widget_opens_its_channel_with_its_data(monkeypatch: pytest.MonkeyPatch):
    seen = []
    from plotly import graph_objects

    monkeypatch.setattr(
        graph_objects.FigureWidget, "open", lambda made: seen.append(len(made._widget_data))
    )
    made = plotly_face.widget(samples.BARS)
    assert seen == [len(made.data)]
    assert seen[0] > 0
