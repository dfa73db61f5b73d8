"""A learner's kernel: a caged process that runs cells, and that the grader can always end.

Everything that comes out of it is data from a stranger: it is bounded in size and in time, and
nothing in it decides how the kernel is doing. That is read off the process itself.
"""

import base64
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from efficientdl.grading.inside import MIME
from efficientdl.grading.isolation import Level, Place, caged
from efficientdl.grading.limits import Limits
from efficientdl.grading.watch import Watch

_LARGEST_MESSAGE = 96 * 2**20
_MOST_WAITING = 4  # messages in our memory; the rest waits in the kernel's, which is bounded
_LARGEST_PAYLOAD = 64 * 2**20
_HEARD_S = 0.2
_QUIET_S = 1.0
_GRACE_S = 2.0  # between asking a cell to stop and ending its kernel
_SHOWN = ("stream", "display_data", "execute_result", "error")
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "EFFICIENTDL_COURSE")
_FIXED = {
    "EFFICIENTDL_UI": "silent",
    "JUPYTER_PLATFORM_DIRS": "1",
    "LOGNAME": "learner",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "USER": "learner",
}


class End(StrEnum):
    """How running a cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    PROCESSES = "processes"
    DIED = "died"


class NotStarted(RuntimeError):
    """The kernel did not come up: a fault of the machine, not of the learner."""


@dataclass
class Ran:
    """What running a cell gave.

    Attributes:
        end: How it ended.
        name: Of the exception, after an error.
        said: The exception's text.
        payload: What the code handed to the grader, if anything.
        outputs: As a notebook keeps them, cut at the limit.
        cut: Was more put out than is kept?
        seconds: Wall-clock time.
        peak_mb: Most memory that the process held meanwhile, if the system tells.
    """

    end: End = End.OK
    name: str = ""
    said: str = ""
    payload: bytes | None = None
    outputs: list[NotebookNode] = field(default_factory=list)
    cut: bool = False
    seconds: float = 0.0
    peak_mb: float | None = None


class Kernel:
    """A kernel in a cage. Use it in a `with` block: it and all that it started end with it."""

    def __init__(self, limits: Limits, level: Level, hidden: tuple[Path, ...] = ()) -> None:
        self.limits, self.level, self.hidden = limits, level, hidden
        self.alive = False

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="edl-", ignore_cleanup_errors=True)
        try:
            self._start(Place(Path(self._folder.name).resolve(), self.hidden))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, place: Place) -> None:
        file = place.sockets / "kernel.json"
        argv = caged(_command(file), place, self.limits, self.level, _environment(place))
        _connection(file, place)
        nowhere = subprocess.DEVNULL
        self.process = subprocess.Popen(
            argv, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd="/", start_new_session=True
        )
        self.watch = Watch(self.process.pid, self.limits)
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, _LARGEST_MESSAGE)
        self._context.setsockopt(zmq.RCVHWM, _MOST_WAITING)
        self.client = BlockingKernelClient(connection_file=str(file), context=self._context)
        self.client.load_connection_file()
        self.client.start_channels(hb=False, stdin=False, control=False)
        self.alive = True
        self._wait()

    def _wait(self) -> None:
        """Until both of the kernel's channels have been heard: what it says before is lost."""
        deadline = time.monotonic() + self.limits.start_s
        silent = [self.client.shell_channel, self.client.iopub_channel]
        while silent:
            if self._stopped() is not None or time.monotonic() > deadline:
                raise NotStarted(f"the kernel did not start (code {self.process.poll()})")
            self.client.kernel_info()
            silent = [channel for channel in silent if not channel.socket.poll(250)]

    def run(self, source: str, time_limit_s: float) -> Ran:
        """Run a cell. A cell that goes on past its limit is interrupted, then ended.

        Args:
            source: The cell.
            time_limit_s: Seconds.
        """
        ran, start = Ran(), time.monotonic()
        self.watch.mark()
        asked = self.client.execute(source, allow_stdin=False, stop_on_error=False)
        listening = _Listening(self.client, asked, ran, self.limits.output_kb * 1024)
        deadline, interrupted = start + time_limit_s, False
        while not listening.done():
            listening.hear()
            now = time.monotonic()
            stopped = self._stopped()
            if stopped is not None:
                ran.end = End.TIMEOUT if interrupted else stopped
                break
            if now > deadline and not listening.done():
                ran.end = End.TIMEOUT
                if interrupted or listening.replied:
                    self.kill()
                    break
                interrupted, deadline = True, now + _GRACE_S
                self._interrupt()
        if interrupted:
            ran.end = End.TIMEOUT
        ran.seconds = time.monotonic() - start
        ran.peak_mb = self.watch.peak_mb()
        return ran

    def _stopped(self) -> End | None:
        """Has the process ended, or been ended for using too much?"""
        excess = self.watch.excess()
        if excess:
            self.kill()
            return End(excess)
        if self.process.poll() is not None:
            self.alive = False
            return End.DIED
        return None

    def _interrupt(self) -> None:
        if os.name == "posix":
            os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """End the process and everything that it started."""
        self.alive = False
        self.watch.kill_all()
        self.process.wait()

    def close(self) -> None:
        """End everything and remove the folder. Never fails."""
        if hasattr(self, "process"):
            self.kill()
            self.watch.stop()
        if hasattr(self, "client"):
            self.client.stop_channels()
            self._context.destroy(linger=0)
        self._folder.cleanup()


