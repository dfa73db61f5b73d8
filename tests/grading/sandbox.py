"""Grading one submission to the small lab under watch, and what must hold of every grading.

`graded` runs it with its temporary folders in a place of the test's own, so that what it leaves
behind, files or processes, can be told from everything else on the machine.
"""

import contextlib
import copy
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

import efficientdl
from efficientdl.course.build import read_notebook
from efficientdl.course.exercise import Exercise
from efficientdl.course.outcome import Kind
from efficientdl.course.probe import draw
from efficientdl.course.registry import tasks
from efficientdl.grading.grader import grade
from efficientdl.grading.handed_in import HandedIn
from efficientdl.grading.isolation import Place, caged, strongest
from efficientdl.grading.limits import Limits
from efficientdl.grading.score import to_json

LAB = "91_small"
KEY = b"a course key"
POINTS = {"sm-label": 20, "sm-keep": 20, "sm-center": 20, "sm-spread": 20, "sm-bits": 15}
CHECKOUT = Path(efficientdl.__file__).parents[1]
LARGEST_SCORE = 200_000
_DEADLINE_S = 90  # what is stuck is stuck for good; the slowest attack takes a quarter of this


@dataclass(frozen=True)
class Attack:
    """A submission in which some answers attack the grader, and the others are right.

    Attributes:
        name: What it tries.
        answers: Sources of the answers that attack, by task.
        gives: The outcomes allowed, by task; more than one where the system decides.
    """

    name: str
    answers: dict[str, str]
    gives: dict[str, tuple[Kind, ...]] = field(default_factory=dict)

    def __str__(self):
        return self.name


def attack(name, source, *gives, task="sm-keep"):
    return Attack(name, {task: source}, {task: gives})


def together(name, **parts):
    """Attacks on several tasks in one submission: `label=(source, kind, ...)`."""
    answers = {f"sm-{task}": part[0] for task, part in parts.items()}
    return Attack(name, answers, {f"sm-{task}": part[1:] for task, part in parts.items()})


def solved(root):
    """The learner's notebook with every answer right, as JSON."""
    notebook = json.loads((root / "labs" / f"{LAB}.ipynb").read_text())
    solution = read_notebook(root / "solutions" / f"{LAB}.ipynb")
    right = {cell.id: cell.source for cell in solution.cells}
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["metadata"].get("efficientdl", {}).get("role") in ("exercise", "written"):
            cell["source"] = right[cell["id"]]
    return notebook


def answered(root, answers):
    """The bytes of the right notebook with some answers replaced."""
    notebook = copy.deepcopy(solved(root))
    for cell in notebook["cells"]:
        cell["source"] = answers.get(cell.get("id"), cell["source"])
    return json.dumps(notebook).encode()


def graded(root, data, *, lab=LAB, hidden=(CHECKOUT,), limits=None, artefacts=None):
    """The score, after all that must hold of any grading has been seen to hold."""
    before = _children()
    with deadline(_DEADLINE_S), folder_of_its_own() as place:
        handed_in = HandedIn("submission.ipynb", data, artefacts or {})
        score = grade(handed_in, root=root, lab=lab, key=KEY, hidden=hidden, limits=limits)
        assert_none_left(place, before)
    text = json.dumps(to_json(score), ensure_ascii=False)
    assert len(text.encode()) < LARGEST_SCORE, "the score is larger than anybody would read"
    assert_keeps_inputs_secret(score, text)
    return score


@contextlib.contextmanager
def deadline(seconds):
    """Fail where the block is still at it after so many seconds."""

    def late(number, frame):
        pytest.fail(f"still at it after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def folder_of_its_own():
    """Temporary files go to a new folder, with a name short enough for sockets in it."""
    place, before = Path(tempfile.mkdtemp(prefix="adv-")), tempfile.tempdir
    place.chmod(0o711)
    tempfile.tempdir = str(place)
    try:
        yield place
    finally:
        tempfile.tempdir = before
        shutil.rmtree(place, ignore_errors=True)


def assert_none_left(place, before=()):
    """No process that grading started, none that those started, and no folder of theirs."""
    waiting = threading.Event()
    for _ in range(50):  # the system ends what is in a namespace a moment after its first process
        left = [*(_children() - set(before)), *processes_of(place)]
        if not left:
            break
        waiting.wait(0.1)
    assert not left, "something is still running"
    assert sorted(place.glob("edl-*")) == []


def processes_of(place):
    """Every process on the machine that was started with a home in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if str(place) in process.environ().get("HOME", ""):
                found.append(process)
    return found


def _children():
    return set(psutil.Process().children(recursive=True))


def assert_keeps_inputs_secret(score, text):
    """No number of a fresh input is in the score, unless a public input has it too."""
    for id, task in tasks().items():
        if isinstance(task, Exercise) and task.lab == score.lab == LAB:
            fresh = _figures(draw(task, seed=int(score.seed, 16)))
            seen = _figures(draw(task, seed=0))
            told = [figure for figure in fresh - seen if figure in text]
            assert not told, f"{id}: the score tells hidden inputs"


def _figures(inputs):
    """Numbers of an input as they would stand in a text, cut where printing may round."""
    numbers = [n for arguments in inputs for a in arguments for n in _numbers(a)]
    return {f"{abs(n):.6f}"[:-1] if isinstance(n, float) else f" {n}," for n in numbers}


def _numbers(value):
    return value.tolist() if hasattr(value, "tolist") else [value]


def outcomes(score):
    """The outcome and the points of each task."""
    return {task.id: (task.outcome, task.earned) for task in score.exercises}


def assert_repelled(score, attack):
    """The attack earned what it may, and cost the others nothing."""
    for id, (kind, earned) in outcomes(score).items():
        allowed = attack.gives.get(id, (Kind.CORRECT,))
        said = [task.message for task in score.exercises if task.id == id]
        assert kind in allowed, f"{id}: {kind}, {said}"
        assert earned == (POINTS[id] if kind is Kind.CORRECT else 0), id


def limit_binds():
    """Does a bound on processes hold here? A caged process starts as many as it can, and counts."""
    if not strongest().own_user:
        return "a user of its own is needed, so that its processes are counted by themselves"
    count = (
        "import os, sys\n"
        "n = 0\n"
        "try:\n"
        "    while n < 60:\n"
        "        if os.fork() == 0:\n"
        "            os.read(0, 1)\n"
        "            os._exit(0)\n"
        "        n += 1\n"
        "except OSError:\n"
        "    pass\n"
        "sys.stdout.write(str(n))\n"
    )
    with folder_of_its_own() as place:
        inside = Place(place / "edl-count")
        command = [sys.executable, "-I", "-c", count]
        argv = caged(command, inside, Limits(threads=20), strongest(), {})
        done = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/")
        said, _ = done.communicate(b"", timeout=30)
    started = int(said or 0)
    return "" if 0 < started <= 20 else f"{started} processes could be started where 20 are allowed"
