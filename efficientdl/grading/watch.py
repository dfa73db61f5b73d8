"""A watch on a process and everything that it starts: how many, how much memory, and their end."""

import contextlib
import os
import signal
import threading
from pathlib import Path

import psutil

from efficientdl.grading.limits import Limits

_EVERY_S = 0.1
_ROUNDS = 50
_BLOCK_BYTES = 4096


class Watch:
    """Looks at a tree of processes a few times a second, from a thread of its own.

    Args:
        pid: The root of the tree, the cage; it does not count itself.
        limits: Its `memory_mb`, `processes` and `disk_mb` are kept here.
        folder: Where the tree may write.
    """

    def __init__(self, pid: int, limits: Limits, folder: Path) -> None:
        self.root, self.limits, self.folder = psutil.Process(pid), limits, folder
        self._excess, self._peak_mb = "", 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_S):
            inside = self.inside()
            held_mb = _together_mb(inside, self.limits.memory_mb)
            self._peak_mb = max(self._peak_mb, held_mb)
            if len(inside) > self.limits.processes:
                self._excess = "processes"
            elif held_mb > self.limits.memory_mb:
                self._excess = "memory"
            elif not _fits(self.folder, self.limits.disk_mb * 2**20):
                self._excess = "disk"
            if self._excess:
                self.kill_all()
                return

    def excess(self) -> str:
        """What there was too much of: `memory`, `processes` or `disk`; empty while all is well."""
        return self._excess

    def inside(self) -> list[psutil.Process]:
        """Every process below the cage."""
        try:
            return self.root.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def mark(self) -> None:
        """Begin to measure the peak anew, as far as the system lets us."""
        self._peak_mb = 0.0
        for process in self.inside():
            with contextlib.suppress(OSError):
                Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_mb(self) -> float | None:
        """Most memory held since the mark, 2**20 bytes."""
        exact = sum(_high_mark_mb(process.pid) for process in self.inside())
        return max(self._peak_mb, exact) or None

    def kill_all(self) -> None:
        """End every process of the tree: stop all, so that none can start more, then kill."""
        for _ in range(_ROUNDS):
            inside = self.inside()
            for number in (signal.SIGSTOP, signal.SIGKILL) if os.name == "posix" else (15,):
                for process in inside:
                    with contextlib.suppress(psutil.Error, OSError):
                        process.send_signal(number)
            if not [p for p in self.inside() if p not in inside]:
                break
        with contextlib.suppress(psutil.Error, OSError):
            self.root.kill()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def _fits(folder: Path, room: int) -> bool:
    """Is all that stands in a folder within so many bytes? A file counts for a block at least."""
    folders = [folder]
    for inner in folders:  # grows while it is gone through
        with contextlib.suppress(OSError), os.scandir(inner) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                room -= max(entry.stat(follow_symlinks=False).st_size, _BLOCK_BYTES)
                if room < 0:
                    return False
    return True


def _together_mb(processes: list[psutil.Process], limit_mb: int) -> float:
    """Memory of several processes; looked at closely only where it seems too much.

    A forked process shares its parent's pages, and adding resident sizes counts them again and
    again. Proportional sizes do not, but take long to read.
    """
    held_mb = sum(map(_held_mb, processes))
    if held_mb <= limit_mb or len(processes) == 1:
        return held_mb
    return sum(map(_proportional_mb, processes))


def _proportional_mb(process: psutil.Process) -> float:
    try:
        return getattr(process.memory_full_info(), "pss", 0) / 2**20
    except psutil.Error:
        return _held_mb(process)


def _held_mb(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 2**20
    except psutil.Error:
        return 0.0


def _high_mark_mb(pid: int) -> float:
    """The kernel's own high-water mark of one process; 0 where it keeps none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) / 1024 if lines else 0.0
