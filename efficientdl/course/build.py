"""`efficientdl build`: labs, executed solutions, targets and the catalogue from their sources.

Only labs that changed are run. `check=True` writes nothing and names what is stale; it compares
sources, ids and metadata, never outputs.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import nbformat
from nbformat import NotebookNode

from efficientdl import _check, catalogue
from efficientdl.course import targets
from efficientdl.course.execute import PARAMETERS, errors, execute, static_environment
from efficientdl.course.exercise import Exercise
from efficientdl.course.notebook import (
    learner_notebook,
    notebook_text,
    solution_notebook,
    without_outputs,
)
from efficientdl.course.probe import draw
from efficientdl.course.registry import tasks_of
from efficientdl.course.source import Lab, read_lab
from efficientdl.course.store import write_text
from efficientdl.course.values import digest
from efficientdl.progress import progress

_CURE = "run `efficientdl build`"


def build(root: Path, *, check: bool = False, force: bool = False) -> list[str]:
    """Make everything that is made from the sources in `solutions/`.

    Args:
        root: The checkout.
        check: Write nothing; say what is stale.
        force: Run every solution, also those that did not change.

    Returns:
        What is wrong, a sentence each; empty when all is well.

    Raises:
        BadValue: The folder is no checkout, or a source breaks a rule.
    """
    if not (root / "solutions").is_dir():
        _check.fail("build", "folder", "must be a checkout, with solutions/ in it", str(root))
    labs = [read_lab(path) for path in sorted((root / "solutions").glob("*.py"))]
    if check:
        return stale(root, labs)
    for lab in labs:
        write_text(_learner(root, lab), notebook_text(learner_notebook(lab)))
    to_run = [lab for lab in labs if force or _solution_problems(root, lab)]
    problems: list[str] = []
    cells = sum(cell.kind == "code" for lab in to_run for cell in lab.cells)
    steps = _run_all(root, to_run, problems)
    for _ in progress(steps, "running solutions", total=cells) if to_run else ():
        pass
    _write_catalogue(root)
    return problems


def stale(root: Path, labs: Sequence[Lab]) -> list[str]:
    """What is not as the sources make it, a sentence each."""
    problems: list[str] = []
    for lab in labs:
        name = f"labs/{lab.name}.ipynb"
        text = _text(_learner(root, lab))
        if text != notebook_text(learner_notebook(lab)):
            problems.append(f"{name} is not what solutions/{lab.name}.py makes: {_CURE}")
        problems += _solution_problems(root, lab)
    known = {lab.name for lab in labs}
    for folder in ("labs", "solutions"):
        for path in sorted((root / folder).glob("*.ipynb")):
            if path.stem not in known:
                problems.append(f"{folder}/{path.name} has no source solutions/{path.stem}.py")
    if _is_ours(root) and _text(_catalogue(root)) != catalogue.listing_text():
        problems.append(f"efficientdl/catalogue.json is not the live catalogue: {_CURE}")
    if _is_ours(root) and _text(_readme(root)) != _listed(_text(_readme(root))):
        problems.append(f"README.md does not list the live catalogue: {_CURE}")
    return problems


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook's file.

    Raises:
        BadValue: There is none, or it is no notebook.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)
        if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
            raise ValueError("no cells")
        notebook = cast(NotebookNode, nbformat.reads(text, as_version=4))
        nbformat.validate(notebook)
    except OSError as error:
        _check.fail("notebook", where, "must be a file that can be read", error.strerror)
    except (ValueError, nbformat.ValidationError):
        _check.fail("notebook", where, "must be a notebook (JSON, format 4)", path.name)
    return notebook


def _learner(root: Path, lab: Lab) -> Path:
    return root / "labs" / f"{lab.name}.ipynb"


def _solution(root: Path, lab: Lab) -> Path:
    return root / "solutions" / f"{lab.name}.ipynb"


def _catalogue(root: Path) -> Path:
    return root / "efficientdl" / "catalogue.json"


def _readme(root: Path) -> Path:
    return root / "README.md"


def _listed(page: str) -> str:
    """The README with the catalogue between its two marks."""
    before, begin, rest = page.partition("<!-- catalogue -->\n")
    _, end, after = rest.partition("<!-- /catalogue -->")
    if not begin or not end:
        rule = "must have the marks <!-- catalogue --> and <!-- /catalogue -->"
        _check.fail("build", "README.md", rule, page[:40])
    return f"{before}{begin}{catalogue.listing_page()}{end}{after}"


def _is_ours(root: Path) -> bool:
    """Is this the checkout that the running package comes from, and not a teacher's folder?"""
    return (root / "efficientdl").resolve() == Path(catalogue.__file__).resolve().parent


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _write_catalogue(root: Path) -> None:
    if _is_ours(root):
        write_text(_catalogue(root), catalogue.listing_text())
        write_text(_readme(root), _listed(_text(_readme(root))))


def _solution_problems(root: Path, lab: Lab) -> list[str]:
    name = f"solutions/{lab.name}.ipynb"
    path = _solution(root, lab)
    if not path.is_file():
        return [f"{name} is missing: {_CURE}"]
    try:
        found = read_notebook(path)
    except _check.BadValue as error:
        return [f"{error}: {_CURE}"]
    if notebook_text(without_outputs(found)) != notebook_text(solution_notebook(lab)):
        return [f"{name} is not what solutions/{lab.name}.py makes: {_CURE}"]
    problems = [f"{name}, cell {i + 1} ends in {said}" for i, said in errors(found).items()]
    for i, cell in enumerate(found.cells):
        if cell.cell_type == "code" and cell.execution_count is None:
            problems.append(f"{name}, cell {i + 1} was not run: {_CURE} --force")
    return problems + _target_problems(lab)


def _target_problems(lab: Lab) -> list[str]:
    path = targets.targets_file(lab.name)
    name = f"targets/{path.name}"
    try:
        entries = targets.read(path)
    except _check.BadValue as error:
        return [f"{error}: {_CURE}"]
    asked = {id: t for id, t in tasks_of(lab.name).items() if isinstance(t, Exercise)}
    problems = [f"{name} has targets of {id}, which is not asked" for id in entries.keys() - asked]
    for id, exercise in asked.items():
        inputs = digest(tuple(draw(exercise, seed=targets.PUBLIC_SEED)))
        if entries.get(id, {}).get("inputs") != inputs:
            problems.append(f"{name} has no targets for the inputs of {id}: {_CURE}")
    return problems


def _run_all(root: Path, labs: Sequence[Lab], problems: list[str]) -> Iterator[int]:
    for lab in labs:
        with tempfile.TemporaryDirectory(prefix="efficientdl-") as folder:
            yield from _run(root, lab, Path(folder), problems)


def _run(root: Path, lab: Lab, folder: Path, problems: list[str]) -> Iterator[int]:
    """Run one solution; write it, and the targets that it recorded, if it ran without error."""
    notebook = solution_notebook(lab)
    try:
        yield from execute(notebook, folder, static_environment(EFFICIENTDL_CHECK="record"))
    except _check.BadValue as error:
        problems.append(f"solutions/{lab.name}.py: {error}")
        return
    wrong = errors(notebook)
    if wrong:
        name = f"solutions/{lab.name}.py"
        problems += [f"{name}, cell {i + 1} ends in {said}" for i, said in wrong.items()]
        return
    recorded = targets.read(targets.recorded_file(folder))
    targets.write(targets.targets_file(lab.name), lab.name, recorded)
    write_text(_solution(root, lab), notebook_text(notebook))


__all__ = ["PARAMETERS", "build", "read_notebook", "stale"]
