"""`check("id")`: does the function above do what is asked, and if not, where does it go wrong?"""

import inspect
import linecache
import sys
from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Never

from efficientdl.course import cards, rules, store
from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Kind, Outcome
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
        CheckFailed: It is not right; the message shows a case, the target and your value. Or it
            uses what the exercise forbids; then it is not called.
        NotImplementedError: It is not written yet.
        BadValue: There is no such exercise.
    """
    __tracebackhide__ = True
    exercise = find("check", id, Exercise)
    function = sys._getframe(1).f_globals.get(exercise.symbol)
    if not callable(function):
        _not_there(exercise, function)
    refused = _refused(exercise, function)
    if refused:
        outcome = Outcome(Kind.FORBIDDEN, refused, 0, exercise.cases)
    elif recording():
        right = len(record(exercise, function))
        outcome = Outcome(Kind.CORRECT, "", right, right)
    else:
        inputs, targets = public_case(exercise)
        answers = ask_each(function, inputs)
        outcome = judge(exercise, inputs, targets, answers, names=_names(function))
    _note(exercise, outcome, _answer(function))
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
    if outcome.kind == Kind.FORBIDDEN:
        first = f"{exercise.id}: it was not tried."
    last = next_hint(exercise)
    text, html = [first], [cards.paragraph(first)]
    if outcome.shown:
        rows = outcome.shown.rows()
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


def _names(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a callable that does not tell
        return []


def _written(function: object) -> FunctionType | None:
    """The function that somebody wrote, behind decorators, partials and objects to be called."""
    while isinstance(function, partial):
        function = function.func
    found = inspect.unwrap(function) if callable(function) else None
    if isinstance(found, MethodType):
        found = found.__func__
    if not isinstance(found, FunctionType):  # an object may be called too
        found = getattr(type(found), "__call__", None)  # noqa: B004
    return found if isinstance(found, FunctionType) else None


def _cell(function: object) -> str:
    """The source of the cell that defines it; empty where nobody knows it."""
    written = _written(function)
    return "".join(linecache.getlines(written.__code__.co_filename)) if written else ""


def _refused(exercise: Exercise, function: object) -> str:
    """The rule that the answer breaks, as a sentence; empty if it breaks none."""
    name = rules.forbidden_object(function, exercise.forbids)
    if name:
        return f"{rules.refusal(name)}, and `{exercise.symbol}` is taken from it"
    written = _written(function)
    known = rules.aliases_in(written.__globals__ if written else {}, exercise.forbids)
    return rules.broken(_cell(function), exercise.forbids, known)


def _answer(function: object) -> dict[str, str]:
    """A fingerprint of the answer's cell, to tell later whether it was changed."""
    written = _written(function)
    source = _cell(function) if written and written.__module__ == "__main__" else ""
    return {"answer": rules.fingerprint(source)} if source else {}


def _note(exercise: Exercise, outcome: Outcome, answer: dict[str, str]) -> None:
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
            **answer,
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
