"""A class on a Dask cluster of its own: the same lines, also when a worker is lost."""

import logging
import shutil
import sys

import pytest

from efficientdl.grading.classroom import grade_class
from tests.grading.classroom import fakes
from tests.grading.classroom.fakes import KEY, begun, checkout, hand_in

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster with one worker, a process."""
    cluster = distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=True,
        dashboard_address="127.0.0.1:0",  # any free port: None would ask for a fixed one
        silence_logs=logging.CRITICAL,
    )
    with cluster:
        yield cluster.scheduler_address


def grade(tmp_path, scheduler, **more):
    asked = {"root": tmp_path / "root", "key": KEY, "grade_one": fakes.grade, **more}
    return grade_class(tmp_path / "class", tmp_path / "out", scheduler=scheduler, **asked)


@pytest.fixture(autouse=True)
def a_class(tmp_path, monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    checkout(tmp_path / "root")
    hand_in(tmp_path / "class", 7)


def test_the_lines_are_those_of_the_thread_pool(tmp_path, scheduler):
    on_cluster = grade(tmp_path, scheduler)
    assert sorted(begun(tmp_path / "root")) == sorted(e["sha256"] for e in on_cluster.entries)
    here = grade_class(
        tmp_path / "class", tmp_path / "here", root=tmp_path / "root", key=KEY, jobs=1,
        grade_one=fakes.grade,
    )  # fmt: skip
    assert on_cluster.entries == here.entries
    assert grade(tmp_path, scheduler).kept == 7
    assert len(begun(tmp_path / "root")) == 14


def test_a_lost_worker_costs_nothing(tmp_path, scheduler):
    summary = grade(tmp_path, scheduler, grade_one=fakes.lose_first_worker)
    assert (tmp_path / "root/lost").is_dir()
    assert [entry["status"] for entry in summary.entries] == ["graded"] * 7


def test_one_that_fails_there_stops_nobody(tmp_path, scheduler):
    summary = grade(tmp_path, scheduler, grade_one=fakes.fail_on_one)
    assert [entry["status"] for entry in summary.entries].count("internal_error") == 1
    assert summary.entries[3]["reason"] == "the cluster failed on it (RuntimeError)"
    again = grade(tmp_path, scheduler)
    assert (again.kept, again.count("graded")) == (6, 7)


def test_a_submission_that_cannot_be_read_any_more(tmp_path, scheduler, monkeypatch):
    from efficientdl.grading.classroom.submissions import Submission

    read = Submission.handed_in

    def gone(item):
        if item.learner == "learner-02":
            (tmp_path / "class" / item.place).unlink()
        return read(item)

    monkeypatch.setattr(Submission, "handed_in", gone)
    summary = grade(tmp_path, scheduler)
    assert (summary.count("graded"), summary.count("internal_error")) == (6, 1)
    assert "must be readable" in summary.entries[2]["reason"]


def test_each_has_a_process_of_its_own_there_too(tmp_path, scheduler):
    for path in list((tmp_path / "class").iterdir())[2:]:
        shutil.rmtree(path)
    summary = grade(tmp_path, scheduler, grade_one=None)
    assert [entry["status"] for entry in summary.entries] == ["refused"] * 2
    assert "does not say which lab it is of" in summary.entries[0]["reason"]


def test_nobody_answers(tmp_path, monkeypatch):
    from efficientdl.grading.classroom import cluster

    monkeypatch.setattr(cluster, "_PATIENCE_S", 0.2)
    with pytest.raises(ValueError, match="class: scheduler must be the address of one that answer"):
        grade(tmp_path, "tcp://127.0.0.1:9")


def test_without_dask(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match=r"pip install 'efficientdl\[class\]'"):
        grade(tmp_path, "tcp://127.0.0.1:9")
