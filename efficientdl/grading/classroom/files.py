"""What stands below a folder of submissions, on disk: found, never followed, never trusted.

A symbolic link is not followed: one that leads out of the folder could name any file of this
machine, and what one inside leads to is found in its own place. Only regular files are opened,
so a pipe named like a notebook holds nothing up.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from efficientdl import _check
from efficientdl.grading.classroom.learner import printable

LARGEST_FILE_BYTES = 50 * 2**20
Read = Callable[[int], bytes]


@dataclass(frozen=True)
class Found:
    """A file that can be read.

    Attributes:
        parts: Its name as text, and those of the folders and archives that it stands in.
        place: The same in one line; `!` is the step into an archive.
        read: Gives at most so many of its bytes, and raises BadValue where it cannot.
        path: Where it is, if it stands on disk by itself.
    """

    parts: tuple[str, ...]
    place: str
    read: Read
    path: Path | None = None


@dataclass(frozen=True)
class Unread:
    """What was found and is not read.

    Attributes:
        parts: As of a found file.
        place: As of a found file.
        reason: Why, as the rest of a sentence that begins with its name.
    """

    parts: tuple[str, ...]
    place: str
    reason: str


def ignored(name: str) -> bool:
    """Is it hidden, or what an archiver of macOS adds?"""
    return name.startswith(".") or name == "__MACOSX"


def is_wanted(parts: tuple[str, ...]) -> bool:
    """Is it a notebook, an archive, or an artefact beside a notebook?"""
    return parts[-1].lower().endswith((".ipynb", ".zip")) or is_artefact(parts)


def is_artefact(parts: tuple[str, ...]) -> bool:
    """Is it `artefacts/<lab>/<challenge>.json`?"""
    return len(parts) > 2 and parts[-3] == "artefacts" and parts[-1].endswith(".json")


def walk(top: Path) -> Iterator[Found | Unread]:
    """Every notebook, archive and artefact below a folder, in the order of their names."""
    folders: list[tuple[Path, tuple[str, ...]]] = [(top, ())]
    while folders:
        folder, parts = folders.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Unread(parts, "/".join(parts), f"cannot be opened ({error.strerror})")
            continue
        below = []
        for entry in entries:
            if ignored(entry.name):
                continue
            here = (*parts, printable(entry.name))
            if entry.is_dir(follow_symlinks=False):
                below.append((Path(entry.path), here))
            else:
                yield from _entry(top, entry, here)
        folders += reversed(below)


def _entry(top: Path, entry: os.DirEntry[str], parts: tuple[str, ...]) -> Iterator[Found | Unread]:
    path, place = Path(entry.path), "/".join(parts)
    if entry.is_symlink():
        if is_wanted(parts) or entry.is_dir():
            yield Unread(parts, place, _link(top, path))
        return
    if not is_wanted(parts):
        return
    status = entry.stat(follow_symlinks=False)
    reason = unfit(status) if not parts[-1].lower().endswith(".zip") else _no_file(status)
    if reason:
        yield Unread(parts, place, reason)
        return
    yield Found(parts, place, lambda limit: read_regular(path, limit), path)


def _link(top: Path, path: Path) -> str:
    """Why a symbolic link is not followed."""
    try:
        inside = path.resolve(strict=True).is_relative_to(top.resolve())
    except (OSError, RuntimeError):  # it leads nowhere, or round and round
        return "is a symbolic link that leads nowhere"
    if inside:
        return "is a symbolic link; what it leads to is taken in its own place"
    return "is a symbolic link out of the folder"


def unfit(status: os.stat_result) -> str:
    """Why a file with this status is not read; empty where it may be."""
    if status.st_size > LARGEST_FILE_BYTES and stat.S_ISREG(status.st_mode):
        return f"is larger than {LARGEST_FILE_BYTES // 2**20} MB"
    return _no_file(status)


def _no_file(status: os.stat_result) -> str:
    return "" if stat.S_ISREG(status.st_mode) else "is no regular file"


def open_regular(path: Path) -> int:
    """A descriptor of a regular file; neither a link nor a pipe is opened.

    Raises:
        BadValue: It is none, or cannot be read.
    """
    # Neither flag is known on Windows, which has neither pipes nor, for most users, links.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        _check.fail("class", "file", f"must be readable ({error.strerror})", printable(path.name))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        _check.fail("class", "file", "must be a regular file", printable(path.name))
    return descriptor


def read_regular(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a regular file.

    Raises:
        BadValue: It is none, or cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        try:
            return file.read(limit)
        except OSError as error:
            rule = f"must be readable ({error.strerror})"
            _check.fail("class", "file", rule, printable(path.name))
