"""The class page: whole, readable by ear, and never more than text where learners wrote."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.course.outcome import Kind
from efficientdl.grading.classroom.items import item_analysis
from efficientdl.grading.classroom.markup import percent
from efficientdl.grading.classroom.page import class_page
from efficientdl.grading.classroom.pictures import outcomes_figure, plane_figure, totals_figure
from efficientdl.grading.classroom.similarity import Flag, Line, Passage, Similarity, similar
from efficientdl.grading.report.style import DARK, LIGHT
from efficientdl.viz.palette import contrast
from tests.grading.classroom.invented import STUBS, a_marked_class, entry, task

VOID = {"meta", "img", "br"}
NASTY = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre></td></table><h1>x</h1>",
    "<!-- ", "]]>", "&lt;b&gt;&#x3c;", "'-alert(1)-'", "</style><style>*{display:none}",
    "a\u202egnp.exe", "\ud800", "\x00\x07\x1b[31m", "\u2028<b>", "javascript:alert(1)",
    "<svg/onload=alert(1)>", "{{7*7}}", "=cmd|' /C calc'!A0", "", " ", "x" * 5000, "١٢٣ نص",
]  # fmt: skip
KNOWN = {id: (stub,) for id, stub in STUBS.items()}


class Reader(HTMLParser):
    """Reads a page: its tags and attributes, its headings, and whether they nest."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.shapes, self.open, self.text = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.shapes.append((tag, tuple(name for name, _ in attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self.shapes.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError("the page has no comments")

    @property
    def said(self):
        return " ".join(" ".join(self.text).split())


def a_page(entries=None):
    entries = a_class() if entries is None else entries
    return class_page(entries, similar(entries, KNOWN), titles={"01_costs": "What it costs"})


def a_class():
    entries = a_marked_class(20, 4)
    entries.append({**entry(21, {}), "status": "refused", "score": None, "reason": "no notebook"})
    failed = {"status": "internal_error", "score": None, "reason": "ended with signal 9"}
    return [*entries, {**entry(22, {}), **failed}]


def hostile(text):
    """A class in which every field that a learner has a hand in holds this text."""
    tasks = [task("a", earned=0.0, outcome="raised", message=text), task("b", "B")]
    entries = [{**entry(i, {"a": text}, tasks), "place": f"{i}{text}", "learner": f"{text}{i}"}
               for i in range(6)]  # fmt: skip
    refused = {"status": "refused", "score": None, "reason": text, "place": text, "learner": text}
    lines = (Line(1, text, True), Line(2, text, False))
    flag = Flag("01_costs", text, text, (text, text), 0.9, 60.0, 1,
                (Passage("a", text, 60.0, lines, lines),))  # fmt: skip
    return class_page([*entries, refused], {"01_costs": Similarity((flag,), 6, 1, 50.0)})


def test_every_part_is_there():
    said = Reader(a_page()).said
    for part in ("Class report", "What it costs", "Totals", "What to look at", "Outcomes",
                 "How well each exercise tells apart", "Submissions to read side by side",
                 "Not graded", "How to read the figures"):  # fmt: skip
        assert part in said
    assert "22 learners" not in said
    assert re.search(r"learners 22 submissions 22", said)
    assert "1. learner-01 and learner-02" in said
    assert "learner-21/01_costs.ipynb learner-21 refused no notebook" in said
    assert "learner-22 the grader failed ended with signal 9" in said


def test_figures_and_words_are_those_of_the_analysis():
    entries = a_class()
    said = Reader(a_page(entries)).said
    for number, item in enumerate(item_analysis(entries[:20]), 1):
        row = f"{number}. {item.title} {item.n} {percent(item.attempted)} {percent(item.pass_rate)}"
        assert row in said
        assert item.reading in said


def test_nothing_runs_and_nothing_is_loaded():
    page = a_page()
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page
    assert "<script" not in page
    assert not re.search(r'(?:href|src|srcset|action|data|poster)="(?!data:image/svg|#)', page)
    assert not re.search(r" on\w+=", page)
    assert set(re.findall(r'src="(.{10})', page)) == {"data:image"}
    assert not re.search(r"url\(|@import", page)


