"""The first look's panel, driven without a browser."""

import pytest

from efficientdl.course.panels.lab_00 import first_look

pytestmark = pytest.mark.slow


def test_every_slider_moves_picture_table_and_sentence(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "live")
    panel = first_look()
    live = panel.live()
    for name, extreme in (("zeros", 95), ("bits", 2), ("channels", 60)):
        before = (
            panel.view.text,
            str(panel.view.tables[0]),
            live.view.figures[0].spec["data"][0]["x"],
        )
        live.controls[name].set_state({"value": extreme})  # what a browser's message does
        after = (
            panel.view.text,
            str(panel.view.tables[0]),
            live.view.figures[0].spec["data"][0]["x"],
        )
        assert panel.state[name] == extreme
        assert all(old != new for old, new in zip(before, after, strict=True)), name
        assert live.view.status.text == panel.view.text


def test_static_face_tells_the_story_without_widgets(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    bundle = first_look()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert "times smaller" in bundle["text/plain"]
    assert len(bundle["text/html"]) < 60_000
