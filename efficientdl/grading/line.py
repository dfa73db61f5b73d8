"""The grader's line to its referee: one request, one answer, within a time."""

import base64
import binascii
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from efficientdl.course.execute import static_environment
from efficientdl.course.exercise import Arguments
from efficientdl.course.parcel import unpack
from efficientdl.course.values import Plain
from efficientdl.grading.release import Release

_TARGETS_S, _JUDGE_S = 300, 120
_MODULE = "efficientdl.grading.referee"
_LARGEST_BYTES = 256 * 2**20


class RefereeFailed(RuntimeError):
    """The referee could not do its work: no fault of the learner's."""


@dataclass(frozen=True)
class Cases:
    """What an exercise is asked: public cases first, then fresh ones."""

    public_inputs: Sequence[Arguments]
    public_targets: Sequence[Plain]
    inputs: Sequence[Arguments]
    targets: Sequence[Plain]


class Referee:
    """A referee at work. Use it in a `with` block; it starts on the targets at once."""

    def __init__(self, release: Release, seed: str) -> None:
        self._about = {"root": str(release.root), "lab": release.lab}
        self._seed = seed
        self._cases: dict[str, Cases | str] | None = None

    def __enter__(self) -> Self:
        self._start()
        self._send({"seed": self._seed})
        return self

    def _start(self) -> None:
        environment = static_environment(EFFICIENTDL_UI="silent")
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=Path(self._about["root"]),
            start_new_session=os.name == "posix",
        )
        self._lines: queue.Queue[bytes] = queue.Queue()
        about = (self._process.stdout, self._lines)
        threading.Thread(target=_read, args=about, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def cases(self) -> dict[str, Cases | str]:
        """The cases of every exercise by id, or why there are none.

        Raises:
            RefereeFailed: It gave no answer.
        """
        if self._cases is None:
            found = self._receive(_TARGETS_S)
            self._cases = {id: _cases(entry) for id, entry in found.items()}
        return self._cases

    def judge(self, id: str, artefact: bytes) -> dict[str, Any]:
        """What is measured in an artefact: `{"figures": [...]}`, or `{"refused": why}`.

        Raises:
            RefereeFailed: It gave no answer for a reason of its own.
            TimeoutError: Measuring takes too long.
        """
        text = artefact.decode("utf-8", "replace")
        try:
            self.cases()  # answers come in the order of the requests
        except TimeoutError as error:
            raise RefereeFailed(str(error)) from None
        self._send({"id": id, "artefact": text})
        try:
            return self._receive(_JUDGE_S)
        except TimeoutError:
            self._end()  # its late answer would be taken for that to the next request
            self._start()
            raise

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({**self._about, **request}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise RefereeFailed("the referee has ended") from None

    def _receive(self, within_s: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=within_s)
        except queue.Empty:
            raise TimeoutError(f"no answer within {within_s} s") from None
        if not line:
            raise RefereeFailed(f"the referee ended (code {self._process.wait()})")
        found = json.loads(line)
        if "error" in found:
            raise RefereeFailed(found["error"])
        return found


def _read(said: Iterable[bytes], lines: "queue.Queue[bytes]") -> None:
    for line in said:
        lines.put(line)
    lines.put(b"")


def _cases(entry: dict[str, str]) -> Cases | str:
    if "error" in entry:
        return entry["error"]
    try:
        packed = base64.b64decode(entry["cases"])
        return Cases(*unpack(packed, largest_bytes=_LARGEST_BYTES))
    except (ValueError, binascii.Error) as error:
        return str(error)
