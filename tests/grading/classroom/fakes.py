"""A small course, submissions to it, and graders that only pretend: for tests of a class.

Run as a program it grades a class slowly, so that a test can kill it half way.
"""

import base64
import os
import sys
import time
from hashlib import sha256
from pathlib import Path

import nbformat

from efficientdl.course.outcome import Kind
from efficientdl.grading.classroom.pool import grade_class
from efficientdl.grading.score import Graded, Score, to_json

KEY = b"a course key"
LAB = "01_costs"


def notebook(text="x = 1"):
    """A notebook's bytes, different for each text."""
    cell = nbformat.v4.new_code_cell(text, id="cell")
    return nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode()


def checkout(root, digest="d1", labs=(LAB,)):
    """A checkout that releases labs with one cell."""
    for lab in labs:
        for folder in ("labs", "solutions"):
            found = nbformat.v4.new_notebook(metadata={"efficientdl": {"digest": digest}})
            (root / folder).mkdir(parents=True, exist_ok=True)
            (root / folder / f"{lab}.ipynb").write_text(nbformat.writes(found))
    return root


def hand_in(folder, n):
    """A class of n learners, a folder for each."""
    for i in range(n):
        (folder / f"learner-{i:02}").mkdir(parents=True)
        (folder / f"learner-{i:02}" / "lab.ipynb").write_bytes(notebook(f"x = {i}"))
    return folder


def score(earned=5.0, digest="d1", lab=LAB, sha="0" * 64):
    """A score of a lab with two tasks, of 10 points each; None is a task the grader failed on."""
    kinds = {None: Kind.INTERNAL_ERROR, 10.0: Kind.CORRECT}
    task = Graded(
        id="a-task", title="A task", task="exercise", points=10, earned=earned,
        outcome=kinds.get(earned, Kind.PARTIAL),
    )  # fmt: skip
    other = Graded(
        id="b-task", title="B, or not", task="exercise", points=10, earned=2.5,
        outcome=Kind.PARTIAL,
    )  # fmt: skip
    found = Score(
        submission={"name": "lab.ipynb", "sha256": sha, "size_bytes": 1},
        release={"lab": lab, "digest": digest, "version": "0", "submitted": None},
        seed="0" * 32,
        environment={"python": "3", "system": "s", "protections": [], "limits": {}},
        exercises=(task, other),
    )
    return to_json(found)


def log(job):
    """Note that a job was begun, in a file that survives a kill."""
    data = base64.b64decode(job["data"])
    with (Path(job["root"]) / "begun.log").open("a") as file:
        file.write(f"{sha256(data).hexdigest()} {os.getpid()}\n")
    return sha256(data).hexdigest()


def begun(root):
    """The hashes of the notebooks whose grading was begun, one for each time."""
    path = root / "begun.log"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def grade(job):
    """A grader that gives half the points."""
    return {"score": score(sha=log(job)), "answers": {"a-task": "x = 1"}}


def grade_slowly(job):
    """The same, in a tenth of a second."""
    time.sleep(0.1)
    return grade(job)


def lose_first_worker(job):
    """The first time that a job is begun anywhere, the process that does it is gone."""
    try:
        (Path(job["root"]) / "lost").mkdir()
    except FileExistsError:
        return grade(job)
    os._exit(1)


def fail_on_one(job):
    """A grader that fails on the fourth learner."""
    if log(job) == sha256(notebook("x = 3")).hexdigest():
        raise RuntimeError("it broke")
    return {"score": score(sha=sha256(base64.b64decode(job["data"])).hexdigest()), "answers": {}}


def line(place, learner, earned=5.0, status="graded", **more):
    """A line of a journal."""
    found = score(earned, lab=more.pop("lab", LAB)) if status == "graded" else None
    entry = {
        "schema": 1, "place": place, "learner": learner, "ids": {}, "sha256": "0" * 64,
        "artefacts": {}, "key": "k", "asked": "", "release": "d1", "status": status,
        "reason": "", "score": found, "answers": {},
    }  # fmt: skip
    return {**entry, **more}


if __name__ == "__main__":
    folder, out, root = map(Path, sys.argv[1:4])
    grade_class(folder, out, root=root, key=KEY, jobs=2, grade_one=grade_slowly)