class _Listening:
    """Messages of one cell, heard until it is over."""

    def __init__(self, client: BlockingKernelClient, asked: str, ran: Ran, room: int) -> None:
        self.client, self.asked, self.ran, self.room = client, asked, ran, room
        self.replied = self.idle = False
        self.heard_s = time.monotonic()
        self.poller = zmq.Poller()
        self.channels = {c.socket: c for c in (client.shell_channel, client.iopub_channel)}
        for socket in self.channels:
            self.poller.register(socket, zmq.POLLIN)

    def done(self) -> bool:
        """Is the cell over? In a flood of output the word of its end may have been lost."""
        quiet = time.monotonic() - self.heard_s > _QUIET_S
        return self.replied and (self.idle or quiet)

    def hear(self) -> None:
        """Take in what has come; wait a tenth of a second for it at most."""
        late = time.monotonic() + _HEARD_S
        for socket, _ in self.poller.poll(100):
            while socket.poll(0):
                try:
                    message = self.channels[socket].get_msg(timeout=0)
                    self.heard_s = time.monotonic()
                    if message["parent_header"].get("msg_id") == self.asked:
                        self._take(message)
                except Exception:  # forged or broken: as if it had not come
                    pass
                if time.monotonic() > late:  # then look at the clock and at the process again
                    break

    def _take(self, message: Mapping[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_reply":
            if content.get("status") != "ok":
                self.ran.end = End.ERROR
                self.ran.name = _words(content.get("ename"), 80)
                self.ran.said = _words(content.get("evalue"), 400)
            self.replied = True
        elif kind == "status":
            self.idle = self.idle or content.get("execution_state") == "idle"
        elif kind in _SHOWN:
            self._output(message)

    def _output(self, message: Mapping[str, Any]) -> None:
        data = message["content"].get("data")
        if isinstance(data, dict) and MIME in data:
            text = str(data[MIME])
            fits = len(text) <= _LARGEST_PAYLOAD * 4 // 3 + 4
            self.ran.payload = base64.b64decode(text, validate=True) if fits else None
            return
        output = output_from_msg(message)
        size = len(repr(message["content"]))
        if size > self.room:
            self.ran.cut = True
            if output.output_type != "stream" or not self.room:
                return
            output.text = output.text[: self.room]
            size = self.room
        self.room -= size
        self.ran.outputs.append(output)


def _words(said: object, longest: int) -> str:
    """What a stranger says, if it is words: short, and such that it can be written down."""
    text = said if isinstance(said, str) else ""
    return text[:longest].encode("utf-8", "replace").decode()


def _command(file: Path) -> list[str]:
    quiet = "--HistoryManager.enabled=False"
    return [sys.executable, "-m", "ipykernel_launcher", "-f", str(file), quiet]


def _connection(file: Path, place: Place) -> None:
    """The file that tells a kernel where to listen: sockets in its own folder, no port."""
    if os.name == "posix":
        write_connection_file(str(file), ip=str(place.sockets / "k"), transport="ipc")
    else:
        write_connection_file(str(file))
    if os.name == "posix":
        owner = place.sockets.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _environment(place: Place) -> dict[str, str]:
    """What a kernel's process knows of the outside: next to nothing."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {
        "IPYTHONDIR": ".ipython",
        "JUPYTER_RUNTIME_DIR": ".runtime",
        "MPLCONFIGDIR": ".matplotlib",
        "NUMBA_CACHE_DIR": ".numba",
        "TMPDIR": "tmp",
    }
    return passed | _FIXED | {name: str(place.home / folder) for name, folder in own.items()}
