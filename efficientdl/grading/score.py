"""What grading gives: one `Score` for a submission, one `Graded` task in it for each exercise.

`score.json` is this record as JSON, under the schema in `score.schema.json`. A report is made of
it and of the lab's text, so what is not in here, hidden inputs above all, cannot be in a report.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.course.outcome import Case, Kind
from efficientdl.course.store import write_text

SCHEMA = 1
_SCHEMA_FILE = Path(__file__).with_name("score.schema.json")
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of an artefact beside its limit, as the grader measured it."""

    name: str
    value: float
    limit: float
    words: str
    unit: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Graded:
    """How one task came out.

    Attributes:
        id: The task, `costs-conv-macs`.
        title: What it is, in a few words.
        task: `exercise` or `challenge`.
        points: What it is worth.
        earned: What it earned; None where the grader itself failed, which costs nothing.
        outcome: One of the closed set.
        message: A sentence for the learner; empty when all is right.
        right: Fresh cases that came out right; for a challenge, limits that are met.
        cases: Fresh cases, or limits.
        seconds: Wall-clock time of the answer and of its cases.
        peak_mb: Largest memory of the learner's process meanwhile, in 2**20 bytes, if known.
        shown: A public case that did not come out right, if there is one.
        hint: The hint that fits this failure; empty when there is none.
        figures: What was measured in a challenge's artefact.
    """

    id: str
    title: str
    task: str
    points: int
    earned: float | None
    outcome: Kind
    message: str = ""
    right: int = 0
    cases: int = 0
    seconds: float = 0.0
    peak_mb: float | None = None
    shown: Case | None = None
    hint: str = ""
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WrittenAnswer:
    """A question in words and what was answered: for a person to read and mark."""

    id: str
    title: str
    points: int
    answer: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """All that grading found out about one submission.

    Attributes:
        submission: `name` of the file, `sha256` of its bytes, `size_bytes`.
        release: `lab`, `digest` of the lab's source, `version` of the package, and `submitted`,
            the digest that the submission says it was made from (None where it does not say).
        seed: Names the fresh inputs; it follows from the course key and the submission's hash.
        environment: Versions, system, protections that held, limits.
        exercises: Every exercise and challenge, in the order of the lab.
        written: Answers in words.
        notes: Sentences about the submission as a whole.
        seconds: Wall-clock time of the grading.
    """

    submission: Mapping[str, Any]
    release: Mapping[str, Any]
    seed: str
    environment: Mapping[str, Any]
    exercises: tuple[Graded, ...]
    written: tuple[WrittenAnswer, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    schema: int = field(default=SCHEMA)

    @property
    def lab(self) -> str:
        """The lab, `01_costs`."""
        return self.release["lab"]

    @property
    def earned(self) -> float:
        """Points earned in what could be graded."""
        return round(sum(task.earned or 0.0 for task in self.exercises), 2)

    @property
    def points(self) -> int:
        """Points that could be earned in what could be graded."""
        return sum(task.points for task in self.exercises if task.earned is not None)

    @property
    def ungraded(self) -> int:
        """Points of tasks where the grader failed: grade those again."""
        return sum(task.points for task in self.exercises if task.earned is None)


def to_json(score: Score) -> Json:
    """The score as plain JSON, valid under the schema.

    Raises:
        jsonschema.ValidationError: It is not, which is a fault of the grader.
    """
    found = {
        "schema": score.schema,
        "submission": dict(score.submission),
        "release": dict(score.release),
        "seed": score.seed,
        "environment": dict(score.environment),
        "exercises": [_task_json(task) for task in score.exercises],
        "written": [vars(answer) for answer in score.written],
        "notes": list(score.notes),
        "seconds": round(score.seconds, 2),
        "total": {"earned": score.earned, "points": score.points, "ungraded": score.ungraded},
    }
    _validator().validate(found)
    return found


def from_json(found: Json) -> Score:
    """The score that `to_json` wrote.

    Raises:
        BadValue: It is none, or of another version.
    """
    import jsonschema

    try:
        _validator().validate(found)
    except jsonschema.ValidationError as error:
        _check.fail("score", "file", f"must be a score.json ({error.message[:120]})", SCHEMA)
    return Score(
        submission=found["submission"],
        release=found["release"],
        seed=found["seed"],
        environment=found["environment"],
        exercises=tuple(_task(entry) for entry in found["exercises"]),
        written=tuple(WrittenAnswer(**entry) for entry in found["written"]),
        notes=tuple(found["notes"]),
        seconds=found["seconds"],
    )


def write_score(path: Path, score: Score) -> None:
    """Write `score.json`, whole or not at all."""
    write_text(path, json.dumps(to_json(score), indent=1, ensure_ascii=False) + "\n")


def read_score(path: Path) -> Score:
    """Read what `write_score` wrote.

    Raises:
        BadValue: It is no score.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        _check.fail("score", "file", "must be JSON", path.name)
    return from_json(found)


def _task_json(task: Graded) -> Json:
    shown = None
    if task.shown:
        shown = {
            "inputs": [list(pair) for pair in task.shown.inputs],
            "target": task.shown.target,
            "yours": task.shown.yours,
        }
    return {
        **vars(task),
        "outcome": task.outcome.value,
        "seconds": round(task.seconds, 3),
        "peak_mb": None if task.peak_mb is None else round(task.peak_mb, 1),
        "shown": shown,
        "figures": [vars(figure) for figure in task.figures],
    }


def _task(entry: Json) -> Graded:
    shown = entry["shown"]
    if shown:
        pairs = tuple((name, text) for name, text in shown["inputs"])
        shown = Case(pairs, shown["target"], shown["yours"])
    figures = tuple(Figure(**figure) for figure in entry["figures"])
    more = {"outcome": Kind(entry["outcome"]), "shown": shown, "figures": figures}
    return Graded(**{**entry, **more})


@cache
def _validator() -> Any:  # noqa: ANN401 - jsonschema makes its validators at run time
    import jsonschema

    schema = json.loads(_SCHEMA_FILE.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)
