"""What a lab asks for, as data: points, time, hints, and what the answer is probed with.

A lab's tasks stand in `exercises/lab_NN.py`, in a list `TASKS`. The notebook's headings, its
metadata and the grader's points all come from here; the answer itself stands nowhere in the
package, only in the lab's solution.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from efficientdl import _check

Arguments = tuple[Any, ...]
PLACEHOLDER = "*Your answer: double-click here and write.*"
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_LONGEST_S = 600


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every kind of task has.

    Attributes:
        id: Its name in the whole course, `conv-macs`; it is also the cell's.
        lab: The lab that asks it, `01_costs`.
        title: What it is, in a few words.
        points: What it earns.
        minutes: How long it takes somebody who has read what stands above it.
    """

    id: str
    lab: str
    title: str
    points: int
    minutes: int

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not _ID.fullmatch(self.id) or len(self.id) > 48:
            _check.fail(name, "id", "must be short words in lower case with hyphens", self.id)
        _check.whole(name, "points", self.points, 0, 100)
        _check.whole(name, "minutes", self.minutes, 1, 120)
        if not self.title.strip() or "\n" in self.title:
            _check.fail(name, "title", "must be one line of words", self.title)

    def heading(self) -> str:
        """The first line of its cell: what it is, how long it takes, what it earns."""
        points = "1 point" if self.points == 1 else f"{self.points} points"
        return f"**{self._kind()} · {self.title}**{self._marks()} · {_minutes(self)} · {points}"

    def stub(self, indent: str) -> str:
        """What stands in the learner's file where the answer was."""
        said = json.dumps(f"{self.id}: {self.title}", ensure_ascii=False)
        return f"{indent}# YOUR CODE HERE\n{indent}raise NotImplementedError({said})"

    def begun(self, source: str) -> bool:
        """Is the cell more than what was handed out? It is not while a stub stands in it."""
        lines = "\n".join(line.strip() for line in source.splitlines())
        return bool(lines) and f"\n{self.stub('')}\n" not in f"\n{lines}\n"

    def _kind(self) -> str:
        return type(self).__name__

    def _marks(self) -> str:
        return ""


def _minutes(task: Task) -> str:
    return "1 minute" if task.minutes == 1 else f"{task.minutes} minutes"


@dataclass(frozen=True, kw_only=True)
class Exercise(Task):
    """A function to write, probed with drawn inputs.

    Attributes:
        symbol: The name of the function that the learner defines.
        difficulty: 1 to 3.
        draw: Inputs of one case from a generator: numbers, strings, arrays, and lists,
            tuples and dictionaries of them. The function gets its own copy.
        cases: How many cases are drawn.
        rtol: How far a float may be from its target, as a share of it.
        atol: The same, absolute.
        reason: Why that far, where it is not the default.
        hints: Three stages: a nudge, the idea, nearly the code.
        needs: Exercises whose functions this one's answer calls.
        explain: A sentence on a wrong value of the right kind and shape, or an empty one:
            `explain(arguments, target, yours)`.
        forbids: Dotted names that the answer may not import or use, with all below them: what
            would do its work.
        time_limit_s: Seconds for the answer's cell, and again for all its cases.

    >>> Exercise(
    ...     id="square", lab="99_demo", title="Square a number", symbol="square", points=5,
    ...     minutes=2, difficulty=1, draw=lambda rng: (int(rng.integers(9)),),
    ...     hints=("A power.", "The second.", "x ** 2"),
    ... ).heading()
    '**Exercise · Square a number** ●○○ · 2 minutes · 5 points'
    """

    symbol: str
    difficulty: int
    draw: Callable[[np.random.Generator], Arguments]
    hints: tuple[str, str, str]
    cases: int = 8
    rtol: float = 1e-9
    atol: float = 0.0
    reason: str = "the same float64 operations in another order"
    needs: tuple[str, ...] = ()
    explain: Callable[[Arguments, Any, Any], str] | None = None
    forbids: tuple[str, ...] = ()
    time_limit_s: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.symbol.isidentifier():
            _check.fail("Exercise", "symbol", "must be a Python name", self.symbol)
        _check.whole("Exercise", "difficulty", self.difficulty, 1, 3)
        _check.whole("Exercise", "cases", self.cases, 3, 64)
        _check.whole("Exercise", "time_limit_s", self.time_limit_s, 1, _LONGEST_S)
        _check.at_least("Exercise", "rtol", self.rtol, 0)
        _check.at_least("Exercise", "atol", self.atol, 0)
        if (self.rtol, self.atol) != (1e-9, 0.0) and self.reason == type(self).reason:
            _check.fail("Exercise", "reason", "must say why the tolerance is so", self.reason)
        if len(self.hints) != 3 or not all(hint.strip() for hint in self.hints):
            _check.fail("Exercise", "hints", "must be three, none empty", self.hints)
        _check.kind("Exercise", "forbids", self.forbids, tuple)
        for name in self.forbids:
            if not _NAME.fullmatch(name):
                _check.fail("Exercise", "forbids", "must be dotted names", name)

    def rule_line(self) -> str:
        """What the answer may not use, as a sentence; empty where there is no rule."""
        if not self.forbids:
            return ""
        *first, last = [f"`{name.removeprefix('efficientdl.')}`" for name in self.forbids]
        names = f"{', '.join(first)} and {last} are" if first else f"{last} is"
        return f"Write it yourself: {names} not allowed here."

    def _marks(self) -> str:
        return " " + "●" * self.difficulty + "○" * (3 - self.difficulty)


