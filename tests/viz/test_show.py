"""Figures are shown where a notebook looks, printed elsewhere, and not at all in grading."""

import sys
from types import SimpleNamespace

import pytest

from efficientdl.viz import View, show
from tests.viz import samples


def test_outside_a_notebook_the_words_are_printed(monkeypatch, capsys):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    monkeypatch.setitem(sys.modules, "IPython", None)
    show(samples.BARS)
    printed = capsys.readouterr().out
    assert samples.BARS.alt in printed
    assert "528" in printed


def test_in_a_notebook_it_is_displayed(monkeypatch):
    import IPython.display

    displayed = []
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    show(samples.BARS, samples.LINES, text="Both.")
    assert displayed == [View((samples.BARS, samples.LINES), None, "Both.")]


def test_grading_shows_nothing(monkeypatch, capsys):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    show(samples.BARS)
    assert capsys.readouterr().out == ""


def test_errors(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    with pytest.raises(ValueError, match="show: figures must be at least one"):
        show()
    with pytest.raises(TypeError, match="show: figures must be a Figure"):
        show("a picture")
