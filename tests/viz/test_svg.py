"""The SVG is well formed, names itself, repeats to the byte, and draws to scale."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from efficientdl.viz import Axis, Bars, Figure
from efficientdl.viz.frame import frame
from efficientdl.viz.palette import STYLES
from tests.viz import samples

SVG = "{http://www.w3.org/2000/svg}"


def parsed(figure):
    return ElementTree.fromstring(figure.svg())


@pytest.mark.parametrize("name", samples.ALL)
def test_document_names_itself(name):
    root = parsed(samples.ALL[name])
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == samples.ALL[name].title
    assert root[1].tag == f"{SVG}desc"
    assert root[1].text == samples.ALL[name].alt


@pytest.mark.parametrize("name", samples.ALL)
def test_same_figure_same_bytes_and_no_nan(name):
    svg = samples.ALL[name].svg()
    assert svg == samples.ALL[name].svg()
    assert not re.search(r"\bnan\b|\binf\b|None", svg)
    assert len(svg) < 8_000


@pytest.mark.parametrize("name", samples.ALL)
def test_everything_stands_inside_the_picture(name):
    figure = samples.ALL[name]
    for element in parsed(figure).iter():
        for side, most in (("x", figure.width), ("y", figure.height)):
            if element.get(side):
                assert 0 <= float(element.get(side)) <= most


def bars_of(figure, axis):
    """Lengths of the drawn bars of the first series."""
    rects = [r for r in parsed(figure).iter(f"{SVG}rect") if r.get("fill") == STYLES[0].colour]
    legend = 1 if len(figure.styled()) > 1 else 0
    return [float(r.get(axis)) for r in rects[: len(rects) - legend]]


def test_lengths_of_bars_are_their_values():
    lengths = np.array(bars_of(samples.BARS, "width"))
    # Coordinates are rounded to a tenth of a pixel, so each end is off by 0.05 at most.
    np.testing.assert_allclose(lengths / lengths[1], np.array([240, 528, 14]) / 528, atol=2e-3)


def test_log_bars_grow_by_equal_steps():
    values = Bars("b", [10, 100, 1000])
    names = Axis("", categories=("a", "b", "c"))
    heights = bars_of(Figure("t", names, Axis("y", log=True), (values,), alt="a"), "height")
    np.testing.assert_allclose(np.diff(heights), np.diff(heights)[:1].repeat(2), atol=0.2)


def test_a_curve_goes_through_its_points():
    layout = frame(samples.LINES)
    path = next(
        p.get("d") for p in parsed(samples.LINES).iter(f"{SVG}path") if p.get("stroke-width") == "2"
    )
    drawn = np.array(re.findall(r"-?[\d.]+", path), dtype=float).reshape(-1, 2)
    want = [(layout.x.px(x), layout.y.px(y)) for x, y in ((0, 1.0), (1, 0.1), (2, 0.01))]
    np.testing.assert_allclose(drawn, want, atol=0.051)  # to a tenth of a pixel


def test_every_hatch_that_is_used_is_there():
    for figure in samples.ALL.values():
        svg = figure.svg()
        assert set(re.findall(r"url\(#(\w+)\)", svg)) == set(re.findall(r' id="(\w+)"', svg))


def test_two_figures_on_one_page_share_no_id():
    ids = [set(re.findall(r' id="(\w+)"', f.svg())) for f in (samples.BARS, samples.STACK)]
    assert ids[0]
    assert ids[1]
    assert not ids[0] & ids[1]


def test_series_differ_in_more_than_colour():
    svg = samples.LINES.svg()
    assert svg.count("stroke-dasharray") >= 3  # the second line, its key, the line of reference
    assert "url(#" in samples.BARS.svg()


def test_numbers_stand_in_the_cells():
    texts = [t.text for t in parsed(samples.HEATMAP).iter(f"{SVG}text")]
    assert {"90", "10", "5", "95"} <= set(texts)
