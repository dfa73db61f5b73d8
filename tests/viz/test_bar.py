"""The notebook's bar says what the terminal's says, and comes only where a notebook is."""

import sys
from types import SimpleNamespace

import pytest

from efficientdl import progress as floor
from efficientdl.progress import progress
from efficientdl.viz.bar import WidgetBar, in_kernel, use_widgets


@pytest.fixture
def shown(monkeypatch):
    import IPython.display

    displayed = []
    monkeypatch.setattr(IPython.display, "display", displayed.append)
    return displayed


def test_bar_follows_the_work(shown):
    bar = WidgetBar("Training", 100)
    assert shown == [bar]
    bar.update(25, 5.0)
    assert (bar.widget.value, bar.widget.total) == (25, 100)
    assert bar.widget.text == "25 of 100, 15 s left"
    bar.close(100, 20.0)
    assert bar.widget.text == "100 of 100 in 20.0 s"
    assert bar._repr_mimebundle_()["text/plain"] == "Training: 100 of 100 in 20.0 s"


def test_bar_of_unknown_length_ends_full(shown):
    bar = WidgetBar("Reading", None)
    assert bar.widget.total == 0
    bar.close(7, 1.0)
    assert bar.widget.value == bar.widget.total == 7


def test_progress_drives_it(shown, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    monkeypatch.setattr(floor, "open_bar", WidgetBar)
    assert list(progress([1, 2, 3], "Counting")) == [1, 2, 3]
    assert shown[0].widget.value == 3


def test_only_a_live_kernel_gets_it(monkeypatch):
    monkeypatch.setattr(floor, "open_bar", None)
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    for shell, wanted in ((None, False), (SimpleNamespace(kernel=1), True)):
        here = SimpleNamespace(get_ipython=lambda shell=shell: shell)
        monkeypatch.setitem(sys.modules, "IPython", here)
        assert in_kernel() is wanted
        assert use_widgets() is wanted
    assert floor.open_bar is WidgetBar
    for mode in ("static", "silent"):
        monkeypatch.setenv("EFFICIENTDL_UI", mode)
        assert use_widgets() is False
