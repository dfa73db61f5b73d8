"""The report: the same in both forms, nothing hidden in it, and anybody can read it."""

import dataclasses
import re
from itertools import pairwise

import nbformat
import pytest

from efficientdl import _check
from efficientdl.course.outcome import Kind
from efficientdl.grading.release import Release
from efficientdl.grading.report import html_report, markdown_report, style, words, write_report
from efficientdl.grading.report.asked import asked_html
from efficientdl.grading.report.html import POLICY
from efficientdl.grading.score import from_json, to_json
from efficientdl.viz.palette import contrast
from tests.grading.scores import INPUTS, SEED, Page, all_right, lab, mixed, names, score

EVERY = {"one": mixed, "two": lambda: mixed(4), "right": all_right}
FORMS = [html_report, markdown_report]


@pytest.mark.parametrize("made", EVERY)
@pytest.mark.parametrize("form", FORMS)
def test_says_every_title_outcome_and_points(made, form):
    found = EVERY[made]()
    text = form(found, lab())
    text = Page(text).text if form is html_report else text.replace("\\", "")
    assert "Lab 01: what a network costs" in text
    for number, task in enumerate(found.exercises, 1):
        after = text.split(f"{number}. {task.title}")[2]  # once in the overview, once on its own
        part = after.split(f"{number + 1}. ")[0]
        assert words.OUTCOMES[task.outcome].words in part
        assert words.points_text(task.earned, task.points) in part
        assert words.cases_text(task) in part
    for answer in found.written:
        assert answer.title in text
        assert "read by a person" in text


@pytest.mark.parametrize("form", FORMS)
def test_total_in_words(form):
    text = form(mixed(4), lab())
    text = " ".join(Page(text).text.split()) if form is html_report else text
    earned, points = mixed(4).earned, mixed(4).points
    assert points == 100 - mixed(4).ungraded < 100
    assert f"{words.number(earned)} of {points} points" in text
    assert f"{mixed(4).ungraded} points that could not be graded" in text


@pytest.mark.parametrize("form", FORMS)
def test_nothing_hidden_and_nothing_of_the_grader(form):
    text = "Traceback (most recent call last): /srv/grader.py"
    kinds = [Kind.INTERNAL_ERROR] * len(lab().graded)
    found = dataclasses.replace(score(kinds, text), notes=(), written=())
    found = dataclasses.replace(found, submission={**found.submission, "name": "a.ipynb"},
                                release={**found.release, "submitted": None})  # fmt: skip
    report = form(found, lab())
    assert SEED not in report
    assert "Traceback" not in report
    assert "grader.py" not in report
    assert "It costs no" in report
    assert INPUTS[0][0] + " = " not in report


@pytest.mark.parametrize("form", FORMS)
def test_same_score_same_bytes(form):
    again = from_json(to_json(mixed()))
    assert form(again, lab()) == form(mixed(), lab())


def test_every_kind_has_words():
    assert set(words.OUTCOMES) == set(Kind)
    said = [entry.words for entry in words.OUTCOMES.values()]
    assert len(set(said)) == len(said)
    assert all(entry.meaning.endswith(".") for entry in words.OUTCOMES.values())
    assert {entry.tone for entry in words.OUTCOMES.values()} == set(style.TONES)


def test_order_of_the_lab_is_kept():
    places = [html_report(mixed(), lab()).index(f'id="task-{i}"') for i in range(1, 10)]
    assert places == sorted(places)


def test_all_right_is_short():
    found, other = html_report(all_right(), lab()), html_report(mixed(), lab())
    assert words.ALL_RIGHT in found
    assert "What came back" not in found
    assert "<h4>Hint" not in found
    assert len(Page(found).tags) < len(Page(other).tags)
    assert words.ALL_RIGHT not in other


def test_headings_go_down_one_step_at_a_time():
    for found in (made() for made in EVERY.values()):
        levels = [int(n[1]) for n in names(Page(html_report(found, lab()))) if re.match(r"h\d", n)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(levels))
        inside = re.findall(r"^(#+) ", markdown_report(found, lab()), re.MULTILINE)
        assert inside[0] == "#"
        assert all(len(b) <= len(a) + 1 for a, b in pairwise(inside))


def test_tables_can_be_heard():
    tags = Page(html_report(mixed(), lab())).tags
    assert all("scope" in dict(attrs) for tag, attrs in tags if tag == "th")
    tables = [i for i, (tag, _) in enumerate(tags) if tag == "table"]
    assert tables
    assert all(tags[i + 1][0] == "caption" for i in tables)
    assert tags[0] == ("html", (("lang", "en"),))


