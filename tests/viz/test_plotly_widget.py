"""The widget of a figure: what it sends is what plotly takes, and plotly.js itself once asked."""

import json
from dataclasses import replace

import pytest

from efficientdl.viz import Bars, plotly_widget
from efficientdl.viz.plotly_widget import LabFigure
from tests.viz import samples


@pytest.fixture
def sent(monkeypatch):
    """What goes to the page."""
    messages = []
    monkeypatch.setattr(
        LabFigure, "send", lambda _, content, buffers=None: messages.append((content, buffers))
    )
    return messages


def hear(widget, content):
    """A message from the page."""
    widget._handle_custom_msg(content, [])


@pytest.mark.parametrize("name", samples.ALL)
def test_what_goes_to_the_page_is_what_plotly_takes(name):
    figure = samples.ALL[name]
    state = json.loads(json.dumps(LabFigure(figure).get_state()["spec"]))
    made = figure.plotly()
    for mine, theirs in zip(state["data"], made.data, strict=True):
        assert mine["type"] == theirs.type
        for key in ("x", "y", "z"):
            if mine.get(key) is not None:
                assert json.loads(json.dumps(mine[key])) == _plain(theirs[key])
    assert state["layout"]["title"]["text"] == made.layout.title.text


def _plain(values):
    return [_plain(v) if hasattr(v, "__len__") and not isinstance(v, str) else v for v in values]


def test_it_becomes_another_figure_in_place():
    made = LabFigure(samples.STACK)
    other = replace(
        samples.STACK,
        title="Another",
        series=(Bars("weights", [7, 8, 9]), samples.STACK.series[1]),
    )
    made.show(other)
    assert list(made.spec["data"][0]["y"]) == [7, 8, 9]
    assert "Another" in made.spec["layout"]["title"]["text"]
    made.show(samples.LINES)
    assert made.spec == LabFigure(samples.LINES).spec


def test_the_page_gets_plotly_where_it_asks_and_not_before(sent):
    made = LabFigure(samples.BARS)
    made.show(samples.LINES)
    assert sent == []
    hear(made, {"ask": "plotly"})
    ((content, buffers),) = sent
    assert content == {"give": "plotly"}
    assert buffers[0][:60].startswith(b"/**\n* plotly.js v")


def test_what_a_figure_brings_with_it_is_small():
    """Each figure has code of its own, which the page must have read within two seconds."""
    made = LabFigure(samples.BARS)
    assert len(str(made._esm)) < 4000
    assert len(plotly_widget.library()) > 1_000_000


def test_a_click_is_heard_by_the_series_that_it_is_on(sent):
    made, heard = LabFigure(samples.LINES), []
    made.hear_clicks("one", heard.append)
    hear(made, {"click": "one", "point": 2})
    hear(made, {"click": "other", "point": 1})
    hear(made, {"click": "one", "point": None})
    hear(made, {"click": "one"})
    assert heard == [2]
    assert sent == []


def test_no_bar_of_buttons():
    assert "displayModeBar: false" in str(LabFigure(samples.BARS)._esm)
