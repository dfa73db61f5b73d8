"""Predictions are stored, and set beside what came out."""

import pytest

from efficientdl.course import compare, predict, store

OPTIONS = ["3 by 3", "5 by 5"]


def said(capsys):
    return capsys.readouterr().out.splitlines()


def test_predict_then_compare(course, capsys):
    predict("size", "Which is larger?", OPTIONS, choice="3 by 3")
    assert said(capsys) == ["Which is larger?", "Stored. You predict: 3 by 3"]
    compare("size", "5 by 5", "25 is more than 9.")
    assert said(capsys) == [
        "You predicted: 3 by 3",
        "It came out: 5 by 5",
        "You expected another.",
        "25 is more than 9.",
    ]
    predict("size", "Which is larger?", OPTIONS, choice="5 by 5")
    compare("size", "5 by 5", "So.")
    assert "That is as you predicted." in said(capsys)


def test_compare_without_a_prediction(course, capsys):
    compare("size", "5 by 5", "So.")
    assert said(capsys) == ["No prediction was stored.", "It came out: 5 by 5", "So."]


def test_static_output_does_not_depend_on_the_learner(course, capsys, monkeypatch):
    predict("size", "Which?", OPTIONS, choice="3 by 3")
    said(capsys)
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    predict("size", "Which?", OPTIONS)
    compare("size", "5 by 5", "So.")
    assert said(capsys) == [
        "Which?",
        "a. 3 by 3",
        "b. 5 by 5",
        "No prediction was stored.",
        "It came out: 5 by 5",
        "So.",
    ]


def test_a_button_stores_the_prediction(course, monkeypatch):
    shown = []
    monkeypatch.setattr("efficientdl.course.cards.in_notebook", lambda: True)
    monkeypatch.setattr("efficientdl.course.cards.show", shown.append)
    predict("size", "Which?", OPTIONS)
    shown[0].buttons[1].click()
    assert store.recall("predictions", "size")["choice"] == "5 by 5"
    predict("size", "Which?", OPTIONS)
    assert "You chose: 5 by 5" in shown[1].reply.value


@pytest.mark.parametrize("options", [["one"], [], ["same", "same"]])
def test_options_must_differ(course, options):
    with pytest.raises(ValueError, match="predict: options must be two or more, all different"):
        predict("size", "Which?", options)


def test_choices_that_are_no_options(course):
    with pytest.raises(ValueError, match="predict: choice must be one of 3 by 3, 5 by 5, got '7'"):
        predict("size", "Which?", OPTIONS, choice="7")
    predict("size", "Which?", OPTIONS, choice="5 by 5")
    with pytest.raises(ValueError, match="compare: outcome must be one of"):
        compare("size", "7 by 7", "So.")
