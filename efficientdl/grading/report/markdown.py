"""The report in Markdown: for terminals, mail, and systems that take no HTML.

What a learner wrote stands between fences, or has every sign of markup behind a backslash, so it
stays text in any reader.
"""

from collections.abc import Iterator, Sequence

from efficientdl.course.cards import table_text
from efficientdl.course.outcome import Kind
from efficientdl.grading.release import Release
from efficientdl.grading.report import words
from efficientdl.grading.report.quoting import code_span, literal, prose, quoted
from efficientdl.grading.score import Graded, Score, WrittenAnswer


def markdown_report(score: Score, release: Release) -> str:
    """The report of one submission as Markdown."""
    return "\n\n".join(_parts(score, release)) + "\n"


def _parts(score: Score, release: Release) -> Iterator[str]:
    points = words.points_text(score.earned, score.points)
    yield f"# {literal(words.title_of(release))}"
    yield f"Graded: {code_span(str(score.submission['name']))}"
    yield f"**{points}.** {words.standing(score)}"
    yield "## Overview"
    yield _overview(score)
    yield "## Exercises"
    for number, task in enumerate(score.exercises, 1):
        yield from _task(number, task, release.asked(task.id))
    if score.written:
        yield "## In your own words"
        for answer in score.written:
            yield from _written(answer, release.asked(answer.id))
    if score.notes:
        yield "## Notes"
        yield "\n".join(f"- {literal(note)}" for note in score.notes)
    yield "## How to go on"
    yield "\n".join(f"{i}. {step}" for i, step in enumerate(words.how_to_go_on(score), 1))
    yield "## How this was measured"
    yield "\n".join(f"- {name}: {literal(text)}" for name, text in words.measured(score))


def _overview(score: Score) -> str:
    rows = [words.OVERVIEW]
    for number, task in enumerate(score.exercises, 1):
        said = words.OUTCOMES[task.outcome]
        rows.append([
            f"{number}\\. {literal(task.title)}",
            f"{said.glyph} {said.words}",
            *words.in_short(task),
        ])
    return _table(rows)


def _task(number: int, task: Graded, asked: str) -> Iterator[str]:
    said = words.OUTCOMES[task.outcome]
    points = words.points_text(task.earned, task.points)
    yield f"### {number}. {literal(task.title)}"
    yield f"{said.glyph} **{said.words}** · {points} · {words.cases_text(task)}"
    if asked.strip():
        yield _block_quote(asked)
    if task.outcome is Kind.INTERNAL_ERROR:
        yield words.FAILED
    elif task.outcome is not Kind.CORRECT:
        yield from _lesson(task, said.meaning)
    if task.figures:
        yield "The budget:"
        yield _table([[literal(c) for c in row] for row in words.figure_rows(task.figures)])
    yield f"*{words.small_print(task)}.*"


def _lesson(task: Graded, meaning: str) -> Iterator[str]:
    yield meaning
    message = words.message_of(task)
    if message:
        yield quoted(message)
    rows = words.shown_rows(task)
    if rows:
        yield f"{words.SHOWN}:"
        yield quoted(table_text(rows))
    elif words.hides_a_case(task):
        yield words.NOT_SHOWN
    if task.hint.strip():
        yield f"**Hint.** {prose(words.hint_of(task))}"


def _written(answer: WrittenAnswer, asked: str) -> Iterator[str]:
    yield f"### {literal(answer.title)}"
    yield words.written_line(answer)
    if asked.strip():
        yield _block_quote(asked)
    yield "Your answer:"
    yield quoted(words.answer_of(answer))


def _block_quote(markdown: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in markdown.strip().splitlines())


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
