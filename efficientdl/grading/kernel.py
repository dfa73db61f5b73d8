"""A learner's kernel: a caged process that runs cells, and that the grader can always end.

Everything that comes out of it is data from a stranger: it is bounded in size and in time, and
nothing in it decides how the kernel is doing. That is read off the process itself.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from efficientdl.grading.isolation import Level, Place, caged
from efficientdl.grading.limits import Limits
from efficientdl.grading.messages import End, Listening, Ran
from efficientdl.grading.watch import Watch

_LARGEST_MESSAGE = 96 * 2**20
_MOST_WAITING = 4  # messages in our memory; the rest waits in the kernel's, which is bounded
_GRACE_S = 2.0  # between asking a cell to stop and ending its kernel
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


class NotStarted(RuntimeError):
    """The kernel did not come up: a fault of the machine, not of the learner."""


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
        self.watch = Watch(self.process.pid, self.limits, place.root)
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
        listening = Listening(self.client, asked, ran, self.limits.output_kb * 1024)
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
