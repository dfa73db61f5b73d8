"""Probing an answer: draw inputs, ask the function, compare with targets, say how it came out.

`check` in a notebook and the grader share these four steps. They differ in the seed, and in
where each step runs: the grader draws and judges in its own process, asks in the learner's.
"""

import copy
import linecache
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from efficientdl import _check
from efficientdl.course.comparison import Difference, Tolerance, difference
from efficientdl.course.exercise import Arguments, Exercise
from efficientdl.course.outcome import Case, Kind, Outcome
from efficientdl.course.values import Plain, plain, shown


@dataclass(frozen=True)
class Answer:
    """What a function gave back for one case, or how it failed.

    Attributes:
        value: The value, in the closed set of `values.plain`.
        failure: How it failed; None when it gave a value.
        sentence: The failure in words.
    """

    value: Plain = None
    failure: Kind | None = None
    sentence: str = ""


def draw(exercise: Exercise, *, seed: int) -> list[Arguments]:
    """The inputs of every case. Each case has a generator of its own.

    Args:
        exercise: Whose inputs.
        seed: Zero or more, as large as a grader's key.
    """
    _check.whole("draw", "seed", seed, 0)
    name = int.from_bytes(sha256(exercise.id.encode()).digest()[:8])
    inputs = []
    for i in range(exercise.cases):
        arguments = exercise.draw(np.random.default_rng([name, seed, i]))
        _check.kind(f"draw of {exercise.id}", "arguments", arguments, tuple)
        inputs.append(plain(arguments))
    return inputs


def ask(function: Callable[..., Any], arguments: Arguments) -> Answer:
    """Call a learner's function on its own copy of the arguments.

    Raises:
        NotImplementedError: The function is not written yet; passed on as it is.
    """
    __tracebackhide__ = True
    try:
        value = function(*copy.deepcopy(arguments))
    except MemoryError:
        return Answer(failure=Kind.MEMORY, sentence="your function needs more memory than there is")
    except (Exception, SystemExit) as error:
        if type(error) is NotImplementedError:  # not its kin, such as what `input` raises here
            raise
        return Answer(failure=Kind.RAISED, sentence=_what_was_raised(error, function))
    try:
        return Answer(plain(value))
    except _check.BadKind as error:
        rule = str(error).removeprefix("value: ")
        return Answer(failure=Kind.WRONG_SHAPE, sentence=f"what your function returns {rule}")


def ask_each(function: Callable[..., Any], inputs: Sequence[Arguments]) -> list[Answer]:
    """`ask` for every case."""
    __tracebackhide__ = True
    answers = []
    for arguments in inputs:  # a comprehension would be a frame that cannot hide
        answers.append(ask(function, arguments))  # noqa: PERF401
    return answers


def judge(
    exercise: Exercise,
    inputs: Sequence[Arguments],
    targets: Sequence[Plain],
    answers: Sequence[Answer],
    *,
    names: Sequence[str] = (),
) -> Outcome:
    """Compare every answer with its target.

    Of the cases that are wrong, the one that reads shortest is shown.

    Args:
        exercise: Gives the tolerance and the explanation.
        inputs: Arguments of each case.
        targets: What is wanted in each case.
        answers: What came back in each case.
        names: Names of the arguments, for the case that is shown.
    """
    _check.same_length("judge", inputs=inputs, targets=targets, answers=answers)
    wrong: list[tuple[Difference, Case]] = []
    for arguments, target, answer in zip(inputs, targets, answers, strict=True):
        found = _wrong(exercise, arguments, target, answer)
        if found:
            wrong.append((found, _case(arguments, target, answer, names)))
    right = len(inputs) - len(wrong)
    if not wrong:
        return Outcome(Kind.CORRECT, "", right, len(inputs))
    found, case = min(wrong, key=lambda pair: len(str(pair[1])))
    kind = Kind.PARTIAL if right else found.kind
    return Outcome(kind, found.sentence, right, len(inputs), case)


def _wrong(
    exercise: Exercise, arguments: Arguments, target: Plain, answer: Answer
) -> Difference | None:
    if answer.failure:
        return Difference(answer.failure, answer.sentence)
    found = difference(target, answer.value, Tolerance(exercise.rtol, exercise.atol))
    if found is None or found.kind != Kind.WRONG_VALUE or exercise.explain is None:
        return found
    why = exercise.explain(arguments, target, answer.value)
    return Difference(found.kind, f"{found.sentence}. {why}") if why else found


def _case(arguments: Arguments, target: Plain, answer: Answer, names: Sequence[str]) -> Case:
    padded = [*names[: len(arguments)]]
    padded += [f"argument {i + 1}" for i in range(len(padded), len(arguments))]
    inputs = tuple((n, shown(a)) for n, a in zip(padded, arguments, strict=True))
    return Case(inputs, shown(target), "" if answer.failure else shown(answer.value))


def _what_was_raised(error: BaseException, function: Callable[..., Any]) -> str:
    """The error's last line, and the line of the learner's code that it came from."""
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    code = getattr(function, "__code__", None)
    line = ""
    for frame, number in traceback.walk_tb(error.__traceback__):
        if code is not None and frame.f_code.co_filename == code.co_filename:
            source = linecache.getline(code.co_filename, number).strip()
            line = f", in line {number}" + (f": {source}" if source else "")
    return f"your function raised {text}{line}"