def figure_text(value: float) -> str:
    """A figure as it is printed: whole numbers whole, others to six digits.

    >>> figure_text(1_001_152), figure_text(0.905)
    ('1,001,152', '0.905')
    """
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


@dataclass(frozen=True)
class Limit:
    """One line of a budget: `at_most("weights", 200_000, "bytes")`."""

    name: str
    value: float
    unit: str
    holds: Callable[[float, float], bool]
    words: str

    def measure(self, value: float) -> "Measured":
        """A measured figure beside this limit."""
        return Measured(self, _check.number("Limit.measure", self.name, value))

    def __str__(self) -> str:
        return f"{self.name} {self.words} {figure_text(self.value)} {self.unit}".rstrip()


def at_most(name: str, value: float, unit: str = "") -> Limit:
    """A limit that a figure may reach and not pass.

    >>> print(at_most("weights", 200_000, "bytes"))
    weights at most 200,000 bytes
    """
    return Limit(name, value, unit, operator.le, "at most")


def at_least(name: str, value: float, unit: str = "") -> Limit:
    """A limit that a figure has to reach.

    >>> at_least("accuracy", 0.9).measure(0.85).met
    False
    """
    return Limit(name, value, unit, operator.ge, "at least")


@dataclass(frozen=True)
class Measured:
    """A figure of an artefact, beside its limit."""

    limit: Limit
    value: float

    @property
    def met(self) -> bool:
        """Does the figure keep its limit?"""
        return self.limit.holds(self.value, self.limit.value)


@dataclass(frozen=True)
class Verdict:
    """What a judge found in an artefact: each figure of the budget."""

    measured: tuple[Measured, ...]

    @property
    def share(self) -> float:
        """Share of the limits that are met, 0..1."""
        return sum(m.met for m in self.measured) / len(self.measured) if self.measured else 0.0


@dataclass(frozen=True, kw_only=True)
class Challenge(Task):
    """Open work under a budget, handed in as an artefact and judged by what is measured in it.

    Attributes:
        symbol: The function that the learner defines; what it returns is handed in.
        budget: The limits.
        judge: Measures an artefact, the same for everybody who runs it: no clock, no chance.
        hints: Three stages, or none.
        time_limit_s: Seconds for the answer's cell, and again for the call that hands it in.
    """

    symbol: str
    budget: tuple[Limit, ...]
    judge: Callable[[Mapping[str, Any]], Verdict]
    hints: tuple[str, ...] = ()
    time_limit_s: int = 60

    def __post_init__(self) -> None:
        super().__post_init__()
        _check.whole("Challenge", "time_limit_s", self.time_limit_s, 1, _LONGEST_S)
        if not self.budget:
            _check.fail("Challenge", "budget", "must have a limit", self.budget)

    def budget_line(self) -> str:
        """The budget as a sentence."""
        return f"Budget: {'; '.join(map(str, self.budget))}."


@dataclass(frozen=True, kw_only=True)
class Written(Task):
    """A question answered in words, marked by a person with the rubric.

    Attributes:
        rubric: What a full answer says, one sentence each.
    """

    rubric: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rubric:
            _check.fail("Written", "rubric", "must say what a full answer says", self.rubric)

    def begun(self, source: str) -> bool:
        """Is there an answer, and not the words that hold its place?"""
        return source.strip() not in ("", PLACEHOLDER)

    def _kind(self) -> str:
        return "In your own words"
