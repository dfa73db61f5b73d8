"""The benchmark of the graders: what it hands in, how it reads results, what its page says."""

import ast
import sys
import time
from pathlib import Path

import nbformat
import pytest

from benchmarks import grading, submissions
from benchmarks.graders import Result
from benchmarks.peers import Finished, call, python_of
from efficientdl.course.exercise import Exercise
from tests.labs.runs import namespace

WELL = Finished(0, "well")


@pytest.fixture
def artefacts(tmp_path):
    folder = tmp_path / "artefacts"
    folder.mkdir()
    return folder


def test_answers_stand_in_the_cells_of_their_tasks():
    made = submissions.notebook({"costs-peak": "answer = 1"}, fast=True)
    changed = {
        new.id
        for new, old in zip(made.cells, submissions.release().learner.cells, strict=True)
        if new.source != old.source
    }
    assert changed == {"costs-peak", "7f57cdf9"}  # the answer, and the parameters
    assert "FAST = True" in next(c.source for c in made.cells if c.id == "7f57cdf9")


def test_every_task_is_solved_checked_and_tested_by_asserts():
    tasks = submissions.release().graded
    for made in (submissions.solved(), submissions.checks(), submissions.asserts()):
        assert list(made) == list(tasks)
        for source in made.values():
            ast.parse(source)


@pytest.mark.slow
def test_asserts_take_the_solution_and_refuse_mutants():
    tests, tasks = submissions.asserts(), submissions.release().graded
    for id in [id for id, task in tasks.items() if isinstance(task, Exercise)]:
        exec(tests[id], namespace(submissions.release().solution))
        for mutant in submissions.MUTANTS[id]:
            names = namespace(submissions.release().solution)
            exec(mutant, names)
            with pytest.raises(AssertionError):
                exec(tests[id], names)


def test_class_is_mixed_and_no_two_are_the_same(tmp_path, artefacts):
    submissions.write_class(tmp_path / "class", 10, artefacts)
    files = sorted((tmp_path / "class").glob("*/*.ipynb"))
    assert len({file.read_bytes() for file in files}) == len(files) == 10
    texts = ["".join(c.source for c in nbformat.read(f, as_version=4).cells) for f in files]
    assert {text.count("raise NotImplementedError") for text in texts} == {0, 5}


def test_attacks_are_answers_of_tasks_that_exist():
    for attack in submissions.ATTACKS:
        assert attack.task in submissions.release().graded
        ast.parse(attack.source)


def fared(points):
    return grading._fared(submissions.ATTACKS[1], Result(points, WELL))


def test_points_of_the_attack_and_of_the_others_are_told_apart():
    tasks = submissions.release().graded
    full = {id: (float(task.points), float(task.points)) for id, task in tasks.items()}
    line = fared({**full, "costs-conv-macs": (0.0, 10.0)})
    assert (line["earned"], line["possible"], line["kept"], line["others"]) == (0, 10, 90, 90)
    assert grading._fared_text(line) == "0 of 10; others 90 of 90"
    assert grading._fared_text(fared({})) == "no points at all (well)"


def results(*, over_s, ratio):
    timed = {"entry": "efficientdl", "median_s": 21.0, "low_s": 20.0, "high_s": 22.5}
    one = {"repeats": 3, "lines": [timed], "cells_s": 16.0, "over_s": over_s}
    one |= {"holds": over_s <= grading.MOST_OVER_S, "versions": {"papermill": "2.7.0"}}
    whole = {"submissions": 40, "one_by_one_s": 90.0, "two_jobs_s": 50.0, "ratio": ratio}
    whole |= {"mean_points": 71.5, "holds": ratio >= grading.LEAST_SPEEDUP}
    lines = [
        {"attack": attack.name, "grader": name, **grading._fared(attack, Result({}, WELL))}
        for attack in submissions.ATTACKS
        for name in ("efficientdl", "otter")
    ]
    return [one, whole, {"lines": lines}]


@pytest.mark.parametrize(("over_s", "ratio", "said"), [(4.0, 1.9, "holds"), (6.0, 1.7, "not")])
def test_page_says_what_holds(over_s, ratio, said):
    text = grading.page(results(over_s=over_s, ratio=ratio), {"cores": 2})
    assert f"| 90 | 50 | {ratio:.2f} |" in text
    assert f"takes {over_s:+.1f} s beside papermill" in text
    assert text.count("is asked: holds") == (2 if said == "holds" else 0)
    assert text.count("does not hold") == (0 if said == "holds" else 2)
    assert "| the answer | efficientdl | otter |" in text
    assert all(f"| {attack.name} |" in text for attack in submissions.ATTACKS)


def test_absent_peers_are_named_and_a_wrong_name_is_refused(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_OTTER", "/no/such/python")
    with pytest.raises(ValueError, match="EFFICIENTDL_OTTER must name a Python that is there"):
        python_of("otter")
    monkeypatch.setattr(grading, "python_of", lambda peer: None)
    assert grading._absent() == [f"\nLeft out, since it is not here: {p}." for p in grading.PEERS]


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path):
    child = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    done = call([sys.executable, "-c", parent], folder=tmp_path, limit_s=0.7)
    assert done.code is None
    assert "ended after" in done.last_line()
    left = Path("/proc") / (tmp_path / "pid").read_text() / "exe"
    until = time.monotonic() + 10  # the system takes its time where it has other work
    while left.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not left.exists()
