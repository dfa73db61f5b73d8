"""The public targets of a lab: what its solution answers to the inputs of the public seed.

They ship as JSON in `targets/`, one file for each lab, recorded when the solution is run. The
inputs are drawn again when they are needed; a fingerprint of them is stored, so that targets
recorded for other inputs are noticed instead of failing a right answer.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.course import store
from efficientdl.course.comparison import Tolerance, difference
from efficientdl.course.exercise import Arguments, Exercise
from efficientdl.course.probe import Answer, ask_each, draw
from efficientdl.course.registry import course_folder
from efficientdl.course.values import Plain, decode, digest, encode

PUBLIC_SEED = 0
Entries = Mapping[str, Mapping[str, Any]]


def recording() -> bool:
    """Is the solution being run to record targets? `EFFICIENTDL_CHECK=record` says so."""
    mode = os.environ.get("EFFICIENTDL_CHECK", "compare")
    _check.one_of("efficientdl", "EFFICIENTDL_CHECK", mode, ("compare", "record"))
    return mode == "record"


def targets_file(lab: str) -> Path:
    """Where the targets of a lab are."""
    return course_folder() / "targets" / f"{lab}.json"


def public_case(exercise: Exercise) -> tuple[list[Arguments], list[Plain]]:
    """Inputs and targets of every public case.

    Raises:
        BadValue: They are missing, unreadable, or recorded for other inputs.
    """
    path = targets_file(exercise.lab)
    entry = read(path).get(exercise.id)
    cure = "`efficientdl build` records them"
    if entry is None:
        _check.fail("check", "targets", f"are missing from {path.name}; {cure}", exercise.id)
    inputs = draw(exercise, seed=PUBLIC_SEED)
    if digest(tuple(inputs)) != entry["inputs"]:
        rule = f"were recorded for other inputs than this version draws; {cure}"
        _check.fail("check", "targets", rule, exercise.id)
    return inputs, decode(entry["targets"])


def read(path: Path) -> Entries:
    """The entries of a targets file; none where there is no file.

    Raises:
        BadValue: It is not one.
    """
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))["exercises"]
    except (ValueError, KeyError, TypeError):
        _check.fail("check", "targets", "must be a file that the build wrote", path.name)


def record(exercise: Exercise, function: Callable[..., Any]) -> list[Answer]:
    """Ask the solution for every public case, twice, and note the answers for the build.

    Raises:
        BadValue: It fails, or does not answer the same both times.
    """
    inputs = draw(exercise, seed=PUBLIC_SEED)
    answers, again = ask_each(function, inputs), ask_each(function, inputs)
    for first, second in zip(answers, again, strict=True):
        if first.failure:
            _check.fail("check", "solution", f"must answer: {first.sentence}", exercise.id)
        if difference(first.value, second.value, Tolerance()):
            _check.fail("check", "solution", "must answer the same each time", exercise.id)
    entry = {"inputs": digest(tuple(inputs)), "targets": encode([a.value for a in answers])}
    path = recorded_file()
    write(path, exercise.lab, {**read(path), exercise.id: entry})
    return answers


def recorded_file(folder: Path | None = None) -> Path:
    """Where a run notes the targets that it records."""
    return (folder or store.home()) / ".progress" / "recorded.json"


def write(path: Path, lab: str, entries: Entries) -> None:
    """Write a targets file: one target a line, so that a change reads well in a diff."""
    parts = [f"  {json.dumps(id)}: {_entry_text(entry)}" for id, entry in entries.items()]
    body = ",\n".join(parts)
    store.write_text(path, f'{{\n "lab": {json.dumps(lab)},\n "exercises": {{\n{body}\n }}\n}}\n')


def _entry_text(entry: Mapping[str, Any]) -> str:
    lines: Sequence[str] = [json.dumps(t, ensure_ascii=False) for t in entry["targets"]]
    inputs = json.dumps(entry["inputs"])
    return f'{{"inputs": {inputs}, "targets": [\n   ' + ",\n   ".join(lines) + "\n  ]}"
