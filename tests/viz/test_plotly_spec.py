"""The live face has the numbers of the table, the axes of the SVG, and their words."""

import re

import numpy as np
import pytest

from efficientdl.viz import Axis, Bars, Figure
from efficientdl.viz.frame import frame
from efficientdl.viz.plotly_spec import spec
from tests.viz import samples


def values(name):
    traces, _ = spec(samples.ALL[name])
    return traces


@pytest.mark.parametrize(("name", "along"), [("bars", "x"), ("log_bars", "y"), ("stack", "y")])
def test_bars_have_the_numbers_of_the_table(name, along):
    table = samples.ALL[name].table()
    drawn = [trace[along] for trace in values(name)]
    for i, numbers in enumerate(drawn):
        assert numbers == [row[1 + i] for row in table.rows]


def test_bins_have_the_numbers_of_the_table():
    rows = samples.HISTOGRAM.table().rows
    kept, dropped, _ = values("histogram")
    assert kept["y"] == [row[2] for row in rows]
    assert dropped["y"] == [row[3] for row in rows]
    assert dropped["base"] == kept["y"]
    np.testing.assert_allclose(kept["x"], [(row[0] + row[1]) / 2 for row in rows])


def test_marks_have_the_numbers_of_the_table():
    for name in ("lines", "bubbles"):
        traces = [t for t in values(name) if t.get("hoverinfo") == "text"]
        marks = [(x, y) for t in traces for x, y in zip(t["x"], t["y"], strict=True)]
        columns = [-2, -1] if name == "lines" else [2, 3]
        rows = [tuple(row[c] for c in columns) for row in samples.ALL[name].table().rows]
        assert marks == [row for row in rows if None not in row]


def test_cells_have_the_numbers_of_the_table():
    (cells,) = values("heatmap")
    assert cells["z"] == [list(row[1:]) for row in samples.HEATMAP.table().rows]


@pytest.mark.parametrize("name", samples.ALL)
def test_axes_are_those_of_the_svg(name):
    figure = samples.ALL[name]
    layout = frame(figure)
    _, drawn = spec(figure)
    for axis, scale in (("xaxis", layout.x), ("yaxis", layout.y)):
        ends = np.array([scale.low, scale.high])
        want = np.log10(ends) if scale.log else ends
        np.testing.assert_allclose(sorted(drawn[axis]["range"]), want)
        svg = figure.svg()
        assert all(f">{text}</text>" in svg for text in drawn[axis]["ticktext"])


def test_first_name_stands_at_the_top():
    _, drawn = spec(samples.BARS)
    assert drawn["yaxis"]["range"] == [2.5, -0.5]


def test_words_are_not_read_as_html():
    _, drawn = spec(samples.BARS)
    assert "VGG-16 &lt;wide&gt;" in drawn["yaxis"]["ticktext"]
    assert "VGG-16 &lt;wide&gt;" in values("bars")[0]["hovertext"][1]


def test_label_of_a_bar_that_fills_its_axis_stands_inside():
    bars = Bars("b", [50, 500], labels=["50 %", "500 %"])
    axis = Axis("Share", "%", low=0, high=120)
    figure = Figure("t", axis, Axis("", categories=("a", "b")), (bars,), alt="a")
    (trace,), _ = spec(figure)
    assert trace["textposition"] == ["outside", "inside"]
    (label,) = re.findall(r"<text([^>]*)>500 %</text>", figure.svg())
    assert 'text-anchor="end"' in label
    assert trace["x"] == [50, 500]


def test_pointer_tells_the_exact_number():
    assert "15,300" in values("log_bars")[0]["hovertext"][1]
    assert "parameters (M): 61" in values("bubbles")[0]["hovertext"][0]