def test_headings_go_down_one_step_at_a_time():
    tags = [tag for tag, _ in Reader(a_page()).shapes]
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_have_captions_and_headings_and_pictures_have_words():
    page = a_page()
    tables = re.findall(r"<table>.*?</table>", page, re.DOTALL)
    assert len(tables) >= 8
    for found in tables:
        assert found.startswith("<table><caption>")
        assert 'scope="col"' in found
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 3
    for image in images:
        assert re.search(r'alt="[^"]{40,}"', image)
    assert page.count("<summary>The same as a table</summary>") == 3


@pytest.mark.parametrize("text", NASTY)
def test_what_learners_write_stays_text(text):
    assert Reader(hostile(text)).shapes == Reader(hostile("x = 1")).shapes


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=60))
def test_any_text_stays_text(text):
    page = hostile(text)
    assert set(Reader(page).shapes) == set(Reader(hostile("x = 1")).shapes)
    page.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)


def test_same_bytes_every_time():
    assert a_page() == a_page()


def test_classes_without_anything():
    assert "Everything that was handed in was graded." in Reader(class_page([], {})).said
    one = [entry(1, {}, [task("a")])]
    said = Reader(a_page(one)).said
    assert "No pair of 1 submissions stands out." in said
    assert "too few to say more" in said
    bare = [{**entry(1, {}), "status": "refused", "score": None, "reason": ""}]
    assert "refused no reason given" in Reader(a_page(bare)).said


def test_the_best_submission_counts_and_the_page_says_so():
    again = {**entry(1, {}, [task("a", earned=0.0, outcome="raised")]), "place": "1/old.ipynb"}
    said = Reader(a_page([again, entry(1, {}, [task("a")])])).said
    assert "2 submissions of 1 learners: the best of each learner counts." in said


def test_two_labs_stand_apart():
    entries = [*a_marked_class(6, 1), entry(9, {}, [task("z", "Prune")], lab="02_pruning")]
    said = Reader(a_page(entries)).said
    assert said.index("What it costs Totals") < said.index("02_pruning Totals")


def test_a_task_that_the_grader_lost_is_listed():
    lost = task("a", "A lost one", earned=None, outcome="internal_error")
    said = Reader(a_page([entry(1, {}, [lost, task("b")])])).said
    assert "not graded whole A lost one" in said


def test_long_answers_are_cut_to_what_is_shared():
    lines = tuple(Line(i, f"line {i}", 100 <= i < 103) for i in range(1, 301))
    passage = Passage("a", "A", 9.0, lines, lines)
    flag = Flag("01_costs", "p", "q", ("l", "m"), 0.9, 9.0, 1, (passage,))
    entries = [entry(i, {}, [task("a")]) for i in range(3)]
    said = Reader(class_page(entries, {"01_costs": Similarity((flag,), 3, 1, 5.0)})).said
    assert "… 99 line 99 = 100 line 100" in said
    assert "line 98" not in said
    assert "line 105" not in said


def test_every_outcome_is_drawn_and_counted():
    tasks = [task("a", earned=None if kind is Kind.INTERNAL_ERROR else 0.0, outcome=kind.value)
             for kind in Kind]  # fmt: skip
    entries = [entry(i, {}, [one, task("b", "B")]) for i, one in enumerate(tasks)]
    items = item_analysis(entries)
    drawn = outcomes_figure(items).table()
    assert sum(drawn.rows[0][1:]) == len(Kind)
    assert Reader(a_page(entries))


def test_pictures_hold_the_numbers():
    counts = [row[2] for row in totals_figure([0.0, 0.05, 0.5, 0.99, 1.0]).table().rows]
    assert counts == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    items = item_analysis(a_marked_class(30, 2))
    placed = {row[1]: row[3] for row in plane_figure(items).table().rows if row[1]}
    named = {str(number): item.discrimination for number, item in enumerate(items, 1)}
    assert placed == {number: value for number, value in named.items() if value is not None}
    assert len(placed) >= 6
    assert plane_figure(item_analysis([entry(1, {}, [task("a")])])) is None


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_marked_lines_are_easy_to_read(colours):
    assert contrast(colours["ink"], colours["part-tint"]) >= 4.5
