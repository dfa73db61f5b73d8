"""What a class tells its teacher, as one HTML page: no script, nothing loaded.

Totals, how each exercise came out, which exercises tell apart, which submissions share what is
rare, and what could not be graded. Every picture has its sentence and its numbers as a table. What
learners wrote (names, messages, answers) is text between tags of ours, never a tag.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import median

from efficientdl.course.outcome import Kind
from efficientdl.grading.classroom.counted import Entry, best_of_each, by_lab, total_share
from efficientdl.grading.classroom.items import Item, item_analysis
from efficientdl.grading.classroom.markup import (
    SHEET,
    drawn,
    percent,
    said,
    signed,
    table,
    text,
)
from efficientdl.grading.classroom.page_flags import flags_section
from efficientdl.grading.classroom.pictures import (
    numbered,
    outcomes_figure,
    plane_figure,
    totals_figure,
)
from efficientdl.grading.classroom.readings import goes_backwards, uncertainty
from efficientdl.grading.classroom.similarity import Similarity
from efficientdl.grading.report.html import POLICY
from efficientdl.grading.report.style import sheet
from efficientdl.grading.report.words import OUTCOMES

_MOST_ROWS = 300
_FIGURES = ("Exercise", "Learners", "Tried", "Right", "Mean points", "Discrimination",
            "Best less last 27 %", "Median time")  # fmt: skip


def class_page(
    entries: Sequence[Entry],
    similarities: Mapping[str, Similarity],
    *,
    titles: Mapping[str, str] | None = None,
) -> str:
    """The page of one class, which may have handed in several labs.

    Args:
        entries: Every line of the results, those without a score too.
        similarities: What `similar` found, by lab.
        titles: The labs' titles; their names where there is none.
    """
    labs = by_lab(entries)
    named = {lab: (titles or {}).get(lab, lab) for lab in labs}
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{text(', '.join(['Class report', *named.values()]))}</title>",
        f"<style>\n{sheet()}{SHEET}</style>",
        "</head>",
        "<body>",
        *_header(entries, labs),
        "<main>",
    ]
    for lab, found in labs.items():
        parts += _lab(named[lab], found, similarities.get(lab))
    parts += [*_not_graded(entries), "</main>", *_footer(), "</body>", "</html>"]
    return "\n".join(part for part in parts if part) + "\n"


def _header(entries: Sequence[Entry], labs: Mapping[str, Sequence[Entry]]) -> Iterator[str]:
    shares = _shares([entry for found in labs.values() for entry in best_of_each(found)])
    facts = {
        "learners": str(len({e["learner"] for e in entries})),
        "submissions": str(len(entries)),
        "of the points at the median": percent(median(shares)) if shares else "none",
        "not graded, or not whole": str(len(_troubles(entries))),
    }
    yield '<header><p class="name">For the teacher</p><h1>Class report</h1>'
    told = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    yield f'<dl class="facts">{told}</dl></header>'


def _lab(title: str, entries: Sequence[Entry], found: Similarity | None) -> Iterator[str]:
    items, counted = item_analysis(entries), best_of_each(entries)
    yield f"<h2>{text(title)}</h2>"
    if len(counted) < len(entries):
        yield (
            f'<p class="lead">{len(entries)} submissions of {len(counted)} learners: the best of '
            "each learner counts.</p>"
        )
    shares = _shares(counted)
    if shares:
        yield f"<h3>Totals</h3>{drawn(totals_figure(shares))}"
    if items:
        yield f"<h3>What to look at</h3>{_first(items)}{_readings(items)}"
        yield f"<h3>Outcomes</h3>{drawn(outcomes_figure(items))}"
        yield _counts(items)
        yield f"<h3>How well each exercise tells apart</h3>{_figures(items)}"
        plane = plane_figure(items)
        yield drawn(plane) if plane else ""
    yield from flags_section(found) if found else ()


def _shares(entries: Sequence[Entry]) -> list[float]:
    found = (total_share(entry["score"]) for entry in entries)
    return [share for share in found if share is not None]


def _first(items: Sequence[Item]) -> str:
    """The exercises that deserve a look before the others, in a sentence."""
    named = zip(numbered(items), items, strict=True)
    odd = [name for name, item in named if goes_backwards(item.mean_share, item.discrimination)]
    if not odd:
        return '<p class="lead">No exercise is failed by those who do well on the others.</p>'
    return (
        f'<p class="lead">Look first at {text("; ".join(odd))}: those who do well on the other '
        "exercises fail it. Its wording, its tests or its solution may be at fault.</p>"
    )


def _readings(items: Sequence[Item]) -> str:
    rows: list[list[str]] = []
    for name, item in zip(numbered(items), items, strict=True):
        words = escape(item.reading)
        failure = "nobody who tried failed"
        if item.commonest:
            told = OUTCOMES[Kind(item.commonest.outcome)].words
            family = f": {text(item.commonest.family)}" if item.commonest.family else ""
            failure = f"{told}{family} ({item.commonest.count} of {item.n})"
        rows.append([text(name), words, failure])
    head = ["Exercise", "Reading", "Commonest failure"]
    return f'<div class="card">{table("The exercises in words", head, rows, "words")}</div>'


def _counts(items: Sequence[Item]) -> str:
    kinds = [kind for kind in Kind if any(item.outcomes.get(kind.value) for item in items)]
    rows = [
        [text(name), *(str(item.outcomes.get(kind.value, 0)) for kind in kinds)]
        for name, item in zip(numbered(items), items, strict=True)
    ]
    head = ["Exercise", *(OUTCOMES[kind].words for kind in kinds)]
    caption = "Learners by outcome"
    return f'<div class="card">{table(caption, head, rows, "counts")}</div>'


def _figures(items: Sequence[Item]) -> str:
    rows: list[list[str]] = []
    for name, item in zip(numbered(items), items, strict=True):
        sure = ""
        if item.discrimination is not None:
            low, high = uncertainty(item.discrimination, item.n)
            sure = f" ({signed(low)} to {signed(high)})"
        rows.append([
            text(name),
            str(item.n),
            percent(item.attempted),
            percent(item.pass_rate),
            percent(item.mean_share),
            signed(item.discrimination) + sure,
            signed(item.upper_lower),
            "none" if item.seconds is None else f"{item.seconds:.1f} s",
        ])
    caption = "Item analysis; in brackets what chance leaves open at 95 %"
    return f'<div class="card">{table(caption, _FIGURES, rows, "figures")}</div>'


def _troubles(entries: Sequence[Entry]) -> list[tuple[Entry, str, str]]:
    """What was refused, what failed, and in which exercises the grader failed."""
    found: list[tuple[Entry, str, str]] = []
    for entry in entries:
        score = entry.get("score")
        if not score:
            what = "refused" if entry["status"] == "refused" else "the grader failed"
            found.append((entry, what, entry.get("reason") or ""))
            continue
        lost = [task["title"] for task in score["exercises"] if task["earned"] is None]
        if lost:
            found.append((entry, "not graded whole", "; ".join(lost)))
    return found


def _not_graded(entries: Sequence[Entry]) -> Iterator[str]:
    troubles = _troubles(entries)
    yield "<h2>Not graded</h2>"
    if not troubles:
        yield '<p class="lead">Everything that was handed in was graded.</p>'
        return
    yield (
        '<p class="lead">Where the grader failed, run the same command again: it grades these '
        "anew. What was refused stays refused until the file changes.</p>"
    )
    rows = [
        [said(e["place"]), said(e["learner"]), what, text(why) if why else "no reason given"]
        for e, what, why in troubles[:_MOST_ROWS]
    ]
    caption = f"{len(troubles)} of {len(entries)} submissions"
    if len(rows) < len(troubles):
        caption += f", the first {len(rows)} of them here"
    head = ["Submission", "Learner", "What happened", "Why"]
    yield f'<div class="card">{table(caption, head, rows, "words")}</div>'


def _footer() -> Iterator[str]:
    yield "<footer><h2>How to read the figures</h2>"
    yield (
        "<p>Discrimination is the correlation of what learners earned on one exercise with what "
        "they earned on all the others. From 0.4 it is called very good, from 0.3 reasonably "
        "good, from 0.2 marginal (Ebel and Frisbie, Essentials of Educational Measurement, 1991). "
        "In a small class chance moves it far; the brackets say how far. An easy exercise cannot "
        "tell apart, and need not. Best less last 27 % is the mean share of points among those "
        "who did best on the other exercises, less that among those who did least well. Answers "
        "on which the grader failed are left out.</p></footer>"
    )
