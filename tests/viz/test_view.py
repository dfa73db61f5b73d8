"""A view says the same in pictures, numbers and words; its static face needs no kernel."""

import re
from base64 import b64decode
from html import unescape
from xml.etree import ElementTree

import pytest

from efficientdl.viz import Table, View
from efficientdl.viz.view import picture
from tests.viz import samples

SENTENCE = "Pruning helps & hurts."


def view():
    return View((samples.BARS, samples.LINES), None, SENTENCE)


def test_picture_carries_its_svg_and_its_words():
    tag = picture(samples.BARS)
    (data,) = re.findall(r'base64,([^"]+)"', tag)
    assert b64decode(data).decode() == samples.BARS.svg()
    (alt,) = re.findall(r'alt="([^"]+)"', tag)
    assert unescape(alt) == f"{samples.BARS.title}. {samples.BARS.alt}"
    assert 'width="640" height="360"' in tag


def test_static_face(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    shown = view()._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert shown == view()._repr_mimebundle_()
    page = ElementTree.fromstring(f"<div>{shown['text/html']}</div>")
    assert len(page.findall(".//table/caption")) == 2
    assert page.find("p").text == SENTENCE
    assert len(shown["text/html"]) < 16_000
    assert SENTENCE in shown["text/plain"]
    assert "VGG-16 <wide>" in shown["text/plain"]


def test_a_figure_shows_itself_the_same_way(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    shown = samples.BARS._repr_mimebundle_()
    assert shown == View(samples.BARS, None, samples.BARS.alt)._repr_mimebundle_()


def test_grading_sees_text_alone(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    assert set(view()._repr_mimebundle_()) == {"text/plain"}


def test_live_face_is_a_widget_with_text(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    shown = view()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert SENTENCE in shown["text/plain"]


def test_own_table_stands_in_for_those_of_the_figures():
    own = Table("Own", ("n",), ((1,),))
    assert View(samples.BARS, own, "s").tables == (own,)
    assert View(samples.BARS, None, "s").tables == (samples.BARS.table(),)
    assert View(None, own, "s").figures == ()


def test_errors():
    with pytest.raises(ValueError, match="View: text must be a sentence"):
        View(None, None, " ")
    with pytest.raises(TypeError, match="View: figure must be a Figure"):
        View(["picture"], None, "s")
    with pytest.raises(TypeError, match="View: table must be a Table"):
        View(None, [[1]], "s")
