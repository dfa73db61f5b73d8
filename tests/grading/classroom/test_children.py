"""Child processes: whatever one does, its parent goes on and is told what happened."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from efficientdl.grading.classroom import children
from efficientdl.grading.classroom.children import Children, Stopped
from efficientdl.grading.classroom.worker import make_job, result_of
from efficientdl.grading.handed_in import HandedIn
from tests.grading.classroom.fakes import KEY, checkout, score

READ = "import sys, os, time; line = sys.stdin.buffer.readline(); "


def child(code, **more):
    return Children([sys.executable, "-I", "-S", "-c", code], **more)


def reason(code, job=None, **more):
    result = child(code, **more).grade(job or {})
    assert result["kind"] == "internal"
    return result["error"]


def test_the_answer_comes_back():
    result = {"score": score(), "answers": {"a": "x"}}
    code = READ + f"print({json.dumps(result)!r})"
    assert child(code).grade({}) == result


def test_a_large_job_is_read_while_the_child_answers():
    code = READ + 'print(\'{"error": "%d", "kind": "refused"}\' % len(line))'
    job = {"data": "x" * 2**21}
    assert child(code).grade(job)["error"] == str(len(json.dumps(job)) + 1)


def test_a_child_that_never_reads_does_not_hold_the_parent():
    said = reason("pass", {"data": "x" * 2**21})
    assert said == "the grading process ended with code 0 before it answered"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("os.abort()", "was ended by signal 6"),
        ("sys.exit(3)", "ended with code 3"),
        ("1 / 0", "ended with code 1"),
        ("print('hello')", "something that is no result"),
        ("print('[' * 100000)", "something that is no result"),
        ('print(\'{"score": 3, "answers": {}}\')', "something that is no result"),
        ('print(\'{"score": {}, "answers": {}}\')', "something that is no result"),
        ('print(\'{"error": "x", "kind": "fun"}\')', "something that is no result"),
        ('os.write(1, b\'{"error": "cut off\')', "before it answered"),
        ("os.write(1, b'\\xff\\xfe\\n')", "something that is no result"),
    ],
)
def test_what_goes_wrong_is_an_internal_error(code, said):
    assert said in reason(READ + code)


def test_too_much_is_not_kept(monkeypatch):
    monkeypatch.setattr(children, "LARGEST_ANSWER_BYTES", 2**20)
    monkeypatch.setattr(children, "_GRACE_S", 0.1)
    assert "more than 20 MB" in reason(READ + "\nwhile True: os.write(1, b'x' * 65536)")


@pytest.mark.parametrize("apart", [True, False])
def test_a_child_that_takes_too_long_is_ended_with_what_it_started(monkeypatch, tmp_path, apart):
    monkeypatch.setattr(children, "_GRACE_S", 0.1)
    note = tmp_path / "pids"
    code = READ + (
        f"import subprocess; p = subprocess.Popen(['sleep', '60'], start_new_session={apart}); "
        f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{p.pid}}'); time.sleep(60)"
    )
    start = time.monotonic()
    assert reason(code, limit_s=0.4) == "grading took more than 0.4 s"
    assert time.monotonic() - start < 30
    assert all(map(gone, map(int, note.read_text().split())))


def test_what_a_child_leaves_behind_goes(tmp_path):
    code = READ + (
        'import tempfile; print(\'{"error": "%s", "kind": "refused"}\' % tempfile.mkdtemp())'
    )
    assert not Path(child(code).grade({})["error"]).exists()


def test_an_answer_counts_though_the_child_lingers(monkeypatch):
    monkeypatch.setattr(children, "_GRACE_S", 0.1)
    answer = '{"error": "x", "kind": "refused"}'
    code = READ + f"print({answer!r}, flush=True); time.sleep(60)"
    assert child(code).grade({}) == json.loads(answer)


def test_stop_ends_every_child():
    running = child(READ + "time.sleep(60)")
    found = []

    def one():
        try:
            running.grade({})
        except Stopped:
            found.append("stopped")

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(running._living) < 3:
        time.sleep(0.01)
    running.stop()
    for thread in threads:
        thread.join(20)
    assert found == ["stopped"] * 3
    with pytest.raises(Stopped):
        running.grade({})


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pid, within_s=10):
    end = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.slow
def test_a_worker_ends_with_its_parent_and_so_does_what_it_started(tmp_path):
    worker = (
        "import subprocess, threading, time, sys\n"
        "from efficientdl.grading.classroom.worker import end_with_input\n"
        "p = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        "threading.Thread(target=end_with_input, daemon=True).start()\n"
        "import os\n"
        f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{p.pid}} ')\n"
        "time.sleep(60)"
    )
    parent = (
        "import sys\n"
        "from efficientdl.grading.classroom.children import Children\n"
        f"Children([sys.executable, '-c', {worker!r}]).grade({{}})"
    )
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", parent])
    end = time.monotonic() + 30
    note = tmp_path / "pids"
    while not (note.exists() and note.read_text().endswith(" ")) and time.monotonic() < end:
        time.sleep(0.02)
    inside = list(map(int, note.read_text().split()))
    assert all(map(alive, inside))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert [gone(inner) for inner in inside] == [True, True]


def job(tmp_path, data=b"{}", **more):
    asked = {"root": checkout(tmp_path), "lab": None, "key": KEY, "hidden": (), **more}
    return make_job(HandedIn("lab.ipynb", data, {"net": b"[]"}), **asked)


def test_a_job_says_who_is_to_blame(tmp_path, monkeypatch):
    from efficientdl.grading import grader

    refused = result_of(job(tmp_path))
    assert refused["kind"] == "refused"
    assert "does not say which lab it is of" in refused["error"]

    nowhere = result_of({**job(tmp_path), "root": str(tmp_path / "none")})
    assert nowhere["kind"] == "internal"
    assert "must be a checkout" in nowhere["error"]

    def fails(*_, **__):
        raise RuntimeError("ours")

    monkeypatch.setattr(grader, "grade", fails)
    failed = result_of(job(tmp_path))
    assert failed["kind"] == "internal"
    assert failed["error"] == "the grader failed (RuntimeError: ours)"
    assert "Traceback" in failed["detail"]


def test_a_job_brings_everything(tmp_path, monkeypatch):
    from efficientdl.grading import grader

    seen = {}

    def note(handed_in, **asked):
        seen.update(asked, handed_in=handed_in)
        raise ValueError

    monkeypatch.setattr(grader, "grade", note)
    hidden = (tmp_path, tmp_path / "elsewhere")
    result_of(json.loads(json.dumps(job(tmp_path, data=b"\0\xff", lab="01", hidden=hidden))))
    assert seen["handed_in"] == HandedIn("lab.ipynb", b"\0\xff", {"net": b"[]"})
    assert (seen["root"], seen["lab"], seen["key"]) == (tmp_path, "01", KEY)
    assert seen["hidden"] == (tmp_path,)
