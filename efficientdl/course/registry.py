"""All tasks of the course by id, from the modules in `exercises/`.

`EFFICIENTDL_COURSE` names another folder with `exercises/` and `targets/` in it, for labs that a
teacher adds without touching the package.
"""

import importlib
import importlib.util
import os
import re
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TypeVar

from efficientdl import _check
from efficientdl.course.exercise import Exercise, Task

_PACKAGE = Path(__file__).resolve().parent
_MODULE = re.compile(r"lab_(\d\d)\.py")
T = TypeVar("T", bound=Task)
Tasks = MappingProxyType[str, Task]


def course_folder() -> Path:
    """The folder with `exercises/` and `targets/`.

    Raises:
        BadValue: `EFFICIENTDL_COURSE` names none.
    """
    folder = Path(os.environ.get("EFFICIENTDL_COURSE") or _PACKAGE)
    if not (folder / "exercises").is_dir():
        rule = "must be a folder with exercises/ in it"
        _check.fail("efficientdl", "EFFICIENTDL_COURSE", rule, str(folder))
    return folder.resolve()


def tasks() -> Tasks:
    """Every task of the course, in the order of the labs."""
    return _tasks(course_folder())


def tasks_of(lab: str) -> Tasks:
    """The tasks of one lab, `01_costs`, in its order."""
    return MappingProxyType({id: t for id, t in tasks().items() if t.lab == lab})


def find(caller: str, id: str, kind: type[T]) -> T:
    """The task of this id, which must be of this kind.

    Raises:
        BadValue: There is no such task; the nearest is suggested.
    """
    found = tasks().get(id)
    if not isinstance(found, kind):
        names = [name for name, task in tasks().items() if isinstance(task, kind)]
        _check.one_of(caller, "id", id, names)
    return found  # pyright: ignore[reportReturnType]


def module_file(lab: str) -> Path:
    """Where the tasks of a lab stand: the file that its name's number gives."""
    return course_folder() / "exercises" / f"lab_{lab[:2]}.py"


@cache
def _tasks(folder: Path) -> Tasks:
    found: dict[str, Task] = {}
    for path in sorted((folder / "exercises").glob("lab_*.py")):
        for task in _listed(path, folder):
            if task.id in found:
                rule = f"must be new; {found[task.id].lab} has it"
                _check.fail(f"exercises/{path.name}", "id", rule, task.id)
            found[task.id] = task
    for task in found.values():
        _needs(task, found)
    return MappingProxyType(found)


def _listed(path: Path, folder: Path) -> list[Task]:
    where = f"exercises/{path.name}"
    number = _MODULE.fullmatch(path.name)
    if number is None:
        _check.fail("exercises", "file", "must be named lab_NN.py", path.name)
    listed = getattr(_load(path, folder), "TASKS", None)
    if not isinstance(listed, list) or not all(isinstance(task, Task) for task in listed):
        _check.fail(where, "TASKS", "must be a list of tasks", listed)
    for task in listed:
        if not task.lab.startswith(f"{number[1]}_"):
            _check.fail(where, f"lab of {task.id!r}", f"must begin with {number[1]}_", task.lab)
    return listed


def _load(path: Path, folder: Path) -> ModuleType:
    if folder == _PACKAGE:
        return importlib.import_module(f"efficientdl.course.exercises.{path.stem}")
    spec = importlib.util.spec_from_file_location(f"efficientdl_course_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _needs(task: Task, known: dict[str, Task]) -> None:
    for id in getattr(task, "needs", ()):
        inside = [t.id for t in known.values() if t.lab == task.lab and isinstance(t, Exercise)]
        _check.one_of(task.id, "needs", id, inside)
