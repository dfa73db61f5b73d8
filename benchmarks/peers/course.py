"""A course folder of nbgrader: notebooks in, points out, by its own commands."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from benchmarks.peers.pythons import Finished, call

ASSIGNMENT = "lab"
Points = Mapping[str, tuple[float | None, float]]  # by cell: earned (None: not graded), possible
_READS = Path(__file__).with_name("inside_nbgrader.py")
# Our notebooks are as learners get them: no answers to take out. The step that takes answers out
# would replace the whole cell of each exercise, its signature too.
_CONFIG = """
steps = ["LockCells", "ClearOutput", "CheckCellMetadata", "ComputeChecksums", "SaveCells"]
c = get_config()
c.GenerateAssignment.preprocessors = [f"nbgrader.preprocessors.{step}" for step in steps]
"""


@dataclass(frozen=True)
class Course:
    """A course with one assignment.

    Attributes:
        python: A Python that has nbgrader.
        folder: The course's folder.
    """

    python: Path
    folder: Path

    def prepare(self, released: NotebookNode, *, limit_s: float = 120) -> Finished:
        """Make the assignment: `nbgrader generate_assignment`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "nbgrader_config.py").write_text(_CONFIG, encoding="utf-8")
        _write(self.folder / "source" / ASSIGNMENT, released)
        return self._nbgrader("generate_assignment", ASSIGNMENT, limit_s=limit_s)

    def released(self) -> NotebookNode:
        """The notebook that nbgrader hands out."""
        return nbformat.read(self.folder / "release" / ASSIGNMENT / "lab.ipynb", as_version=4)

    def hand_in(self, student: str, notebook: NotebookNode) -> None:
        """Put a submission where nbgrader looks for it."""
        shutil.rmtree(self.folder / "autograded" / student, ignore_errors=True)
        _write(self.folder / "submitted" / student / ASSIGNMENT, notebook)

    def autograde(self, student: str = "*", *, limit_s: float = 600) -> Finished:
        """Grade what was handed in: `nbgrader autograde`."""
        words = ("autograde", ASSIGNMENT, "--create", "--force", f"--student={student}")
        return self._nbgrader(*words, limit_s=limit_s)

    def points(self) -> Mapping[str, Points]:
        """What each student earned, cell by cell, as its gradebook says."""
        words = [str(self.python), str(_READS), "points", str(self.folder), ASSIGNMENT]
        return json.loads(call(words, folder=self.folder, limit_s=60).last_line())

    def _nbgrader(self, *words: str, limit_s: float) -> Finished:
        start = [str(self.python), "-W", "ignore", "-m", "nbgrader"]
        return call([*start, *words], folder=self.folder, limit_s=limit_s)


def _write(folder: Path, notebook: NotebookNode) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / "lab.ipynb")


def problems(python: Path, files: list[Path]) -> Mapping[str, str]:
    """What nbgrader's own validator says against notebooks, by file; empty where all are valid."""
    words = [str(python), str(_READS), "validate", *map(str, files)]
    return json.loads(call(words, folder=Path.cwd(), limit_s=60).last_line())
