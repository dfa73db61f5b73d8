"""The release of a lab: what was handed out, and the solution that it was made from.

A submission gives nothing but answers; every other cell that grading runs comes from here.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from efficientdl import _check
from efficientdl.course.build import read_notebook
from efficientdl.course.exercise import Challenge, Exercise, Task
from efficientdl.course.registry import tasks_of


@dataclass(frozen=True)
class Release:
    """One lab as it was released.

    Attributes:
        root: The checkout, with labs/ and solutions/ in it.
        lab: `01_costs`.
        digest: Of the lab's source.
        learner: The notebook that was handed out.
        solution: The same cells with the answers.
    """

    root: Path
    lab: str
    digest: str
    learner: NotebookNode
    solution: NotebookNode

    @property
    def tasks(self) -> Mapping[str, Task]:
        """Every task of the lab, in its order."""
        return tasks_of(self.lab)

    @property
    def graded(self) -> Mapping[str, Exercise | Challenge]:
        """The tasks that are graded by running something."""
        return {i: t for i, t in self.tasks.items() if isinstance(t, Exercise | Challenge)}

    def cell(self, id: str, role: str) -> NotebookNode | None:
        """The handed-out cell of a task with this role: `lead`, `exercise`, `check`, `written`."""
        for cell in self.learner.cells:
            ours = cell.metadata.get("efficientdl", {})
            if (ours.get("task"), ours.get("role")) == (id, role):
                return cell
        return None

    def asked(self, id: str) -> str:
        """What was asked, in Markdown: the text above the answer, without its heading line."""
        lead = self.cell(id, "lead")
        return lead.source.partition("\n\n")[2] if lead else ""

    def stub(self, id: str) -> str:
        """What stood in the answer's cell when it was handed out."""
        cell = self.cell(id, "exercise") or self.cell(id, "written")
        return cell.source if cell else ""

    def arguments(self, exercise: Exercise) -> list[str]:
        """The names of an exercise's arguments, as they were handed out."""
        for node in ast.walk(ast.parse(self.stub(exercise.id))):
            if isinstance(node, ast.FunctionDef) and node.name == exercise.symbol:
                given = node.args
                return [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        return []


def labs(root: Path) -> list[str]:
    """The labs that a checkout releases.

    Raises:
        BadValue: The folder is no checkout.
    """
    if not (root / "labs").is_dir() or not (root / "solutions").is_dir():
        rule = "must be a checkout, with labs/ and solutions/ in it"
        _check.fail("grade", "course", rule, str(root))
    return sorted(path.stem for path in (root / "labs").glob("[0-9][0-9]_*.ipynb"))


def find_release(root: Path, lab: str) -> Release:
    """The release of a lab, named whole (`01_costs`) or by its number (`01`, `1`).

    Raises:
        BadValue: There is no such lab.
    """
    known = labs(root)
    number = lab.zfill(2) if lab.isdigit() else lab
    named = [name for name in known if name == lab or name.split("_")[0] == number]
    if len(named) != 1:
        _check.one_of("grade", "lab", lab, known)
    name = named[0]
    learner = read_notebook(root / "labs" / f"{name}.ipynb")
    solution = read_notebook(root / "solutions" / f"{name}.ipynb")
    digest = solution.metadata.get("efficientdl", {}).get("digest", "")
    return Release(root, name, digest, learner, solution)


def default_root() -> Path:
    """The checkout that the running package stands in, or the folder one works in."""
    package = Path(__file__).resolve().parents[2]
    return package if (package / "solutions").is_dir() else Path.cwd()
