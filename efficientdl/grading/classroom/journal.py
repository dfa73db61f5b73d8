"""The journal of a class: `results.jsonl`, one line for each submission, written as it finishes.

A line that is written is on the disk, so a run that is killed loses nothing but what was being
graded at that moment. The next run keeps every line that still tells the truth: the same bytes,
the same release, the same course key. What no longer does goes to `results.old.jsonl` when the
class is done, never away.
"""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from efficientdl import _check

SCHEMA = 1
Entry = dict[str, Any]
_FIELDS = {
    "schema": int,
    "place": str,
    "learner": str,
    "ids": dict,
    "sha256": str,
    "artefacts": dict,
    "key": str,
    "asked": str,
    "release": str,
    "status": str,
    "reason": str,
    "answers": dict,
}
_BEGINNING = b'{"schema": '


def fingerprint(key: bytes) -> str:
    """A course key's name, from which the key cannot be found.

    >>> fingerprint(b"a key")
    '5bd4c324c275e2d9'
    """
    return sha256(b"efficientdl" + key).hexdigest()[:16]


def is_entry(found: object) -> bool:
    """Is it a line of a journal?"""
    return (
        isinstance(found, dict)
        and all(isinstance(found.get(name), kind) for name, kind in _FIELDS.items())
        and found["schema"] == SCHEMA
        and found["status"] in ("graded", "refused", "internal_error")
        and _fits(found.get("score"), found["status"])
    )


def _fits(score: object, status: str) -> bool:
    """Is it a score, as far as a glance tells, where there is to be one?"""
    if status != "graded":
        return score is None
    return (
        isinstance(score, dict)
        and isinstance(score.get("exercises"), list)
        and isinstance(score.get("total"), dict)
        and isinstance(score.get("release"), dict)
        and isinstance(score["release"].get("lab"), str)
    )


def read_entries(out: Path) -> list[Entry]:
    """The lines of a class's journal.

    Raises:
        BadValue: There is none.
    """
    path = out / "results.jsonl"
    if not path.is_file():
        _check.fail("class", "out", "must be a folder with results.jsonl in it", str(out))
    return [entry for _, entry in _parsed(path.read_bytes()) if entry is not None]


class Journal:
    """The journal in one folder, open for writing. It may be written to from several threads."""

    def __init__(self, out: Path) -> None:
        self.path, self.old = out / "results.jsonl", out / "results.old.jsonl"
        self.foreign = out / "results.unreadable.jsonl"
        self._writing = threading.Lock()
        self._lines: list[Entry] = []
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        """Read the lines; cut off a torn one, and keep aside what is not ours."""
        data = self.path.read_bytes()
        parsed = _parsed(data)
        self._lines = [entry for _, entry in parsed if entry is not None]
        broken = [line for line, entry in parsed if entry is None]
        if not broken:
            return
        last = broken[-1][: len(_BEGINNING)]
        torn = not data.endswith(b"\n") and _BEGINNING.startswith(last)
        aside = broken[:-1] if torn else broken
        if aside:
            _append(self.foreign, b"".join(line + b"\n" for line in aside))
        self._rewrite(self._lines)

    def done(self, like: Mapping[str, Any], releases: Mapping[str, str]) -> Entry | None:
        """The line that holds the result of this very submission, if it has been graded.

        Args:
            like: The fields that say what was graded: place, bytes, key, lab asked for.
            releases: The digest of each lab as it is now; of all of them under "".
        """
        for entry in reversed(self._lines):
            same = all(entry.get(name) == value for name, value in like.items())
            now = releases.get(entry["score"]["release"]["lab"] if entry["score"] else "")
            if same and entry["status"] != "internal_error" and entry["release"] == now:
                return entry
        return None

    def add(self, entry: Entry) -> None:
        """Write a line; when this returns, it is on the disk."""
        assert is_entry(entry), "a line that could not be read again"
        with self._writing:
            _append(self.path, _line(entry))
            self._lines.append(entry)

    def close(self, entries: Iterable[Entry]) -> None:
        """Leave these lines, in the order of their places; keep all others in the old file."""
        kept = sorted(entries, key=lambda entry: entry["place"])
        stale = [entry for entry in self._lines if entry not in kept]
        if stale:
            _append(self.old, b"".join(map(_line, stale)))
        if kept != self._lines:
            self._rewrite(kept)

    def _rewrite(self, entries: list[Entry]) -> None:
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        partial.unlink(missing_ok=True)
        _append(partial, b"".join(map(_line, entries)))
        partial.replace(self.path)
        self._lines = entries


def _line(entry: Entry) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _parsed(data: bytes) -> list[tuple[bytes, Entry | None]]:
    """Each line, and the entry in it; the last line counts only with its end."""
    *whole, rest = data.split(b"\n")
    lines = [(line, _entry(line)) for line in whole if line.strip()]
    return [*lines, (rest, None)] if rest else lines


def _entry(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if is_entry(found) else None


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
