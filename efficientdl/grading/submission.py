"""The static stage: a submission is read as data, and its answers are found by their ids.

Nothing is run. Everything that is not an answer is left behind, whatever was done to it.
"""

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from efficientdl.course.exercise import Written
from efficientdl.grading.handed_in import LARGEST_NOTEBOOK_BYTES, HandedIn
from efficientdl.grading.release import Release

_MOST_CELLS = 2000
_LONGEST_ANSWER = 100_000
_LONGEST_TEXT = 20_000
_MOST_MAGICS = 50  # each makes IPython read the whole cell once more
_MAGIC = re.compile(r"^\s*[%!?,;/]|=\s*[%!]|\?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Submission:
    """What a learner answered.

    Attributes:
        handed_in: The bytes.
        answers: Source of each answer that was begun, by task, as plain Python.
        broken: Answers that are no Python: the sentence, by task.
        written: Answers in words, by task.
        notes: Sentences about the submission as a whole.
        release: The digest of the release that it says it was made from.
    """

    handed_in: HandedIn
    answers: Mapping[str, str]
    broken: Mapping[str, str]
    written: Mapping[str, str]
    notes: tuple[str, ...]
    release: str | None


class _Unreadable(ValueError):
    """Why a file is no notebook, in words."""


def lab_named(handed_in: HandedIn) -> str | None:
    """The lab that a submission says it is of, if it can be read and says so."""
    try:
        ours = _ours(_notebook(handed_in.data))
    except _Unreadable:
        return None
    return _stated(ours, "lab")


def read_submission(handed_in: HandedIn, release: Release) -> Submission:
    """Find the answers to a release's tasks; a file that cannot be read has none."""
    try:
        notebook = _notebook(handed_in.data)
    except _Unreadable as error:
        return Submission(handed_in, {}, {}, {}, (f"The file {error}.",), None)
    ours = _ours(notebook)
    notes = _about_the_lab(ours, release)
    answers, broken, written = {}, {}, {}
    for id, task in release.tasks.items():
        source, note = _answer(notebook["cells"], id, release)
        notes += [note] if note else []
        if not source:
            continue
        if isinstance(task, Written):
            written[id] = source[:_LONGEST_TEXT]
            continue
        plain, said = _python(source)
        if said:
            broken[id] = said
        answers[id] = plain
    notes += _left_behind(notebook["cells"], release)
    made_from = _stated(ours, "release")
    return Submission(handed_in, answers, broken, written, tuple(notes), made_from)


def _stated(ours: Mapping[str, Any], name: str) -> str | None:
    """What a notebook says about itself: short, and without half surrogates."""
    said = ours.get(name)
    return said[:80].encode("utf-8", "replace").decode() if isinstance(said, str) else None


def _notebook(data: bytes) -> dict[str, Any]:
    """The notebook as JSON, with a list of cells that have a type and a source."""
    if len(data) > LARGEST_NOTEBOOK_BYTES:
        raise _Unreadable(f"is larger than {LARGEST_NOTEBOOK_BYTES // 2**20} MB: clear its outputs")
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise _Unreadable("is not text in UTF-8") from None
    except (ValueError, RecursionError):
        raise _Unreadable("is not JSON, so it is no notebook") from None
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
        raise _Unreadable("is no notebook of format 4")
    if len(found["cells"]) > _MOST_CELLS:
        raise _Unreadable(f"has more than {_MOST_CELLS} cells")
    found["cells"] = [cell for cell in map(_cell, found["cells"]) if cell]
    return found


def _cell(cell: object) -> dict[str, Any] | None:
    """A cell with a source in one piece and metadata; None for what is none."""
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown"):
        return None
    source, metadata = cell.get("source"), cell.get("metadata")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    source = source.encode("utf-8", "replace").decode()  # no half surrogates
    kept = metadata if isinstance(metadata, dict) else {}
    return {"type": cell["cell_type"], "id": cell.get("id"), "source": source, "metadata": kept}


def _ours(holder: Mapping[str, Any]) -> dict[str, Any]:
    metadata = holder.get("metadata")
    ours = metadata.get("efficientdl") if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}


def _about_the_lab(ours: Mapping[str, Any], release: Release) -> list[str]:
    lab, digest = _stated(ours, "lab"), _stated(ours, "release")
    if lab is not None and lab != release.lab:
        return [f"The file says that it is of lab {lab[:40]}; it is graded as {release.lab}."]
    if digest is not None and digest != release.digest:
        return ["The file was made from another release of this lab; it is graded by this one."]
    return []


def _answer(cells: list[dict[str, Any]], id: str, release: Release) -> tuple[str, str]:
    """The source of an answer that was begun, and a note where it was not plain which it is.

    A cell is an answer by its id or, where editors gave it a new one, by its metadata.
    """
    stub = release.stub(id)
    kind = "markdown" if isinstance(release.tasks[id], Written) else "code"
    claim = [cell for cell in cells if cell["type"] == kind and _claims(cell, id)]
    claim.sort(key=lambda cell: cell["id"] != id)
    begun = [cell["source"] for cell in claim if not _same(cell["source"], stub)]
    if not begun:
        return "", ""
    note = ""
    if len(set(begun)) > 1:
        note = f"{len(begun)} cells are marked as the answer to {id}; the first of them was graded."
    if len(begun[0]) > _LONGEST_ANSWER:
        return "", f"The answer to {id} is longer than {_LONGEST_ANSWER:,} characters."
    return begun[0], note


def _claims(cell: Mapping[str, Any], id: str) -> bool:
    ours = _ours(cell)
    marked = ours.get("task") == id and ours.get("role") in ("exercise", "written")
    return cell["id"] == id or marked


def _same(source: str, stub: str) -> bool:
    return source.split() in (stub.split(), [])


def _python(source: str) -> tuple[str, str]:
    """An answer as plain Python, notebook magics translated, or why it is none."""
    from IPython.core.inputtransformer2 import TransformerManager

    if not _fault(source):
        return source, ""
    if len(_MAGIC.findall(source)) > _MOST_MAGICS:
        return source, f"your cell has more than {_MOST_MAGICS} magics"
    try:
        plain = TransformerManager().transform_cell(source)
    except Exception as error:  # what IPython trips over is no Python either
        return source, f"your cell is not valid Python ({type(error).__name__})"
    said = _fault(plain)
    return (source, said) if said else (plain, "")


def _fault(source: str) -> str:
    """Why code cannot be compiled, as a sentence; empty if it can."""
    try:
        with warnings.catch_warnings():  # of a string's backslashes, say: not our matter
            warnings.simplefilter("ignore")
            compile(source, "your answer", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f", in line {line}" if line else ""
        return f"your cell is not valid Python: {getattr(error, 'msg', error)}{where}"
    except (RecursionError, MemoryError):
        return "your cell is nested too deep to be read"
    return ""


def _left_behind(cells: list[dict[str, Any]], release: Release) -> list[str]:
    """A note on code cells that are neither answers nor as they were handed out."""
    handed_out = {tuple(cell.source.split()) for cell in release.learner.cells}
    own = [
        cell
        for cell in cells
        if cell["type"] == "code"
        and cell["source"].strip()
        and not any(_claims(cell, id) for id in release.tasks)
        and tuple(cell["source"].split()) not in handed_out
    ]
    if not own:
        return []
    count = "One cell" if len(own) == 1 else f"{len(own)} cells"
    were = "was" if len(own) == 1 else "were"
    return [f"{count} that {were} added or changed did not count: only answers are graded."]
