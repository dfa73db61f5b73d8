"""`check("id")`: does the function above do what is asked, and if not, where does it go wrong?"""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any, Never

from efficientdl.course import cards, store
from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Case, Kind, Outcome
from efficientdl.course.probe import ask_each, judge
from efficientdl.course.registry import find
from efficientdl.course.targets import public_case, record, recording
from efficientdl.progress import ui_mode


class CheckFailed(AssertionError):
    """An answer that is not right yet. Its text is the lesson: the case, target and yours.

    In a notebook the lesson has been shown as a table, so there the error is one line, without
    the inside of the library.
    """

    def __init__(self, text: str, outcome: Outcome | None = None) -> None:
        super().__init__(text)
        self.outcome = outcome

    def _render_traceback_(self) -> list[str]:
        if ui_mode() == "silent":  # then nothing has been shown
            return [f"CheckFailed: {self}"]
        first = str(self).splitlines()[0]
        return [f"CheckFailed: {first} The message above says more."]


def check(id: str) -> None:
    """Probe the function of this exercise, defined above in the notebook.

    Prints one line when it is right.

    Args:
        id: The exercise, `conv-macs`.

    Raises:
        CheckFailed: It is not right; the message shows a case, the target and your value.
        NotImplementedError: It is not written yet.
        BadValue: There is no such exercise.
    """
    __tracebackhide__ = True
    exercise = find("check", id, Exercise)
    function = sys._getframe(1).f_globals.get(exercise.symbol)
    if not callable(function):
        _not_there(exercise, function)
    if recording():
        right = len(record(exercise, function))
        outcome = Outcome(Kind.CORRECT, "", right, right)
    else:
        inputs, targets = public_case(exercise)
        answers = ask_each(function, inputs)
        outcome = judge(exercise, inputs, targets, answers, names=_names(function))
    _note(exercise, outcome)
    if outcome.kind != Kind.CORRECT:
        _fail(exercise, outcome)
    cards.show(cards.message(right_line(exercise, outcome)))


def right_line(exercise: Exercise, outcome: Outcome) -> str:
    """The line of an answer that is right."""
    points = "1 point" if exercise.points == 1 else f"{exercise.points} points"
    return f"correct: {outcome.right} of {outcome.cases} cases · {points}"


def lesson(exercise: Exercise, outcome: Outcome) -> cards.Card:
    """What a learner reads about an answer that is not right yet."""
    first = f"{exercise.id}: {outcome.right} of {outcome.cases} cases right."
    last = next_hint(exercise)
    text, html = [first], [cards.paragraph(first)]
    if outcome.shown:
        rows = _rows(outcome.shown)
        text += ["", cards.table_text(rows), ""]
        html.append(cards.table_html("A case that is not right", rows))
    said = outcome.message[:1].upper() + outcome.message[1:].rstrip(".") + "."
    return cards.Card(
        "\n".join([*text, said, last]),
        cards.status(*html, cards.paragraph(said), cards.paragraph(last)),
    )


def next_hint(exercise: Exercise) -> str:
    """Where help is to be had."""
    seen = (store.recall("hints", exercise.id) or {}).get("stage", 0)
    if seen >= len(exercise.hints):
        return f'All hints are open; `hint("{exercise.id}")` shows them again.'
    return f'`hint("{exercise.id}")` opens hint {seen + 1} of {len(exercise.hints)}.'


def _rows(case: Case) -> Sequence[Sequence[str]]:
    inputs = "\n".join(_assigned(name, text) for name, text in case.inputs)
    return [["inputs", "target", "yours"], [inputs, case.target, case.yours or "(no value)"]]


def _assigned(name: str, text: str) -> str:
    head, *rest = text.splitlines()
    return "\n".join([f"{name} = {head}", *(" " * (len(name) + 3) + line for line in rest)])


def _names(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a callable that does not tell
        return []


def _note(exercise: Exercise, outcome: Outcome) -> None:
    before = store.recall("checks", exercise.id) or {}
    store.remember(
        "checks",
        exercise.id,
        {
            "outcome": outcome.kind.value,
            "right": outcome.right,
            "cases": outcome.cases,
            "tries": int(before.get("tries", 0)) + 1,
            "best": max(outcome.share, float(before.get("best", 0.0))),
        },
    )


def _not_there(exercise: Exercise, found: object) -> Never:
    __tracebackhide__ = True
    what = "is not defined" if found is None else f"is no function but {type(found).__name__}"
    said = f"`{exercise.symbol}` {what}: run the cell that defines it, above, and check again"
    _fail(exercise, Outcome(Kind.NOT_ATTEMPTED, said, 0, exercise.cases))


def _fail(exercise: Exercise, outcome: Outcome) -> Never:
    __tracebackhide__ = True
    card = lesson(exercise, outcome)
    if cards.in_notebook():  # elsewhere the error's own text says it all
        cards.show(card)
    raise CheckFailed(card.text, outcome)
