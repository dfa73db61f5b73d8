"""The source of a lab: `solutions/NN_name.py`, a notebook as text (jupytext's py:percent).

Cells carry a short mark: `exercise="id"` on the cell with the answer, which stands between
`### BEGIN SOLUTION` and `### END SOLUTION`; `lead="id"` on the text that asks for it;
`written="id"` on a sample answer in words. What is wrong in a source is said as one sentence
with file and cell.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Never

from nbformat import NotebookNode

from efficientdl import _check
from efficientdl.course.exercise import Challenge, Exercise, Task, Written
from efficientdl.course.registry import find, module_file, tasks_of

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
_FORMAT = 2  # goes up when the builder makes other notebooks from the same source
_NAME = re.compile(r"\d\d_[a-z0-9_]+\.py")
_MARKS = ("exercise", "lead", "written")
_KNOWN = (*_MARKS, "tags", "lines_to_next_cell")
_CALLS = {"check": Exercise, "submit": Challenge}


@dataclass(frozen=True)
class Cell:
    """One cell of a source.

    Attributes:
        number: Its place, from 1.
        kind: `code` or `markdown`.
        source: Its text.
        mark: `exercise`, `lead`, `written`, `check` (found by its call), or nothing.
        task: The task that the mark names.
        tags: Jupyter's tags.
    """

    number: int
    kind: str
    source: str
    mark: str = ""
    task: Task | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lab:
    """A lab as it is written.

    Attributes:
        name: `01_costs`.
        cells: In order.
        digest: Fingerprint of all that its notebooks are made from.
    """

    name: str
    cells: tuple[Cell, ...]
    digest: str = field(repr=False)


def read_lab(path: Path) -> Lab:
    """Read and check one source.

    Raises:
        BadValue: The file is no notebook as text, or breaks a rule of the course.
    """
    where = f"{path.parent.name}/{path.name}"
    if not _NAME.fullmatch(path.name):
        _check.fail("build", where, "must be named NN_name.py", path.name)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        _check.fail("build", where, "must be a text file in UTF-8", path.name)
    cells = tuple(_cell(where, i, cell) for i, cell in enumerate(_cells(where, text), start=1))
    _complete(where, path.stem, cells)
    tasks = module_file(path.stem)
    made_from = [text, tasks.read_text(encoding="utf-8") if tasks.is_file() else "", str(_FORMAT)]
    return Lab(path.stem, cells, sha256("\0".join(made_from).encode()).hexdigest()[:16])


def _cells(where: str, text: str) -> Sequence[NotebookNode]:
    import jupytext

    if not re.search(r"^# %%", text, re.MULTILINE):
        rule = "must be a notebook as text, with cells that begin with `# %%`"
        _check.fail("build", where, rule, text.strip()[:40])
    return jupytext.reads(text, fmt="py:percent").cells


def _fail(where: str, number: int, rule: str, value: object) -> Never:
    _check.fail("build", f"{where}, cell {number}", rule, value)


def _cell(where: str, number: int, cell: NotebookNode) -> Cell:
    marks = [key for key in _MARKS if key in cell.metadata]
    for key in cell.metadata:
        _check.one_of("build", f"mark of {where}, cell {number}", key, _KNOWN)
    if len(marks) > 1:
        _fail(where, number, "must have one mark", marks)
    if cell.cell_type not in ("code", "markdown"):
        _fail(where, number, "must be code or markdown", cell.cell_type)
    mark = marks[0] if marks else ""
    if mark and (cell.cell_type == "code") != (mark == "exercise"):
        _fail(where, number, f"cannot be marked {mark}", cell.cell_type)
    tags = tuple(cell.metadata.get("tags", ()))
    task = _marked(where, number, mark, str(cell.metadata[mark])) if mark else None
    if cell.cell_type == "code":
        _markers(where, number, cell.source, answer=mark == "exercise")
        called = _checked(where, number, cell.source)
        if called and mark:
            _fail(where, number, "must not hold an answer and its check", called.id)
        mark, task = ("check", called) if called else (mark, task)
    return Cell(number, cell.cell_type, cell.source, mark, task, tags)


def _marked(where: str, number: int, mark: str, id: str) -> Task:
    caller = f"build: {where}, cell {number}"
    if mark == "written":
        return find(caller, id, Written)
    task = find(caller, id, Task)
    if mark == "exercise" and not isinstance(task, Exercise | Challenge):
        _fail(where, number, "must be marked with an exercise or a challenge", id)
    return task


def _markers(where: str, number: int, source: str, *, answer: bool) -> None:
    found = [line.strip() for line in source.splitlines() if line.strip() in (BEGIN, END)]
    if found != [BEGIN, END] * (len(found) // 2):
        rule = f"must close every `{BEGIN}` with `{END}`"
        _fail(where, number, rule, f"{found.count(BEGIN)} and {found.count(END)}")
    if found and not answer:
        _fail(where, number, 'has a solution, so it must be marked exercise="id"', BEGIN)
    if answer and not found:
        rule = f"must have its solution between `{BEGIN}` and `{END}`"
        _fail(where, number, rule, source.splitlines()[:1])


def _checked(where: str, number: int, source: str) -> Task | None:
    """The task whose `check` or `submit` stands in a code cell."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        _fail(where, number, f"must be valid Python ({error.msg})", error.text)
    found: list[Task] = []
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        first = call.args[0] if call.args else None
        if call.func.id in _CALLS and isinstance(first, ast.Constant):
            kind = _CALLS[call.func.id]
            found.append(find(f"build: {where}, cell {number}", str(first.value), kind))
    if len(found) > 1:
        _fail(where, number, "must check one exercise", [task.id for task in found])
    return found[0] if found else None


def _complete(where: str, lab: str, cells: Sequence[Cell]) -> None:
    """Every task of the lab is asked once, answered once, and checked after its answer."""
    for mark in (*_MARKS, "check"):
        marked = [cell for cell in cells if cell.mark == mark and cell.task]
        for i, cell in enumerate(marked):
            assert cell.task is not None
            if cell.task in [before.task for before in marked[:i]]:
                _fail(where, cell.number, f"must be the only {mark} of its task", cell.task.id)
            if cell.task.lab != lab:
                _fail(where, cell.number, f"must be a task of {lab}", cell.task.lab)
    place = {(cell.mark, cell.task.id): cell.number for cell in cells if cell.task}
    for id, task in tasks_of(lab).items():
        answer = place.get(("written" if isinstance(task, Written) else "exercise", id))
        if answer is None:
            _check.fail("build", where, "must have a cell that answers every task of its lab", id)
        if not isinstance(task, Written) and place.get(("check", id), 0) < answer:
            call = "submit" if isinstance(task, Challenge) else "check"
            _fail(where, answer, f'must be followed by a cell with {call}("{id}")', id)
