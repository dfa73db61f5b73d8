"""`course_progress()` and `efficientdl progress`: which labs, which points, from what is on disk.

The notebooks in a folder say what was begun, the notes in `.progress` how the checks came out. A
notebook that cannot be read is a line in the table's foot, never an error.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.course import cards, store
from efficientdl.course.exercise import Challenge, Exercise, Task
from efficientdl.course.registry import tasks
from efficientdl.course.rules import fingerprint
from efficientdl.progress import ui_mode

_WORDS = {"correct": "right", "partial": "partly right", "not_attempted": "not begun"}
_BEGUN = ("right", "partly right", "not right yet", "handed in")
_LABS = "[0-9][0-9]_*.ipynb"
_DIFFERS = (
    "Saved cell differs: the notebook's file holds another answer than the one that was checked. "
    "Save the notebook, or run the cell and its check again."
)
Notes = Mapping[str, Mapping[str, store.Entry]]
Cells = Mapping[str, str]  # the source of each task's cell, by the task's id


@dataclass(frozen=True)
class Standing:
    """How one task stands.

    Attributes:
        id: The task.
        title: What it is.
        standing: In words: `right`, `written, not checked`.
        earned: Points, as far as the public cases tell.
        points: What it is worth.
        differs: Does the notebook's file hold another answer than the one that was checked?
    """

    id: str
    title: str
    standing: str
    earned: int
    points: int
    differs: bool = False


@dataclass(frozen=True)
class LabStanding:
    """How a lab stands: its tasks, and their sum."""

    lab: str
    tasks: tuple[Standing, ...]

    @property
    def earned(self) -> int:
        """Points earned."""
        return sum(task.earned for task in self.tasks)

    @property
    def points(self) -> int:
        """Points to earn."""
        return sum(task.points for task in self.tasks)


@dataclass(frozen=True)
class Overview:
    """Every lab that is there, and a sentence for each notebook that could not be counted."""

    labs: tuple[LabStanding, ...]
    remarks: tuple[str, ...] = field(default=())

    @property
    def first_line(self) -> str:
        """The total."""
        earned, points = (sum(getattr(lab, n) for lab in self.labs) for n in ("earned", "points"))
        return f"{earned} of {points} points, as far as the public cases tell."

    @property
    def rows(self) -> list[list[str]]:
        """The table: a row for each task, and below those of a lab one for their sum."""
        rows = [["task", "lab", "standing", "points"]]
        for lab in self.labs:
            for task in lab.tasks:
                words = task.standing + (", saved cell differs" if task.differs else "")
                rows.append([task.title, lab.lab, words, f"{task.earned} of {task.points}"])
            rows.append(["all of it", lab.lab, "", f"{lab.earned} of {lab.points}"])
        return rows

    @property
    def text(self) -> str:
        """Total, table and remarks as text."""
        table = cards.table_text(self.rows) if self.labs else ""
        return "\n\n".join(part for part in (self.first_line, table, *self.feet) if part)

    @property
    def feet(self) -> tuple[str, ...]:
        """The sentences below the table."""
        differs = any(task.differs for lab in self.labs for task in lab.tasks)
        return (*([_DIFFERS] if differs else []), *self.remarks)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        sums = {"earned": sum(lab.earned for lab in self.labs)}
        sums["points"] = sum(lab.points for lab in self.labs)
        labs = [{**asdict(lab), "earned": lab.earned, "points": lab.points} for lab in self.labs]
        return {**sums, "labs": labs, "remarks": list(self.remarks)}


def course_progress() -> cards.Card:
    """The labs in the folder as a table: how each task stands, and its points.

    The points are those of the public cases; a grader probes with fresh ones, and a person reads
    the answers in words. On a page that is only read (static) the notebooks on disk are not
    looked at, and tasks that were not begun are left out: a lab's page then stays the same when
    the course grows.
    """
    if ui_mode() == "static":
        found = noted(store.everything())
    else:
        found = overview(lab_folder(Path.cwd()), store.everything())
    table = cards.table_html("Your way through the course", found.rows) if found.labs else ""
    lines = [cards.paragraph(found.first_line), table, *map(cards.paragraph, found.feet)]
    return cards.Card(found.text, cards.status(*lines))


def progress_of(folder: Path) -> Overview:
    """The labs of a folder, or of `labs/` in it, with what `.progress` beside them says.

    Raises:
        BadValue: It is no folder.
    """
    if not folder.is_dir():
        _check.fail("progress", "folder", "must be a folder", str(folder))
    folder = lab_folder(folder)
    path = Path(os.environ.get("EFFICIENTDL_HOME") or folder) / ".progress" / "progress.json"
    notes, remark = _notes(path)
    found = overview(folder, notes)
    return Overview(found.labs, (*found.remarks, *remark))


def lab_folder(folder: Path) -> Path:
    """Where the labs are: in this folder, or in `labs/` below it."""
    below = folder / "labs"
    return below if not any(folder.glob(_LABS)) and any(below.glob(_LABS)) else folder


def noted(notes: Notes) -> Overview:
    """What the notes alone tell: the tasks that were checked or handed in."""
    return Overview(tuple(_labs(notes, {}, begun_only=True)))


def overview(folder: Path, notes: Notes) -> Overview:
    """The labs whose notebooks are in a folder, and those that the notes know.

    Args:
        folder: With notebooks named `NN_*.ipynb`.
        notes: Of the checks and of what was handed in.
    """
    cells: dict[str, Cells] = {}
    remarks: list[str] = []
    known = {task.lab for task in tasks().values()}
    # A lab's own file before its copies, and of the copies the newest.
    paths = sorted(folder.glob(_LABS), key=lambda p: (p.stem not in known, -_changed(p)))
    for path in paths:
        lab, found = _read(path)
        if found is None:
            remarks.append(f"{path.name} cannot be read as a notebook.")
        elif lab not in known:
            remarks.append(f"{path.name} is no lab of this course.")
        elif lab in cells:
            remarks.append(f"{path.name} is a second notebook of {lab}; it is not counted.")
        else:
            cells[lab] = found
    if not paths:
        remarks.append("There is no notebook of a lab in this folder.")
    return Overview(tuple(_labs(notes, cells, begun_only=False)), tuple(sorted(remarks)))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a link to nowhere; reading it will say so
        return 0.0


def _labs(notes: Notes, cells: Mapping[str, Cells], *, begun_only: bool) -> list[LabStanding]:
    rows: dict[str, list[Standing]] = {lab: [] for lab in cells}
    begun: set[str] = set(cells)
    for task in tasks().values():
        row = _standing(task, notes, cells.get(task.lab))
        is_begun = row.standing in _BEGUN
        begun |= {task.lab} if is_begun else set()
        if is_begun or not begun_only:
            rows.setdefault(task.lab, []).append(row)
    order = dict.fromkeys(task.lab for task in tasks().values())
    return [LabStanding(lab, tuple(rows[lab])) for lab in order if lab in begun]


def _standing(task: Task, notes: Notes, cells: Cells | None) -> Standing:
    """How a task stands by its cell (no cells: there is no notebook) and by the notes."""
    source = None if cells is None else cells.get(task.id, "")
    begun = source is not None and task.begun(source)
    entry: store.Entry | None = None
    if isinstance(task, Exercise):
        entry = notes.get("checks", {}).get(task.id)
        share, idle = _share(entry, "best"), "written, not checked"
        words = _WORDS.get(str((entry or {}).get("outcome", "")), "not right yet")
    elif isinstance(task, Challenge):
        entry = notes.get("artefacts", {}).get(task.id)
        share, idle, words = _share(entry, "share"), "written, not handed in", "handed in"
    else:
        share, idle, words = 0.0, "for a person to read", ""
    if entry is None:
        words = idle if begun else "not begun"
    differs = source is not None and entry is not None and not (begun and _same(source, entry))
    earned = int(task.points * share + 1e-9)  # 22 * (15 / 22) is less than 15
    return Standing(task.id, task.title, words, earned, task.points, differs)


def _share(entry: store.Entry | None, name: str) -> float:
    found = (entry or {}).get(name, 0.0)
    return min(max(float(found), 0.0), 1.0) if isinstance(found, int | float) else 0.0


def _same(source: str, entry: store.Entry) -> bool:
    return entry.get("answer", found := fingerprint(source)) == found


def _read(path: Path) -> tuple[str, Cells | None]:
    """The lab of a notebook and the answers in it; no answers where it is no notebook."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        lab = found["metadata"].get("efficientdl", {}).get("lab", path.stem)
        return str(lab), dict(map(_answer, filter(_is_answer, found["cells"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return path.stem, None


def _is_answer(cell: Mapping[str, Any]) -> bool:
    return cell["metadata"].get("efficientdl", {}).get("role") in ("exercise", "written")


def _answer(cell: Mapping[str, Any]) -> tuple[str, str]:
    source: str | Sequence[str] = cell["source"]
    return str(cell["metadata"]["efficientdl"]["task"]), "".join(source)


def _notes(path: Path) -> tuple[Notes, tuple[str, ...]]:
    """The notes of a folder, read and left as they are; a remark where that cannot be done."""
    if not path.is_file():
        return {}, ()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {k: {id: dict(e) for id, e in entries.items()} for k, entries in found.items()}, ()
    except (OSError, ValueError, TypeError, AttributeError):
        return {}, ("The notes of the checks, .progress/progress.json, cannot be read.",)
