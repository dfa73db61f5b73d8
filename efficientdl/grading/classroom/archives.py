"""What stands in a zip archive, read as data in memory: nothing is ever extracted.

An archive is a stranger's claim about names and sizes. Names are only names here, so one with
`..` in it leads nowhere; it is refused all the same, because it was made to lead somewhere.
"""

import contextlib
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from efficientdl import _check
from efficientdl.grading.classroom.files import (
    LARGEST_FILE_BYTES,
    Found,
    Unread,
    ignored,
    is_wanted,
    open_regular,
)
from efficientdl.grading.classroom.learner import printable

LARGEST_ARCHIVE_BYTES = 2 * 2**30  # a whole class may come as one archive; it is read in pieces
LARGEST_TOTAL_BYTES = 4 * 2**30
MOST_ENTRIES = 1000
_LARGEST_DIRECTORY_BYTES = 2**20  # of 1000 entries; Python reads it whole
_END = struct.Struct("<4s4H2LH")
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
    NotImplementedError, ValueError, struct.error,
)  # fmt: skip
_DRIVE = re.compile(r"[A-Za-z]:")
_ENCRYPTED = 0x1


def members(archive: Found) -> Iterator[Found | Unread]:
    """Every notebook and artefact in an archive on disk, or why the archive is not read."""
    path = archive.path
    assert path is not None, "an archive in an archive is refused before"
    try:
        with _opened(path) as opened:
            entries = opened.infolist()
    except _check.BadValue as error:
        yield Unread(archive.parts, archive.place, str(error))
        return
    except _BROKEN:
        yield Unread(archive.parts, archive.place, "is no whole zip archive")
        return
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        yield Unread(archive.parts, archive.place, f"holds more than {MOST_ENTRIES} entries")
    elif total > LARGEST_TOTAL_BYTES:
        yield Unread(archive.parts, archive.place, "unpacks to more than 4 GB")
    else:
        for entry in entries:
            yield from _member(archive, path, entry)


def _member(archive: Found, path: Path, entry: zipfile.ZipInfo) -> Iterator[Found | Unread]:
    names = entry.filename.replace("\\", "/").split("/")
    inside = tuple(printable(name) for name in names if name not in ("", "."))
    parts = (*archive.parts, *inside)
    hidden = any(ignored(name) for name in inside if name != "..")
    if entry.is_dir() or not inside or hidden or not is_wanted(parts):
        return
    place = f"{archive.place}!{'/'.join(inside)}"
    reason = _unfit(entry, names)
    if reason:
        yield Unread(parts, place, reason)
    else:
        yield Found(parts, place, lambda limit: _read(path, entry, limit))


def _unfit(entry: zipfile.ZipInfo, names: list[str]) -> str:
    """Why an entry is not read; empty where it may be."""
    kind = stat.S_IFMT(entry.external_attr >> 16)
    checks = {
        "has a name that leads out of its archive": ".." in names,
        "has a name that begins at the root": not names[0] or bool(_DRIVE.match(names[0])),
        "is a symbolic link": kind == stat.S_IFLNK,
        "is no regular file": kind not in (0, stat.S_IFREG, stat.S_IFLNK),
        "is encrypted": bool(entry.flag_bits & _ENCRYPTED),
        "is an archive in an archive: unpack the outer one": names[-1].lower().endswith(".zip"),
        f"is larger than {LARGEST_FILE_BYTES // 2**20} MB": entry.file_size > LARGEST_FILE_BYTES,
    }
    return next((reason for reason, holds in checks.items() if holds), "")


def _read(path: Path, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """At most `limit` bytes of an entry, its checksum verified where it is read whole."""
    try:
        with _opened(path) as opened, opened.open(entry) as file:
            return file.read(limit)
    except _check.BadValue:
        raise
    except _BROKEN:
        name = printable(entry.filename)
        _check.fail("class", "archive's entry", "must be whole and of a known kind", name)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with os.fdopen(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_ARCHIVE_BYTES:
            raise _check.BadValue(f"is larger than {LARGEST_ARCHIVE_BYTES // 2**30} GB")
        file.seek(max(0, size - _END.size - 2**16))
        _check_directory(file.read())
        with zipfile.ZipFile(file) as opened:
            yield opened


def _check_directory(tail: bytes) -> None:
    """Refuse a long table of contents before Python reads it whole."""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise zipfile.BadZipFile
    _, _, _, _, count, length, _, _ = _END.unpack_from(tail, at)
    large = at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07"  # more than 65,535 entries
    if large or count > MOST_ENTRIES or length > _LARGEST_DIRECTORY_BYTES:
        raise _check.BadValue(f"holds more than {MOST_ENTRIES} entries")
