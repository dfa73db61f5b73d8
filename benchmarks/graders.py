"""Graders of lab 01 under one face: answers in, points by task out, each called as a user calls it.

What is prepared once for a course (an assignment, an autograder) is prepared before the clock runs.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Protocol

import nbformat

from benchmarks import submissions
from benchmarks.peers import Autograder, Course, Finished, call, python_of
from efficientdl.grading.score import read_score

Points = Mapping[str, tuple[float, float]]
CLOCK_S = 900.0  # far above what an honest submission takes: it only ends a hang


@dataclass(frozen=True)
class Result:
    """What a grader found.

    Attributes:
        points: Earned and possible, by task; empty where the grader gave no result.
        finished: How its program ended.
    """

    points: Points
    finished: Finished

    @property
    def earned(self) -> float:
        """All points earned."""
        return sum(earned for earned, _ in self.points.values())


class Grader(Protocol):
    """Grades one submission of lab 01."""

    name: str

    def grade(self, answers: Mapping[str, str], limit_s: float = CLOCK_S) -> Result:
        """Grade the learner's notebook with these answers in it."""
        ...


class Papermill:
    """Runs the notebook and grades nothing: what a run alone takes."""

    name = "papermill"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def artefacts(self) -> Path:
        """What `submit` wrote in the last run."""
        return self.folder / "artefacts"

    @property
    def cells_s(self) -> float:
        """Seconds from the first cell to the last, in papermill's own words."""
        run = nbformat.read(self.folder / "out.ipynb", as_version=4)
        return run.metadata.papermill.duration

    def grade(self, answers: Mapping[str, str], limit_s: float = CLOCK_S) -> Result:
        """Run the notebook as papermill's users do, `FAST` handed over as a parameter."""
        nbformat.write(submissions.notebook(answers), self.folder / "in.ipynb")
        words = [sys.executable, "-m", "papermill", "in.ipynb", "out.ipynb", "-p", "FAST", "True"]
        more = ["--no-progress-bar", "-k", "python3"]
        return Result({}, call([*words, *more], folder=self.folder, limit_s=limit_s))


class Ours:
    """`efficientdl grade`."""

    name = "efficientdl"

    def __init__(self, folder: Path, artefacts: Path) -> None:
        self.folder, self.artefacts = folder, artefacts
        folder.mkdir()

    def grade(self, answers: Mapping[str, str], limit_s: float = CLOCK_S) -> Result:
        """Write what a learner hands in, and grade it."""
        place = Path(mkdtemp(dir=self.folder))
        file = submissions.hand_in(place / "in", answers, self.artefacts)
        words = [sys.executable, "-m", "efficientdl", "grade", str(file), "--lab", "01"]
        done = call([*words, "-o", "score.json"], folder=place, limit_s=limit_s)
        if not (place / "score.json").is_file():
            return Result({}, done)
        score = read_score(place / "score.json")
        return Result({t.id: (t.earned or 0.0, t.points) for t in score.exercises}, done)


class Nbgrader:
    """`nbgrader autograde`, with the lab's own checks or with others in their cells."""

    def __init__(self, name: str, python: Path, folder: Path, tests: Mapping[str, str]) -> None:
        self.name, self.course = name, Course(python, folder)
        done(self.course.prepare(submissions.tested_by(tests)))

    def grade(self, answers: Mapping[str, str], limit_s: float = CLOCK_S) -> Result:
        """Hand in as one student; a cell's points are its task's."""
        self.course.hand_in("learner", submissions.notebook(answers, fast=True))
        finished = self.course.autograde("learner", limit_s=limit_s)
        if finished.code != 0:  # then the gradebook still says what it said before
            return Result({}, finished)
        cells = self.course.points()["learner"]
        found = {id: cells[f"{id}-check"] for id in submissions.release().graded}
        return Result({id: (earned or 0.0, most) for id, (earned, most) in found.items()}, finished)


class Otter:
    """`otter run`, with a test file for each task."""

    def __init__(self, name: str, python: Path, folder: Path, tests: Mapping[str, str]) -> None:
        self.name, self.autograder = name, Autograder(python, folder)
        tasks = submissions.release().graded
        done(self.autograder.prepare({id: (tasks[id].points, tests[id]) for id in tasks}))

    def grade(self, answers: Mapping[str, str], limit_s: float = CLOCK_S) -> Result:
        """Run the submission, then the tests, in one kernel."""
        finished = self.autograder.run(submissions.notebook(answers, fast=True), limit_s=limit_s)
        return Result(self.autograder.points(), finished)


def done(finished: Finished) -> Finished:
    """What has to go well, or the benchmark means nothing.

    Raises:
        RuntimeError: It did not.
    """
    if finished.code != 0:
        raise RuntimeError(f"a program of the benchmark failed:\n{finished.said[-3000:]}")
    return finished


def with_checks(folder: Path, artefacts: Path) -> list[Grader]:
    """Every grader that is here, testing with the lab's own checks."""
    return [Ours(folder / "ours", artefacts), *_peers(folder / "checks", "")]


def with_asserts(folder: Path) -> list[Grader]:
    """The peers that are here, testing as their users write tests: with asserts."""
    return _peers(folder / "asserts", " (asserts)")


def _peers(folder: Path, said: str) -> list[Grader]:
    tests = submissions.asserts() if said else submissions.checks()
    found: list[Grader] = []
    for peer, make in (("nbgrader", Nbgrader), ("otter", Otter)):
        python = python_of(peer)
        if python is not None:
            found.append(make(f"{peer}{said}", python, folder / peer, tests))
    return found
