"""From a source to its two notebooks: the learner's, and the solution before it is run.

The same source gives the same bytes. Ids are those of the tasks, or a hash of a cell's first
line, so that a new cell changes no other. The metadata under `nbgrader` is what nbgrader reads
and writes; ours stands under `efficientdl`.
"""

import copy
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import nbformat
from nbformat import NotebookNode

from efficientdl.course.exercise import PLACEHOLDER, Challenge, Exercise, Task, Written
from efficientdl.course.source import BEGIN, END, Cell, Lab

_REGION = re.compile(
    rf"^(?P<indent>[ \t]*){BEGIN}[ \t]*\n.*?^[ \t]*{END}[ \t]*$", re.MULTILINE | re.DOTALL
)
_MARKER = re.compile(rf"^[ \t]*({BEGIN}|{END})[ \t]*\n?", re.MULTILINE)
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def learner_notebook(lab: Lab) -> NotebookNode:
    """The notebook that a learner fills in: no answers, no outputs, valid Python."""
    return _notebook(lab, _asked, {"release": lab.digest})


def solution_notebook(lab: Lab) -> NotebookNode:
    """The notebook with the answers, not run yet."""
    return _notebook(lab, _answered, {"digest": lab.digest})


def notebook_text(notebook: NotebookNode) -> str:
    """The bytes of a notebook's file."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy of a notebook as it was before it was run."""
    bare = copy.deepcopy(notebook)
    for cell in bare.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    bare.metadata.pop("widgets", None)
    return bare


def stub(task: Task, indent: str) -> str:
    """What stands in the learner's file where the answer was."""
    return task.stub(indent)


def _asked(cell: Cell) -> str:
    task = cell.task
    if cell.mark == "written":
        return PLACEHOLDER
    if cell.mark == "exercise" and task is not None:
        return _REGION.sub(lambda found: stub(task, found["indent"]), cell.source)
    return cell.source


def _answered(cell: Cell) -> str:
    if cell.mark == "written" and isinstance(cell.task, Written):
        rubric = "\n".join(f"- {line}" for line in cell.task.rubric)
        return f"{cell.source.strip()}\n\nA full answer says:\n\n{rubric}"
    return _MARKER.sub("", cell.source).rstrip("\n")


def _notebook(lab: Lab, text: Callable[[Cell], str], ours: dict[str, Any]) -> NotebookNode:
    metadata = {
        "efficientdl": {"lab": lab.name, "source": f"solutions/{lab.name}.py", **ours},
        "kernelspec": _KERNEL,
        "language_info": {"name": "python"},
    }
    notebook = nbformat.v4.new_notebook(metadata=nbformat.from_dict(metadata))
    taken: set[str] = set()
    for cell in lab.cells:
        source = text(cell)
        if cell.mark == "lead" and cell.task is not None:
            source = "\n\n".join([*_lead(cell.task), source])
        new = nbformat.v4.new_code_cell if cell.kind == "code" else nbformat.v4.new_markdown_cell
        made = new(source, id=_id(cell, taken), metadata=nbformat.from_dict(_metadata(cell)))
        notebook.cells.append(made)
    nbformat.validate(notebook)
    return notebook


def _lead(task: Task) -> list[str]:
    lines = [task.heading()]
    if isinstance(task, Challenge):
        lines.append(task.budget_line())
    if isinstance(task, Exercise) and task.forbids:
        lines.append(task.rule_line())
    return lines


def _id(cell: Cell, taken: set[str]) -> str:
    if cell.task is not None:
        base = (
            cell.task.id if cell.mark in ("exercise", "written") else f"{cell.task.id}-{cell.mark}"
        )
    else:
        first = cell.source.strip().split("\n")[0]
        base = sha256(f"{cell.kind}\0{first}".encode()).hexdigest()[:8]
    found, count = base, 1
    while found in taken:
        count += 1
        found = f"{base}-{count}"
    taken.add(found)
    return found


def _metadata(cell: Cell) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if cell.tags:
        metadata["tags"] = list(cell.tags)
    if cell.task is not None:
        ours: dict[str, Any] = {"task": cell.task.id, "role": cell.mark}
        if cell.mark in ("exercise", "check") and isinstance(cell.task, Exercise | Challenge):
            ours["time_limit_s"] = cell.task.time_limit_s
        metadata["efficientdl"] = ours
        graded = _nbgrader(cell.mark, cell.task)
        if graded:
            metadata["nbgrader"] = graded
    return metadata


def _nbgrader(mark: str, task: Task) -> dict[str, Any]:
    """The cell's metadata as nbgrader's schema 3 wants it; points only where it grades."""
    if mark == "exercise":
        return _grading(task.id, solution=True)
    if mark == "check":
        return {**_grading(f"{task.id}-check", grade=True, locked=True), "points": task.points}
    if mark == "written":
        return {**_grading(task.id, grade=True, solution=True), "points": task.points}
    return {}


def _grading(
    id: str, *, grade: bool = False, solution: bool = False, locked: bool = False
) -> dict[str, Any]:
    return {
        "grade": grade,
        "grade_id": id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
