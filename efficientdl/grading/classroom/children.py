"""Child processes that grade one submission each, and what their parent makes of their answers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from efficientdl import _check
from efficientdl.grading.score import from_json

Json = dict[str, Any]
LIMIT_S = 900.0
LARGEST_ANSWER_BYTES = 20 * 2**20
_WORKER = (sys.executable, "-m", "efficientdl.grading.classroom.worker")
_GRACE_S = 5.0  # for a child to end by itself when its input ends


class Stopped(Exception):
    """The whole run is being stopped: there is no result, and none is missing."""


class Children:
    """Starts a child for each job, and can end all of them.

    Args:
        command: What a child runs.
        limit_s: Wall-clock seconds that one may take.
    """

    def __init__(self, command: Sequence[str] = _WORKER, limit_s: float = LIMIT_S) -> None:
        self.command, self.limit_s = list(command), limit_s
        self._living: set[subprocess.Popen[bytes]] = set()
        self._changing = threading.Lock()
        self._stopped = False

    def grade(self, job: Json) -> Json:
        """The result of one job. A child that fails gives an internal error.

        Raises:
            Stopped: `stop` was called.
        """
        with tempfile.TemporaryDirectory(prefix="edl-", ignore_cleanup_errors=True) as folder:
            Path(folder).chmod(0o711)  # the learner's process, another user, passes through
            return self._grade(job, folder)

    def _grade(self, job: Json, folder: str) -> Json:
        child = self._start(folder)
        try:
            talk = _Talk(child, json.dumps(job).encode() + b"\n")
            talk.reader.join(self.limit_s)
            late = talk.reader.is_alive()
        finally:
            _end(child)
            with self._changing:
                self._living.discard(child)
        talk.close()
        if self._stopped and b"\n" not in talk.heard:
            raise Stopped
        if late:
            return internal_error(f"grading took more than {self.limit_s:g} s")
        return _result(bytes(talk.heard), child.returncode)

    def _start(self, folder: str) -> "subprocess.Popen[bytes]":
        # What a child that is killed leaves behind goes with the folder.
        own = {"EFFICIENTDL_UI": "silent", "TMPDIR": folder}
        environment = {"OMP_NUM_THREADS": "1", **os.environ, **own}
        with self._changing:
            if self._stopped:
                raise Stopped
            child = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # an interrupt at the terminal is for the parent alone
            )
            self._living.add(child)
            return child

    def stop(self) -> None:
        """End every child, and start no more."""
        with self._changing:
            self._stopped = True
            living = list(self._living)
        for child in living:
            _kill(child)


class _Talk:
    """Writes the job and reads the answer, a line, at the same time: neither may wait."""

    def __init__(self, child: "subprocess.Popen[bytes]", job: bytes) -> None:
        self.child, self.job, self.heard = child, job, bytearray()
        self.writer = threading.Thread(target=self._write, daemon=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.writer.start()
        self.reader.start()

    def _write(self) -> None:
        assert self.child.stdin is not None
        # A child that does not read its job says so by its answer, or by its end.
        with contextlib.suppress(OSError, ValueError):
            self.child.stdin.write(self.job)
            self.child.stdin.flush()

    def _read(self) -> None:
        assert self.child.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while chunk := os.read(self.child.stdout.fileno(), 2**16):
                self.heard += chunk
                if b"\n" in chunk or len(self.heard) > LARGEST_ANSWER_BYTES:
                    break

    def close(self) -> None:
        """Give back the pipes, unless a stray process still holds the other end."""
        self.reader.join(_GRACE_S)
        if not self.reader.is_alive() and self.child.stdout is not None:
            self.child.stdout.close()


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End a child: its input ends, and if that does not move it, it is killed."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _kill(child)
        child.wait()


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """End a child and all that it started, also what has left its group."""
    try:
        kin = psutil.Process(child.pid).children(recursive=True)
    except psutil.Error:  # it has ended, and whatever it left is in its group
        kin = []
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)  # the child leads a group of its own
        else:
            child.kill()
    for process in kin:
        with contextlib.suppress(psutil.Error):
            process.kill()


def internal_error(reason: str) -> Json:
    """A result that says that we failed, not the learner."""
    return {"error": reason, "kind": "internal"}


def _result(heard: bytes, code: int) -> Json:
    """What a child's answer means; an answer that is none is an internal error."""
    line, end, _ = heard.partition(b"\n")
    if len(line) > LARGEST_ANSWER_BYTES:
        return internal_error("the grading process answered with more than 20 MB")
    if not end:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return internal_error(f"the grading process {how} before it answered")
    try:
        found = json.loads(line)
        if is_result(found):
            return found
    except (ValueError, RecursionError):
        pass
    return internal_error("the grading process answered something that is no result")


def is_result(found: object) -> bool:
    """Is it what grading one submission gives?"""
    if not isinstance(found, dict):
        return False
    if "error" in found:
        return isinstance(found["error"], str) and found.get("kind") in ("refused", "internal")
    answers = found.get("answers")
    if not isinstance(answers, dict) or not all(isinstance(a, str) for a in answers.values()):
        return False
    try:
        from_json(found.get("score", {}))
    except _check.BadValue:
        return False
    return True


def grade_in_child(job: Json) -> Json:
    """The result of one job, from a child process of its own; also on a machine of a cluster."""
    return Children().grade(job)
