"""What the course remembers of a learner: one JSON file in `.progress/` of the working folder.

`EFFICIENTDL_HOME` names another folder. Writing replaces the file whole, so that a kernel that
dies in the middle leaves the old one. A file that cannot be read is kept aside, never deleted.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from efficientdl import _check

Entry = dict[str, Any]
_SECTIONS = ("checks", "hints", "predictions", "quizzes", "artefacts")


def home() -> Path:
    """The learner's folder: `EFFICIENTDL_HOME`, or where the kernel works."""
    return Path(os.environ.get("EFFICIENTDL_HOME") or ".")


def progress_file() -> Path:
    """Where the progress is kept."""
    return home() / ".progress" / "progress.json"


def recall(section: str, id: str) -> Entry | None:
    """What is remembered of one task in one section, if anything is."""
    _check.one_of("recall", "section", section, _SECTIONS)
    return everything()[section].get(id)


def remember(section: str, id: str, entry: Entry) -> None:
    """Replace what is remembered of one task in one section."""
    _check.one_of("remember", "section", section, _SECTIONS)
    progress = everything()
    progress[section][id] = entry
    write_text(progress_file(), json.dumps(progress, indent=1, ensure_ascii=False) + "\n")


def everything() -> dict[str, dict[str, Entry]]:
    """All sections. A file that cannot be read is put aside with a message, and they are empty."""
    path = progress_file()
    empty: dict[str, dict[str, Entry]] = {section: {} for section in _SECTIONS}
    if not path.is_file():
        return empty
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if isinstance(found, dict) and _well_formed(found):
        return {**empty, **found}
    _put_aside(path)
    return empty


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        BadValue: The folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        rule = f"must be a place that can be written to ({error.strerror})"
        _check.fail("efficientdl", "folder", rule, str(path.parent))


def _well_formed(found: dict[str, object]) -> bool:
    return all(
        section in _SECTIONS
        and isinstance(entries, dict)
        and all(isinstance(entry, dict) for entry in entries.values())
        for section, entries in found.items()
    )


def _put_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"progress.unreadable-{number}.json")).exists():
        number += 1
    path.replace(aside)
    sys.stdout.write(
        f"Your progress file could not be read. It is kept as {aside.as_posix()}, and a new one "
        "begins here. Run your check cells again to fill it.\n"
    )
