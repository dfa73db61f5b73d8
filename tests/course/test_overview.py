"""The table of the course adds up what was earned."""

from efficientdl.course import course_progress, store


def test_nothing_yet(course):
    text = course_progress().text
    assert text.startswith("0 of 100 points")
    assert text.count("not begun") == 3


def test_points_are_shares_of_cases_and_limits(course):
    store.remember("checks", "fx-conv-params", {"outcome": "correct", "best": 1.0})
    store.remember("checks", "fx-mask", {"outcome": "raised", "best": 0.5})
    store.remember("artefacts", "fx-bits", {"share": 0.5})
    card = course_progress()
    assert card.text.startswith("67 of 100 points")  # 40, 20, and 7.5 rounded down
    rows = {line.split("  ")[0]: line for line in card.text.splitlines()}
    assert rows["Count a convolution's weights"].split()[-4:] == ["right", "40", "of", "40"]
    assert "not right yet" in rows["Keep the largest weights"]
    assert rows["Give each layer its bits"].endswith("7 of 15")
    assert "read by a person" in rows["Why does it work?"]
    assert "<caption>Your way through the course</caption>" in card.html


def test_a_static_page_lists_what_was_begun(course, monkeypatch):
    store.remember("checks", "fx-mask", {"outcome": "partial", "best": 0.5})
    monkeypatch.setenv("EFFICIENTDL_UI", "static")
    lines = course_progress().text.splitlines()
    assert lines[0].startswith("20 of 40 points")
    assert len(lines) == 5
    assert lines[4].startswith("Keep the largest weights")
