"""`grade_class`: nothing graded twice, nothing lost, and no submission in another's way."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from efficientdl.grading.classroom import grade_class, read_entries
from efficientdl.grading.classroom.lock import only_one
from tests.grading.classroom import fakes
from tests.grading.classroom.fakes import KEY, LAB, begun, checkout, hand_in, notebook


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")


@pytest.fixture
def grading(tmp_path):
    """Grade the class of this test, quickly."""
    root = checkout(tmp_path / "root")

    def run(**more):
        asked = {"root": root, "key": KEY, "jobs": 2, "grade_one": fakes.grade, **more}
        return grade_class(tmp_path / "class", tmp_path / "out", **asked)

    return run


def status(summary):
    return {entry["place"]: entry["status"] for entry in summary.entries}


def test_every_submission_is_graded_once(tmp_path, grading):
    hand_in(tmp_path / "class", 7)
    summary = grading()
    assert list(status(summary)) == [f"learner-{i:02}/lab.ipynb" for i in range(7)]
    assert summary.count("graded") == 7
    assert read_entries(tmp_path / "out") == list(summary.entries)
    assert Counter(begun(tmp_path / "root")).most_common(1)[0][1] == 1
    assert str(summary) == (
        "7 submissions: 7 graded (0 of them before), 0 refused, 0 where the grader failed"
    )


def test_a_line_says_what_was_graded(tmp_path, grading):
    hand_in(tmp_path / "class", 1)
    (entry,) = grading().entries
    digest = sha256(notebook("x = 0")).hexdigest()
    assert (entry["learner"], entry["sha256"]) == ("learner-00", digest)
    assert entry["answers"] == {"a-task": "x = 1"}
    assert entry["score"]["submission"]["sha256"] == digest
    assert (entry["release"], entry["asked"], entry["reason"]) == ("d1", "", "")
    assert KEY.hex() not in (tmp_path / "out/results.jsonl").read_text()


def test_a_second_run_grades_what_is_new(tmp_path, grading):
    hand_in(tmp_path / "class", 3)
    grading()
    (tmp_path / "class/learner-01/lab.ipynb").write_bytes(notebook("better"))
    (tmp_path / "class/learner-02/lab.ipynb").unlink()
    (tmp_path / "class/new.ipynb").write_bytes(notebook("new"))
    summary = grading()
    assert (summary.kept, len(begun(tmp_path / "root"))) == (1, 5)
    assert list(status(summary)) == [
        "learner-00/lab.ipynb", "learner-01/lab.ipynb", "new.ipynb",
    ]  # fmt: skip
    old = (tmp_path / "out/results.old.jsonl").read_text()
    assert (old.count("learner-01/lab"), old.count("learner-02/lab")) == (1, 1)


@pytest.mark.parametrize("change", ["key", "release", "lab", "artefact"])
def test_what_changes_the_result_is_graded_again(tmp_path, grading, change):
    hand_in(tmp_path / "class", 2)
    grading()
    more = {}
    if change == "key":
        more["key"] = b"another key"
    elif change == "lab":
        more["lab"] = "1"
    elif change == "release":
        checkout(tmp_path / "root", digest="d2")
    else:
        beside = tmp_path / "class/learner-00/artefacts/01_costs"
        beside.mkdir(parents=True)
        (beside / "net.json").write_text("{}")
    summary = grading(**more)
    assert summary.kept == (1 if change == "artefact" else 0)
    assert len(begun(tmp_path / "root")) == 4 - summary.kept


def test_what_cannot_be_read_has_a_line(tmp_path, grading):
    hand_in(tmp_path / "class", 1)
    os.mkfifo(tmp_path / "class/pipe.ipynb")
    summary = grading()
    assert status(summary) == {"learner-00/lab.ipynb": "graded", "pipe.ipynb": "refused"}
    assert summary.entries[1]["reason"] == "pipe.ipynb is no regular file"
    assert summary.entries[1]["learner"] == "pipe"


def test_one_that_breaks_the_grader_stops_nobody(tmp_path, grading):
    hand_in(tmp_path / "class", 4)
    bad = sha256(notebook("x = 1")).hexdigest()
    odd = sha256(notebook("x = 2")).hexdigest()

    def grade(job):
        digest = fakes.log(job)
        if digest == bad:
            raise RuntimeError("it broke")
        if digest == odd:
            return {"error": "no lab in it", "kind": "refused"}
        return {"score": fakes.score(sha=digest), "answers": {}}

    summary = grading(grade_one=grade)
    assert list(status(summary).values()) == ["graded", "internal_error", "refused", "graded"]
    assert summary.entries[1]["reason"] == "the grader failed (RuntimeError)"
    assert summary.entries[2]["reason"] == "no lab in it"
    again = grading()  # what failed because of us is tried again, what was refused is not
    assert (again.kept, again.count("graded"), again.count("refused")) == (3, 3, 1)


def test_a_result_from_another_release_is_none(tmp_path, grading):
    hand_in(tmp_path / "class", 1)
    checkout(tmp_path / "root", digest="d2")
    summary = grading()  # with the release d1, as if on a machine that is behind
    assert summary.entries[0]["status"] == "internal_error"
    assert "another release" in summary.entries[0]["reason"]


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path, grading, monkeypatch):
    from efficientdl.grading.classroom import journal

    hand_in(tmp_path / "class", 6)
    append, calls = journal._append, []

    def full(path, data):
        calls.append(path)
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        append(path, data)

    monkeypatch.setattr(journal, "_append", full)
    with pytest.raises(OSError, match="No space left"):
        grading(jobs=1)
    monkeypatch.undo()
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    assert len(read_entries(tmp_path / "out")) == 2
    assert (grading().kept, len(read_entries(tmp_path / "out"))) == (2, 6)


@pytest.fixture
def interruptible():
    """What a shell starts in the background ignores an interrupt; here it must be heard."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_keeps_what_is_graded(tmp_path, grading, capsys):
    hand_in(tmp_path / "class", 9)
    calls = []

    def grade(job):
        calls.append(job)
        if len(calls) == 3:
            # to the thread that waits for results, and while it waits
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.5)
        return fakes.grade(job)

    with pytest.raises(KeyboardInterrupt):
        grading(grade_one=grade, jobs=1)
    done = len(read_entries(tmp_path / "out"))
    assert 3 <= done < 9
    assert f"{done} submissions are graded and kept; run the same" in capsys.readouterr().err
    summary = grading()
    assert (summary.kept, summary.count("graded")) == (done, 9)
    assert len(begun(tmp_path / "root")) == 9


