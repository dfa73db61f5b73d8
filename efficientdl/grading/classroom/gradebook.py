"""A class's results as tables: for people, for Canvas and for Moodle.

`gradebook.csv` has a line for each submission. It begins with a byte order mark, because Excel
takes a file without one for something other than UTF-8. `canvas.csv` and `moodle.csv` have a line
for each learner, whose best submission counts, and no mark: a machine reads them.

Totals are of what is graded by running it; answers in words are for a person to mark. A total
with points in it that the grader failed to give is no grade yet: the course systems get an empty
cell, which changes nothing there.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from efficientdl.course.store import write_text
from efficientdl.grading.classroom.journal import Entry

# What a spreadsheet would take for a formula, in the widths that it may be written in.
_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
_MARK = "\ufeff"
Row = list[str]


def write_gradebooks(out: Path, entries: Sequence[Entry], titles: Mapping[str, str]) -> list[Path]:
    """Write the tables of a class into a folder.

    Canvas finds its learners by ID, where the file's name told it, otherwise by name or login.
    It finds its assignment by title: "Lab 1 (4711)" with the assignment's number behind it finds
    that one, a title that it does not know makes a new one. Moodle wants a worksheet for each
    assignment; one is written for each lab whose submissions came from Moodle.

    Args:
        out: The folder.
        entries: The lines of the class's journal.
        titles: What the course system calls each lab; the lab's own name where one is missing.

    Returns:
        The files written.
    """
    tables = {"gradebook.csv": _MARK + _csv(plain_rows(entries))}
    labs = sorted({_lab(entry) for entry in entries if entry["score"]})
    tables["canvas.csv"] = _csv(canvas_rows(entries, titles))
    for lab in labs:
        rows = moodle_rows(entries, lab)
        if len(rows) > 1:
            tables["moodle.csv" if len(labs) == 1 else f"moodle-{lab}.csv"] = _csv(rows)
    for name, text in tables.items():
        write_text(out / name, text)
    return [out / name for name in tables]


def plain_rows(entries: Iterable[Entry]) -> list[Row]:
    """Every submission: who, where, which lab, how it ended, total, and each exercise."""
    listed = sorted(entries, key=lambda entry: (entry["learner"], entry["place"]))
    tasks = list(dict.fromkeys(task["id"] for e in _by_lab(listed) for task in _tasks(e)))
    head = ["learner", "place", "lab", "status", "total", "points", "ungraded", "remark"]
    rows = [[*head, *tasks]]
    for entry in listed:
        earned = {task["id"]: _number(task["earned"]) for task in _tasks(entry)}
        total = entry["score"]["total"] if entry["score"] else {}
        figures = [_number(total.get(name)) for name in ("earned", "points", "ungraded")]
        about = [entry["learner"], entry["place"], _lab(entry), entry["status"]]
        rows.append([*about, *figures, entry["reason"], *(earned.get(id, "") for id in tasks)])
    return rows


def canvas_rows(entries: Iterable[Entry], titles: Mapping[str, str]) -> list[Row]:
    """A gradebook as Canvas imports it: a column for each lab, and what each is worth."""
    best = best_entries(entries)
    labs = sorted({lab for _, lab in best})
    worth = {lab: max(_worth(e) for (_, of), e in best.items() if of == lab) for lab in labs}
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [[*head, *(titles.get(lab, lab) for lab in labs)]]
    rows.append(["Points Possible", "", "", "", "", *(_number(worth[lab]) for lab in labs)])
    for learner in dict.fromkeys(learner for learner, _ in best):
        theirs = {lab: best[learner, lab] for lab in labs if (learner, lab) in best}
        ids = next(iter(theirs.values()))["ids"]
        number = ids.get("canvas_user", "")
        # Canvas takes a row whose first cell says this for the points, not for a person.
        name = learner.replace("Points Possible", "Points_Possible")
        login = "" if ids else learner
        grades = [_grade(theirs[lab]) if lab in theirs else "" for lab in labs]
        rows.append([name, number, "", login, "", *grades])
    return rows


def moodle_rows(entries: Iterable[Entry], lab: str) -> list[Row]:
    """A grading worksheet of one assignment as Moodle's "Upload grading worksheet" reads it.

    Its importer asks for "Identifier", "Grade" and "Last modified (grade)"; the last one may be
    empty on the page that asks whether to overwrite newer grades.
    """
    rows = [
        ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)",
         "Feedback comments"]
    ]  # fmt: skip
    for (learner, of), entry in best_entries(entries).items():
        number = entry["ids"].get("moodle_participant")
        if of == lab and number:
            worth, said = _number(_worth(entry)), _feedback(entry)
            rows.append([f"Participant {number}", learner, _grade(entry), worth, "-", said])
    return rows


def best_entries(entries: Iterable[Entry]) -> dict[tuple[str, str], Entry]:
    """The submission that counts for each learner and lab: the best total, the first of equals."""
    best: dict[tuple[str, str], Entry] = {}
    for entry in sorted(entries, key=lambda entry: (entry["learner"], entry["place"])):
        if not entry["score"]:
            continue
        whose = (entry["learner"], _lab(entry))
        if whose not in best or _earned(entry) > _earned(best[whose]):
            best[whose] = entry
    return best


def cell(text: str) -> str:
    """A table's cell that no spreadsheet takes for a formula, on one line.

    >>> cell("=HYPERLINK(0)"), cell("Zoë"), cell(" a\\n b ")
    ("'=HYPERLINK(0)", 'Zoë', 'a b')
    """
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"'{plain}" if plain.startswith(_FORMULA) else plain


def _csv(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    # A dash alone is what Moodle writes for "never".
    writer.writerows([found if found == "-" else cell(found) for found in row] for row in rows)
    return text.getvalue()


def _feedback(entry: Entry) -> str:
    """A line for the learner: how each exercise came out."""
    said = [
        f"{task['title']}: {_number(task['earned']) or 'not graded'} of {task['points']}"
        for task in _tasks(entry)
    ]
    return "; ".join(said)


def _by_lab(entries: Iterable[Entry]) -> Iterator[Entry]:
    yield from sorted((e for e in entries if e["score"]), key=_lab)


def _tasks(entry: Entry) -> list[Entry]:
    return entry["score"]["exercises"] if entry["score"] else []


def _lab(entry: Entry) -> str:
    return entry["score"]["release"]["lab"] if entry["score"] else ""


def _earned(entry: Entry) -> float:
    return entry["score"]["total"]["earned"]


def _worth(entry: Entry) -> float:
    """Points of the whole lab, also of what could not be graded."""
    return entry["score"]["total"]["points"] + entry["score"]["total"]["ungraded"]


def _grade(entry: Entry) -> str:
    return "" if entry["score"]["total"]["ungraded"] else _number(_earned(entry))


def _number(value: float | None) -> str:
    """A figure with at most two decimals and a point; empty where there is none."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")