def test_page_loads_nothing():
    text = html_report(mixed(), lab())
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(names(page))
    assert f'content="{POLICY}"' in text
    allowed = {"class", "id", "style", "scope", "href", "lang", "charset", "http-equiv", "name",
               "content", "aria-label", "aria-hidden", "role", "tabindex", "dir"}  # fmt: skip
    assert {name for _, attrs in page.tags for name, _ in attrs} <= allowed
    links = [value for _, attrs in page.tags for name, value in attrs if name == "href"]
    ids = [value for _, attrs in page.tags for name, value in attrs if name == "id"]
    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in links} == set(ids)
    assert not re.search(r"url\(|@import|https?:", text)


@pytest.mark.parametrize("colours", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_contrast(colours):
    for text, ground in style.READ:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for tone in style.TONES:  # a bar is no text: 3 to 1
        for ground in ("page", "card"):
            assert contrast(colours[f"{tone}-fill"], colours[ground]) >= 3, (tone, ground)


def test_sheet_uses_the_colours_and_no_others():
    rules = style.sheet().partition("* {")[2]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb|hsl", rules)
    used = set(re.findall(r"var\(--([\w-]+)\)", rules)) - {"tone", "tint", "fill", "columns"}
    assert used == set(style.LIGHT) == set(style.DARK)


def test_write_report_by_suffix(tmp_path):
    for name, form in (("a.html", html_report), ("b.HTM", html_report), ("c.md", markdown_report)):
        write_report(tmp_path / name, mixed(), lab())
        assert (tmp_path / name).read_text(encoding="utf-8") == form(mixed(), lab())
    with pytest.raises(_check.BadValue, match=r"report: file must end in \.html.*got 'a\.pdf'"):
        write_report(tmp_path / "a.pdf", mixed(), lab())
    assert not (tmp_path / "a.pdf").exists()


def release_asking(markdown):
    cell = nbformat.v4.new_markdown_cell(f"**Exercise**\n\n{markdown}")
    cell.metadata["efficientdl"] = {"task": "costs-peak", "role": "lead"}
    learner = nbformat.v4.new_notebook(cells=[cell])
    return Release(lab().root, "01_costs", "d" * 16, learner, learner)


def test_what_was_asked_is_rendered():
    asked = "Use `elements`, $k^2 c_{in}$ and *care*.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one"
    text = html_report(mixed(), release_asking(asked))
    for piece in ("<code>elements</code>", '<code class="tex">k^2 c_{in}</code>', "<em>care</em>",
                  '<th scope="col">a</th>', "<li>one</li>"):  # fmt: skip
        assert piece in text
    assert "<h1>01_costs</h1>" in text  # a lab without a heading has its name
    assert "> Use `elements`, $k^2 c_{in}$" in markdown_report(mixed(), release_asking(asked))


@pytest.mark.parametrize(
    ("markdown", "found"),
    [
        ("$$\na < b\n$$", '<code class="tex wide">a &lt; b</code>'),
        ("see $$x$$ here", '<p>see <code class="tex wide">x</code>\n here</p>'),
        ("# no heading", "<p><strong>no heading</strong></p>"),
        ("[words](https://a.org/?b&c)", "<p>words (<code>https://a.org/?b&amp;c</code>)</p>"),
        ("![a *plot*](x.png)", "<p>[picture: a <em>plot</em>]</p>"),
        ("<b>raw</b>", "<p>&lt;b&gt;raw&lt;/b&gt;</p>"),
        ("```python\nx < 1\n```", "<pre><code>x &lt; 1</code></pre>"),
    ],
)
def test_asked_html(markdown, found):
    assert asked_html(markdown) == found


def test_policy_allows_nothing_but_its_own_style():
    assert POLICY == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_points_are_not_rounded_away():
    assert words.points_text(6.25, 10) == "6.25 of 10 points"
    assert words.points_text(1, 1) == "1 of 1 point"
    assert words.points_text(None, 12) == "12 points not counted"


def test_words_of_a_failed_grader_stay_inside():
    found = score([Kind.INTERNAL_ERROR] * len(lab().graded), "/srv/grader.py").exercises[1]
    assert found.shown is not None
    assert words.message_of(found) == ""
    assert words.shown_rows(found) == []


@pytest.mark.parametrize("form", FORMS)
def test_order_of_settings_does_not_matter(form):
    found = mixed()
    limits = {"memory_mb": 2048, "cpu_s": 60}
    packages = found.environment["packages"]
    made = [
        {**found.environment, "limits": dict(pairs), "packages": dict(others)}
        for pairs, others in (
            (limits.items(), packages.items()),
            (reversed(limits.items()), reversed(packages.items())),
        )
    ]
    one, other = (form(dataclasses.replace(found, environment=e), lab()) for e in made)
    assert one == other
