"""What is run for a set of tasks: the release's cells, cut down to what the answers need."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from efficientdl.course.execute import PARAMETERS
from efficientdl.course.exercise import Challenge, Exercise
from efficientdl.course.parcel import pack
from efficientdl.grading.line import Cases
from efficientdl.grading.release import Release
from efficientdl.grading.slices import Statement, needed, statements, used

_INSIDE = '__import__("efficientdl.grading.inside", fromlist=["inside"])'


class Part(StrEnum):
    """What a step of a program is."""

    GIVEN = "given"
    ANSWER = "answer"
    ASK = "ask"


@dataclass(frozen=True)
class Step:
    """One piece of code for the kernel.

    Attributes:
        part: Whose code it is.
        source: The code.
        id: The task, for what is not given.
        time_limit_s: From the cell's metadata; None where it says nothing.
        cell: The id of the release's cell that it stands for.
        sure: Does a failure of a handed-out cell tell a fault of the machine or the lab? Not
            after an answer that is not run, for it may use that.
        hidden: Is it given inputs that nobody may see?
        owes: How many answers it has to give.
    """

    part: Part
    source: str
    id: str = ""
    time_limit_s: float | None = None
    cell: str = ""
    sure: bool = True
    hidden: bool = False
    owes: int = 0


def program(
    release: Release,
    answers: Mapping[str, str],
    cases: Mapping[str, Cases],
    tasks: Sequence[str],
    *,
    also: Sequence[str] = (),
) -> list[Step]:
    """The steps that run and ask the answers to some tasks, in the order of the lab.

    Args:
        release: Gives every cell that is no answer.
        answers: The learner's answers by task.
        cases: What exercises are asked.
        tasks: The tasks to run and ask.
        also: Tasks whose answers are run because others need them.
    """
    run = {*tasks, *also}
    code = [cell for cell in release.learner.cells if cell.cell_type == "code"]
    roles = [_role(cell) for cell in code]
    wanted = {name for id in run for name in used(answers[id])}
    for cell, (id, role) in zip(code, roles, strict=True):
        if role == "check" and id in tasks and isinstance(release.graded[id], Challenge):
            wanted |= used(cell.source)
    given = [_given(cell, role) for cell, (_, role) in zip(code, roles, strict=True)]
    steps, sure = [], True
    for cell, (id, role), source in zip(code, roles, needed(given, wanted), strict=True):
        limit = cell.metadata.get("efficientdl", {}).get("time_limit_s")
        if source:
            steps.append(Step(Part.GIVEN, source, time_limit_s=limit, cell=cell.id, sure=sure))
        elif role == "exercise" and id in run:
            steps.append(Step(Part.ANSWER, answers[id], id, limit, cell.id))
        elif role == "check" and id in tasks:
            base = Step(Part.ASK, cell.source, id, limit, cell.id)
            steps += _asking(release, base, cases)
        sure = sure and (role != "exercise" or id in run)
    return steps


def needs(release: Release, id: str) -> list[str]:
    """The tasks whose answers a task's answer calls, and those that they call, the first first."""
    task, found = release.graded[id], []
    for other in task.needs if isinstance(task, Exercise) else ():
        found += [n for n in [*needs(release, other), other] if n not in found]
    return found


def _role(cell: Mapping) -> tuple[str, str]:
    ours = cell["metadata"].get("efficientdl", {})
    return ours.get("task", ""), ours.get("role", "")


def _given(cell: Mapping, role: str) -> list[Statement]:
    """The statements of a handed-out cell; none of an answer's cell or of a check."""
    if role in ("exercise", "check"):
        return []
    found = statements(cell["source"])
    if "parameters" in cell["metadata"].get("tags", ()):
        found += [s for name, value in PARAMETERS.items() for s in statements(f"{name} = {value}")]
    return found


def _asking(release: Release, check: Step, cases: Mapping[str, Cases]) -> list[Step]:
    """The steps that hand an answer's values, or an artefact, to the grader.

    Public cases are asked before fresh ones come in: what is shown of them cannot tell of those.
    """
    task = release.graded[check.id]
    if isinstance(task, Challenge):
        asking = f"{check.source}\n{_INSIDE}.artefact({release.lab!r}, {check.id!r})"
        return [replace(check, source=asking)]
    asked, steps = cases[check.id], []
    for inputs, hidden in ((asked.public_inputs, False), (asked.inputs, True)):
        packed = base64.b64encode(pack([*inputs])).decode()
        asking = f"{_INSIDE}.reply(globals(), {task.symbol!r}, {packed!r})"
        steps.append(replace(check, source=asking, hidden=hidden, owes=len(inputs)))
    return steps
