"""Questions: buttons that answer, text where there are none."""

import pytest

from efficientdl.course.questions import Question, offer


def test_a_press_is_answered_and_announced():
    asked = Question("Which?", ["this", "that"], lambda o: f"You said <{o}>.", picked=None)
    assert [b.description for b in asked.buttons] == ["this", "that"]
    asked.buttons[1].click()
    assert "You said &lt;that&gt;." in asked.reply.value
    assert 'role="status"' in asked.reply.value


def test_an_earlier_choice_is_said():
    asked = Question("Which?", ["this"], str, picked="this")
    assert "You chose: this" in asked.reply.value
    assert "You chose" not in Question("Which?", ["this"], str, picked="old").reply.value


def test_an_error_is_shown_and_not_swallowed():
    def broken(_):
        raise RuntimeError("no room")

    asked = Question("Which?", ["this"], broken, picked=None)
    with pytest.raises(RuntimeError, match="no room"):
        asked._pick(asked.buttons[0])
    assert 'role="alert"' in asked.reply.value
    assert "no room" in asked.reply.value


def test_bundle_has_a_text_twin():
    bundle = Question("Which?", ["this"], str, picked=None)._repr_mimebundle_()
    assert bundle["text/plain"] == "Which?"
    assert "application/vnd.jupyter.widget-view+json" in bundle


@pytest.mark.parametrize(("mode", "last"), [("live", "Answer with `f()`."), ("static", "b. that")])
def test_text_where_nothing_can_be_pressed(mode, last, monkeypatch, capsys):
    monkeypatch.setenv("EFFICIENTDL_UI", mode)
    offer("Which?", ["this", "that"], str, picked=None, how="f()")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Which?", "a. this"]
    assert lines[-1] == last