def test_two_runs_at_once(tmp_path, grading):
    hand_in(tmp_path / "class", 1)
    (tmp_path / "out").mkdir()
    with only_one(tmp_path / "out"), pytest.raises(ValueError, match="by another run"):
        grading()
    assert grading().count("graded") == 1


def test_side_by_side(tmp_path, grading):
    """Two jobs that wait for each other can only end if they run at once."""
    hand_in(tmp_path / "class", 2)
    both = threading.Barrier(2, timeout=20)

    def grade(job):
        both.wait()
        return fakes.grade(job)

    assert grading(grade_one=grade).count("graded") == 2


def test_no_submissions(tmp_path, grading):
    (tmp_path / "class").mkdir()
    assert grading().entries == ()
    assert read_entries(tmp_path / "out") == [] if (tmp_path / "out/results.jsonl").exists() else 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"jobs": 0}, "class: jobs must be a whole number, 1 or more, got 0"),
        ({"lab": "99"}, "lab must be one of 01_costs"),
        ({"root": Path("/nowhere")}, "must be a checkout"),
    ],
)
def test_bad_asking(tmp_path, grading, more, said):
    hand_in(tmp_path / "class", 1)
    with pytest.raises(ValueError, match=said):
        grading(**more)
    assert not (tmp_path / "out").exists()


def start(tmp_path):
    """The same class, graded by a process that can be killed."""
    names = [str(tmp_path / name) for name in ("class", "out", "root")]
    return subprocess.Popen([sys.executable, "-m", "tests.grading.classroom.fakes", *names])


@pytest.mark.slow
def test_a_kill_loses_nothing_and_grades_nothing_twice(tmp_path, grading):
    hand_in(tmp_path / "class", 20)
    journal = tmp_path / "out/results.jsonl"
    end = time.monotonic() + 60
    for wanted in (4, 11):  # killed twice
        run = start(tmp_path)
        while time.monotonic() < end:
            if journal.exists() and journal.read_bytes().count(b"\n") >= wanted:
                break
            time.sleep(0.005)
        run.kill()
        run.wait()
        kept = {entry["sha256"] for entry in read_entries(tmp_path / "out")}
        assert wanted <= len(kept) < 20
    before = Counter(begun(tmp_path / "root"))
    summary = grading()
    after = Counter(begun(tmp_path / "root"))
    assert summary.kept == len(kept)
    assert [entry["status"] for entry in read_entries(tmp_path / "out")] == ["graded"] * 20
    assert len({entry["place"] for entry in read_entries(tmp_path / "out")}) == 20
    assert {digest for digest in after if after[digest] > before[digest]}.isdisjoint(kept)
    assert set(after) == {sha256(notebook(f"x = {i}")).hexdigest() for i in range(20)}
    assert sum(after.values()) <= 20 + 2 * 2  # what was being graded when it was killed, no more


@pytest.mark.slow
def test_real_notebooks_through_real_workers(tmp_path):
    """An honest solution and an untouched notebook, each in a process of its own."""
    root = Path(__file__).parents[3]
    for learner, source in (("first", "solutions"), ("second", "labs")):
        (tmp_path / "class" / learner).mkdir(parents=True)
        data = (root / source / f"{LAB}.ipynb").read_bytes()
        (tmp_path / "class" / learner / "lab.ipynb").write_bytes(data)
    (tmp_path / "class/third.ipynb").write_bytes(b"no notebook")
    asked = {"root": root, "key": KEY, "jobs": 2}
    summary = grade_class(tmp_path / "class", tmp_path / "out", **asked)
    first, second, third = summary.entries
    assert [entry["status"] for entry in (first, second, third)] == ["graded", "graded", "refused"]
    exercises = [t for t in first["score"]["exercises"] if t["task"] == "exercise"]
    assert {task["outcome"] for task in exercises} == {"correct"}
    assert set(first["answers"]) >= {task["id"] for task in exercises}
    assert {t["outcome"] for t in second["score"]["exercises"]} == {"not_attempted"}
    assert second["answers"] == {}
    assert grade_class(tmp_path / "class", tmp_path / "out", **asked).kept == 3
