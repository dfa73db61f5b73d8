"""The report as one HTML file: no script, nothing loaded, readable by eye and by ear.

What a learner wrote becomes text between two tags of ours, never a tag, never an attribute.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from efficientdl.course.cards import paragraph
from efficientdl.course.outcome import Kind
from efficientdl.grading.release import Release
from efficientdl.grading.report import words
from efficientdl.grading.report.asked import asked_html
from efficientdl.grading.report.quoting import clean, one_line
from efficientdl.grading.report.style import sheet
from efficientdl.grading.score import Graded, Score, WrittenAnswer

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_report(score: Score, release: Release) -> str:
    """The report of one submission as a whole HTML page."""
    title = words.title_of(release)
    return _lines([
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)} · report</title>",
        f"<style>\n{sheet()}</style>",
        "</head>",
        "<body>",
        *_header(score, title),
        "<main>",
        "<h2>Overview</h2>",
        _overview(score),
        "<h2>Exercises</h2>",
        *(_task(i, t, release.asked(t.id)) for i, t in enumerate(score.exercises, 1)),
        *_all_written(score.written, release),
        *_notes(score.notes),
        "<h2>How to go on</h2>",
        f"<ol>{''.join(f'<li>{paragraph(step)}</li>' for step in words.how_to_go_on(score))}</ol>",
        "</main>",
        *_footer(score),
        "</body>",
        "</html>",
    ])


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part) + "\n"


def _header(score: Score, title: str) -> Iterator[str]:
    share = score.earned / score.points if score.points else 0.0
    yield "<header>"
    name = escape(one_line(str(score.submission["name"])))
    yield f'<p class="name">Graded: <bdi>{name}</bdi></p>'
    yield f"<h1>{escape(title)}</h1>"
    of = "point" if score.points == 1 else "points"
    yield (
        f'<p class="score"><strong>{words.number(score.earned)}</strong> '
        f"<span>of {score.points} {of}</span></p>"
    )
    tone = "right" if words.all_right(score) else "ours"
    yield f'<div class="{tone}">{_bar(share)}</div>'
    yield f'<p class="standing">{escape(words.standing(score))}</p>'
    columns = _columns(len(score.exercises))
    yield f'<nav aria-label="Exercises"><ol class="strip" style="--columns: {columns}">'
    yield from (_tile(number, task) for number, task in enumerate(score.exercises, 1))
    yield "</ol></nav>"
    yield "</header>"


def _columns(tiles: int, most: int = 10) -> int:
    """Columns of rows that are about equally long."""
    rows = -(-tiles // most) or 1
    return -(-tiles // rows) or 1


def _tile(number: int, task: Graded) -> str:
    said = words.OUTCOMES[task.outcome]
    points = words.points_text(task.earned, task.points)
    heard = f"Exercise {number}, {escape(one_line(task.title))}: {said.words}, {points}"
    earned = "?" if task.earned is None else words.number(task.earned)
    share = (task.earned or 0.0) / task.points if task.points else 0.0
    return (
        f'<li class="{said.tone}"><a href="#task-{number}"><span class="hidden">{heard}</span>'
        f'<span class="no" aria-hidden="true">{number}</span>'
        f'<span class="sign" aria-hidden="true">{said.glyph}</span>'
        f'<span class="of" aria-hidden="true">{earned}/{task.points}</span>{_bar(share)}</a></li>'
    )


def _bar(share: float) -> str:
    width = 100 * min(max(share, 0.0), 1.0)
    return f'<span class="bar" aria-hidden="true"><span style="width: {width:.1f}%"></span></span>'


def _overview(score: Score) -> str:
    rows = []
    for number, task in enumerate(score.exercises, 1):
        title = f'<a href="#task-{number}">{number}. {escape(one_line(task.title))}</a>'
        rows.append([title, _told(task), *words.in_short(task)])
    table = _table("How each exercise came out", words.OVERVIEW, rows)
    return f'<div class="overview">{table}</div>'


def _told(task: Graded, kind: str = "told") -> str:
    said = words.OUTCOMES[task.outcome]
    return (
        f'<span class="{kind} {said.tone}"><span class="glyph" aria-hidden="true">{said.glyph}'
        f"</span>{said.words}</span>"
    )


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; the first of each row is its heading."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" role="group" aria-label="{escape(caption)}" tabindex="0">'
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _task(number: int, task: Graded, asked: str) -> str:
    said = words.OUTCOMES[task.outcome]
    points = words.points_text(task.earned, task.points)
    title = escape(one_line(task.title))
    return _lines([
        f'<article id="task-{number}" class="{said.tone}">',
        f'<div class="top"><h3>{number}. {title}</h3>{_told(task, "badge")}</div>',
        f'<p class="sum">{points} · {words.cases_text(task)}</p>',
        _asked(asked, folded=task.outcome is Kind.CORRECT),
        *_lesson(task, said.meaning),
        *_budget(task),
        f'<p class="small">{words.small_print(task)}</p>',
        "</article>",
    ])


def _asked(markdown: str, *, folded: bool) -> str:
    if not markdown.strip():
        return ""
    body = f'<div class="asked">{asked_html(markdown)}</div>'
    if folded:
        return f"<details><summary>What was asked</summary>{body}</details>"
    return f"<h4>What was asked</h4>\n{body}"


def _lesson(task: Graded, meaning: str) -> Iterator[str]:
    if task.outcome is Kind.CORRECT:
        return
    yield "<h4>What came back</h4>"
    if task.outcome is Kind.INTERNAL_ERROR:
        yield f"<p>{words.FAILED}</p>"
        return
    yield f"<p>{meaning}</p>"
    message = words.message_of(task)
    if message:
        yield f'<div class="said" dir="auto">{escape(message)}</div>'
    rows = words.shown_rows(task)
    if rows:
        cells = [[f"<pre>{escape(cell)}</pre>" for cell in row] for row in rows[1:]]
        yield f'<div class="shown">{_table(words.SHOWN, rows[0], cells)}</div>'
    elif words.hides_a_case(task):
        yield f"<p>{words.NOT_SHOWN}</p>"
    if task.hint.strip():
        yield "<h4>Hint</h4>"
        yield f'<div class="hint">{paragraph(words.hint_of(task))}</div>'


def _budget(task: Graded) -> Iterator[str]:
    if task.figures:
        head, *rows = words.figure_rows(task.figures)
        yield "<h4>The budget</h4>"
        yield _table("Each figure beside its limit", head, [list(map(escape, r)) for r in rows])


def _all_written(written: Sequence[WrittenAnswer], release: Release) -> Iterator[str]:
    if written:
        yield "<h2>In your own words</h2>"
    for answer in written:
        yield "<article>"
        yield f"<h3>{escape(one_line(answer.title))}</h3>"
        yield f'<p class="sum">{words.written_line(answer)}</p>'
        yield _asked(release.asked(answer.id), folded=False)
        yield "<h4>Your answer</h4>"
        yield f'<pre class="answer" dir="auto">{escape(words.answer_of(answer))}</pre>'
        yield "</article>"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield "<h2>Notes</h2>"
        yield f"<ul>{''.join(f'<li>{escape(clean(note))}</li>' for note in notes)}</ul>"


def _footer(score: Score) -> Iterator[str]:
    pairs = words.measured(score)
    yield "<footer>"
    yield "<h2>How this was measured</h2>"
    yield f"<dl>{''.join(f'<dt>{n}</dt><dd>{escape(text)}</dd>' for n, text in pairs)}</dl>"
    yield "</footer>"
