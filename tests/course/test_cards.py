"""Messages as text and as HTML that is well formed."""

from xml.etree import ElementTree

import pytest

from efficientdl.course import cards


def test_message_has_both_forms():
    card = cards.message("correct: 8 of 8", "Run `hint(1 < 2)`.")
    assert str(card) == card.text == "correct: 8 of 8\nRun `hint(1 < 2)`."
    root = ElementTree.fromstring(card.html)
    assert root.get("role") == "status"
    assert [p.text for p in root.iter("p")] == ["correct: 8 of 8", "Run "]
    assert [c.text for c in root.iter("code")] == ["hint(1 < 2)"]
    assert card._repr_mimebundle_() == {"text/plain": card.text, "text/html": card.html}


def test_an_odd_backquote_stays():
    assert cards.paragraph("5 ` 6") == "<p>5 ` 6</p>"


def test_list_is_lettered_in_both_forms():
    card = cards.listed("Which?", ["a < b", "c"], "Choose.")
    assert card.text == "Which?\na. a < b\nb. c\nChoose."
    root = ElementTree.fromstring(card.html)
    assert [item.text for item in root.iter("li")] == ["a < b", "c"]


def test_table_html_has_caption_and_headings():
    html = cards.table_html("A case", [["inputs", "target"], ["x = 1", "1\n2"]])
    table = ElementTree.fromstring(html)
    assert table.findtext("caption") == "A case"
    assert [th.get("scope") for th in table.iter("th")] == ["col", "col", "row"]
    assert table.findtext(".//td/pre") == "1\n2"


def test_table_text_aligns_cells_of_several_lines():
    text = cards.table_text([["inputs", "target"], ["a\nb", "1\n2\n3"]])
    assert text.splitlines() == ["inputs  target", "------  ------", "a       1", "b       2",
                                 "        3"]  # fmt: skip


def test_show_prints_outside_a_notebook(capsys, monkeypatch):
    monkeypatch.delenv("EFFICIENTDL_UI", raising=False)
    cards.show(cards.message("one"))
    assert capsys.readouterr().out == "one\n"


def test_show_is_silent_in_grading(capsys, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    cards.show(cards.message("one"))
    assert capsys.readouterr().out == ""


def test_show_refuses_an_unknown_mode(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "loud")
    with pytest.raises(ValueError, match="EFFICIENTDL_UI must be one of live, static, silent"):
        cards.show(cards.message("one"))
