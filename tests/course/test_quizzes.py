"""A quiz answers at once, with the reason."""

import pytest

from efficientdl.course import quiz, store

OPTIONS = {"One addition": "There is a product too.", "Both": "A product and a sum."}


def ask(**more):
    quiz("mac", "What is a MAC?", OPTIONS, "Both", **more)


def test_right_and_wrong_are_explained(course, capsys):
    ask(choice="One addition")
    ask(choice="Both")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Not right: One addition. There is a product too."
    assert lines[3] == "Right: Both. A product and a sum."
    assert store.recall("quizzes", "mac") == {"choice": "Both", "right": True, "tries": 2}


def test_static_page_gives_every_reason(course, capsys, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    ask()
    assert capsys.readouterr().out.splitlines() == [
        "What is a MAC?",
        "a. One addition: wrong. There is a product too.",
        "b. Both: right. A product and a sum.",
    ]


def test_live_page_gives_no_answer_away(course, capsys):
    ask()
    out = capsys.readouterr().out
    assert "a. One addition" in out
    assert "product" not in out


@pytest.mark.parametrize(
    ("options", "answer", "said"),
    [
        ({"one": "x"}, "one", "quiz: options must be two or more"),
        (OPTIONS, "Neither", "quiz: answer must be one of One addition, Both, got 'Neither'"),
    ],
)
def test_rules(course, options, answer, said):
    with pytest.raises(ValueError, match=said):
        quiz("mac", "What is a MAC?", options, answer)


def test_choice_must_be_an_option(course):
    with pytest.raises(ValueError, match="quiz: choice must be one of"):
        ask(choice="Neither")
