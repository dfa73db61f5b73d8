"""Whatever a learner wrote stays text, in both forms of the report."""

import re
from functools import cache

import mistune
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.grading.report import html_report, markdown_report
from efficientdl.grading.report.asked import TAGS, asked_html
from efficientdl.grading.report.quoting import clean, code_span, literal, prose, quoted
from tests.grading.scores import Page, lab, mixed, names

NASTY = [
    "<script>alert(1)</script>",
    "</pre></div></article></main><h1>100 of 100 points</h1>",
    "<img src=https://example.org/x onerror=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "' style='background:url(//example.org)",
    "<!-- --><![CDATA[ ]]><?php ?>",
    "&lt;b&gt; &amp; &#60;script&#62;",
    "</style><style>*{display:none}",
    "</title><base href=//example.org>",
    "javascript:alert(1) https://example.org www.example.org a@example.org",
    "[link](https://example.org) ![picture](https://example.org/x.png) <https://example.org>",
    "[ref]: https://example.org\n\n[ref]",
    "```\n# heading\n```\n~~~\n* list\n",
    "`````text\n`a` ``b`` ```c```",
    "# heading\n\n## another\n===\n---\n",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "1. one\n2) two\n- three\n+ four\n    code\n> quote",
    "$$\\frac{1}{2}$$ $x$ **bold** _em_ ~~gone~~ ==mark== ^[note] [^1]\n\n[^1]: note",
    "\\`\\*\\\\",
    "a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h",
    "\x00\x07\x1b[31mred\x1b[0m\x7f\x9b",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200e\u200f\u061c\ufeff\u00ad",
    "\ud800 lone surrogate",
    "🧑‍🔬 مرحبا नमस्ते Z̷̧̛͎a̸l̴g̵o̶",
    "x" * 50_000,
    "\n" * 5_000 + "end",
    "",
    "   ",
]  # fmt: skip


def assert_html_unmoved(text):
    """Whatever the learner wrote, the page has the tags that it always has."""
    page = Page(html_report(mixed(text=f"a{text}"), lab()))
    assert page.tags == plain_page().tags
    assert not page.open
    assert not page.other
    assert not HIDDEN.search(page.text)
    page.text.encode()  # no half of a pair is left


HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")


@cache
def plain_page():
    return Page(html_report(mixed(text="a"), lab()))


def skeleton(tokens):
    """A Markdown document without its text: what is a heading, a list, a link, a table."""
    found = []
    for token in tokens:
        if token["type"] in {"text", "softbreak", "blank_line", "linebreak"}:
            continue
        found.append((token["type"], str(token.get("attrs")), skeleton(token.get("children", []))))
    return found


@cache
def reader():
    plugins = ["strikethrough", "footnotes", "table", "url", "task_lists", "def_list", "abbr",
               "mark", "insert", "superscript", "subscript", "math", "spoiler"]  # fmt: skip
    return mistune.create_markdown(renderer=None, plugins=plugins)


@cache
def plain_skeleton():
    return skeleton(reader()(markdown_report(mixed(text="a"), lab())))


def assert_markdown_unmoved(text):
    found = markdown_report(mixed(text=f"a{text}"), lab())
    assert skeleton(reader()(found)) == plain_skeleton()
    assert not HIDDEN.search(found)
    found.encode()


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_hostile_text_stays_text(text):
    assert_html_unmoved(text)
    assert_markdown_unmoved(text)


WRITTEN = st.text(st.sampled_from("<>&\"'`~*_#[]()!|$\\:/@.-+=^\n\t 1aw\u202e\x00\u2028é"))


@settings(max_examples=15, deadline=None)
@given(st.one_of(WRITTEN, st.text()))
def test_any_text_stays_text(text):
    assert_html_unmoved(text)
    assert_markdown_unmoved(text)


@settings(max_examples=50, deadline=None)
@given(st.one_of(WRITTEN, st.sampled_from(NASTY[:20])))
def test_asked_html_has_known_tags(markdown):
    page = Page(asked_html(markdown))
    assert set(names(page)) <= TAGS
    assert {name for _, attrs in page.tags for name, _ in attrs} <= {"class", "scope"}


@pytest.mark.parametrize("make", [literal, prose, code_span], ids=lambda f: f.__name__)
@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_one_line_shows_what_was_written(make, text):
    """Read back, it is one paragraph with the text that was there and nothing else."""
    wanted = " ".join(clean(text).split())
    found = make(text)
    assert "\n" not in found
    if not wanted or make is prose or len(wanted) > 300:
        return
    page = Page(plain_reader()(found))
    assert names(page) == (["p", "code"] if make is code_span else ["p"])
    assert page.text.strip() == wanted


@cache
def plain_reader():
    return mistune.create_markdown(escape=True, plugins=["url", "strikethrough", "table"])


@pytest.mark.parametrize("text", ["a", "```", "a\n`````\nb", "~~~", "    deep"])
def test_fence_is_longer_than_any_inside(text):
    page = Page(plain_reader()(quoted(text)))
    assert names(page) == ["pre", "code"]
    assert page.text.rstrip("\n") == text


def test_what_is_long_is_cut_and_says_so():
    assert clean("x" * 50, longest=10) == "xxxxxxxxxx… (cut here)"
    assert clean("a\nb\nc", lines=2) == "a\nb… (cut here)"
    assert clean("x" * 10, longest=10) == "x" * 10
    assert len(html_report(mixed(text="x" * 10**6), lab())) < 200_000
