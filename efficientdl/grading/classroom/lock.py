"""One class run at a time for one folder of results.

The lock is the operating system's own, so that it ends with the process that holds it, however
that process ends: there is no stale lock to guess about.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from efficientdl import _check


@contextlib.contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Hold the folder of results for this process.

    Raises:
        BadValue: Another process holds it, or the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        _check.fail("class", "system", "must be Linux or macOS, or a container of it", sys.platform)
    descriptor = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            rule = f"is being written by another run of this command (process {holder})"
            _check.fail("class", "out", rule, str(out))
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
