"""`submit("id", artefact)`: hand in open work as data, and see how it stands under its budget.

What is handed in is a file of numbers, not code: the grader measures it again by itself.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.course import cards, store
from efficientdl.course.exercise import Challenge, Measured, Verdict, figure_text
from efficientdl.course.registry import find
from efficientdl.course.values import decode, encode, plain
from efficientdl.progress import ui_mode

LARGEST_BYTES = 1_000_000


def submit(id: str, artefact: Mapping[str, Any]) -> None:
    """Write an artefact to `artefacts/`, measure it, and show each figure beside its limit.

    In grading (`EFFICIENTDL_UI=silent`) it is written only: the grader measures it by itself.

    Args:
        id: The challenge.
        artefact: Names, each with numbers, strings, arrays, or lists and dictionaries of them; at
            most a megabyte as text.

    Raises:
        BadValue: The artefact is too large, or not what the challenge asks for.
        BadKind: The artefact holds what is no data.
    """
    challenge = find("submit", id, Challenge)
    _check.kind("submit", "artefact", artefact, Mapping)
    data = plain(dict(artefact))
    entry = {"id": id, "lab": challenge.lab, "artefact": encode(data)}
    text = json.dumps(entry, indent=1, ensure_ascii=False) + "\n"
    size = len(text.encode())
    if size > LARGEST_BYTES:
        _check.fail("submit", "artefact", f"must be at most {LARGEST_BYTES:,} bytes as text", size)
    path = artefact_file(challenge)
    if ui_mode() == "silent":
        store.write_text(path, text)
        return
    verdict = challenge.judge(data)
    store.write_text(path, text)
    store.remember("artefacts", id, {"share": verdict.share})
    cards.show(standing(challenge, verdict, path))


def artefact_file(challenge: Challenge) -> Path:
    """Where the artefact of a challenge is written."""
    return store.home() / "artefacts" / challenge.lab / f"{challenge.id}.json"


def read_artefact(path: Path) -> dict[str, Any]:
    """The artefact that `submit` wrote.

    Raises:
        BadValue: The file is too large or holds no artefact.
    """
    if path.stat().st_size > LARGEST_BYTES:
        _check.fail("artefact", "file", f"must be at most {LARGEST_BYTES:,} bytes", path.name)
    try:
        found = decode(json.loads(path.read_text(encoding="utf-8"))["artefact"])
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, dict):
        _check.fail("artefact", "file", "must be one that `submit` wrote", path.name)
    return found


def standing(challenge: Challenge, verdict: Verdict, path: Path) -> cards.Card:
    """Every figure of the budget: value, limit, unit, met or not, in words."""
    rows = [["figure", "value", "limit", "unit", "met?"], *map(_row, verdict.measured)]
    met = sum(m.met for m in verdict.measured)
    first = f"{challenge.id}: {met} of {len(verdict.measured)} limits are met."
    last = f"Handed in as `{path.as_posix()}`; submit again as often as you like."
    text = "\n".join([first, "", cards.table_text(rows), "", last])
    table = cards.table_html(f"{challenge.title}: the budget", rows)
    return cards.Card(text, cards.status(cards.paragraph(first), table, cards.paragraph(last)))


def _row(m: Measured) -> list[str]:
    limit = f"{m.limit.words} {figure_text(m.limit.value)}"
    met = "met" if m.met else "not met"
    return [m.limit.name, figure_text(m.value), limit, m.limit.unit, met]
