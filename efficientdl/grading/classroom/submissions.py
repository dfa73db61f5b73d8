"""The submissions in a folder, whatever its layout: notebooks on disk and in zip archives.

Nothing that looks like a submission disappears: what is not read is named, with the reason.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from efficientdl import _check
from efficientdl.course.artefacts import LARGEST_BYTES as LARGEST_ARTEFACT_BYTES
from efficientdl.grading.classroom.archives import members
from efficientdl.grading.classroom.files import (
    LARGEST_FILE_BYTES,
    Found,
    Unread,
    is_artefact,
    walk,
)
from efficientdl.grading.classroom.learner import Learner, learner_of
from efficientdl.grading.handed_in import HandedIn

_Parts = tuple[str, ...]
_SHARED = (
    "The artefacts beside it were left out: notebooks of several learners stand in this folder, "
    "and nothing says whose they are."
)


@dataclass(frozen=True)
class Submission:
    """A notebook that was handed in, not read into memory yet.

    Attributes:
        place: Where it stands below the folder; `archive.zip!inside/lab.ipynb` in an archive.
        learner: Who handed it in; people of the same name have their number behind it.
        ids: What the course system calls them.
        sha256: Of the notebook's bytes.
        artefacts: The hash of each artefact beside it, by the id of its challenge.
        note: A sentence for the teacher; empty when there is nothing to say.
    """

    place: str
    learner: str
    ids: Mapping[str, str]
    sha256: str
    artefacts: Mapping[str, str]
    note: str = ""
    notebook: Found = field(repr=False, compare=False, kw_only=True)
    beside: Mapping[str, Found] = field(repr=False, compare=False, kw_only=True)

    def handed_in(self) -> HandedIn:
        """Read it.

        Raises:
            BadValue: It cannot be read any more, or is not what it was.
        """
        data = _read(self.notebook, self.sha256, LARGEST_FILE_BYTES)
        limit = LARGEST_ARTEFACT_BYTES + 1  # a byte too many: it is the grader who refuses it
        artefacts = {
            id: _read(self.beside[id], digest, limit) for id, digest in self.artefacts.items()
        }
        return HandedIn(self.notebook.parts[-1], data, artefacts)


@dataclass(frozen=True)
class Refused:
    """What was handed in and is not graded.

    Attributes:
        place: As of a submission.
        learner: Who handed it in.
        ids: What the course system calls them.
        reason: Why, as a sentence that begins with the file.
    """

    place: str
    learner: str
    ids: Mapping[str, str]
    reason: str


@dataclass(frozen=True)
class Collected:
    """All that was found in a folder, in the order of the places."""

    submissions: tuple[Submission, ...]
    refused: tuple[Refused, ...]


_Item = TypeVar("_Item", Submission, Refused)


def collect(folder: Path) -> Collected:
    """Find the submissions in a folder: every notebook in it and in the archives in it.

    Hidden files and folders are left out. A folder that holds one archive with several notebooks
    and nothing else is taken for a class that came as one archive.

    Raises:
        BadValue: There is no such folder.
    """
    if not folder.is_dir():
        _check.fail("class", "submissions", "must be a folder", str(folder))
    found: list[Found] = []
    unread: list[Unread] = []
    for item in _distinct(_all(folder)):
        (found if isinstance(item, Found) else unread).append(item)  # pyright: ignore[reportArgumentType]
    notebooks = [item for item in found if not _is_artefact(item)]
    outer = _outer([item.parts for item in notebooks])
    beside = _Beside(found, unread, _owners(notebooks, outer))
    submissions: list[Submission] = []
    for notebook in notebooks:
        try:
            submissions.append(_submission(notebook, outer, beside))
        except _check.BadValue as error:
            unread.append(Unread(notebook.parts, notebook.place, f"cannot be read: {error}"))
    refused = [_refused(item, outer) for item in unread if not _is_artefact(item)]
    shared = _shared_names([*submissions, *refused])
    return Collected(_in_order(submissions, shared), _in_order(refused, shared))


def _shared_names(items: Iterable[Submission | Refused]) -> set[str]:
    """Names that more than one person of the course system has."""
    people: dict[str, set[str]] = {}
    for item in items:
        people.setdefault(item.learner, set()).add(_number(item.ids))
    return {name for name, numbers in people.items() if len(numbers) > 1}


def _in_order(items: Iterable[_Item], shared: Collection[str]) -> tuple[_Item, ...]:
    """Sorted by place, and a shared name with the number of the person behind it."""
    named = [
        replace(item, learner=f"{item.learner} ({_number(item.ids)})")
        if item.learner in shared and _number(item.ids)
        else item
        for item in items
    ]
    return tuple(sorted(named, key=lambda item: item.place))


def _number(ids: Mapping[str, str]) -> str:
    return ids.get("canvas_user") or ids.get("moodle_participant") or ""


def _all(folder: Path) -> Iterator[Found | Unread]:
    for item in walk(folder):
        archive = item.parts and item.parts[-1].lower().endswith(".zip")
        if isinstance(item, Found) and archive:
            yield from members(item)
        else:
            yield item


def _distinct(items: Iterable[Found | Unread]) -> Iterator[Found | Unread]:
    """Refuse what has the same place as another: an archive may name two entries alike."""
    seen: dict[str, int] = {}
    for item in items:
        seen[item.place] = count = seen.get(item.place, 0) + 1
        if count == 1:
            yield item
        else:
            reason = "stands twice in its archive; the first one is taken"
            yield Unread(item.parts, f"{item.place} ({count})", reason)


def _outer(parts: Sequence[_Parts]) -> int:
    """How many names above all notebooks say nothing of the learner: those of one class's zip."""
    first = {names[0] for names in parts}
    if len(parts) < 2 or len(first) > 1 or not (archive := first.pop()).lower().endswith(".zip"):
        return 0
    second = {names[1] for names in parts if len(names) > 2}
    wrapped = second == {archive[: -len(".zip")]} and all(len(names) > 3 for names in parts)
    return 2 if wrapped else 1


def _owners(notebooks: Iterable[Found], outer: int) -> dict[_Parts, set[str]]:
    """Whose notebooks stand in each folder."""
    owners: dict[_Parts, set[str]] = {}
    for item in notebooks:
        owners.setdefault(item.parts[:-1], set()).add(str(learner_of(item.parts[outer:])))
    return owners


def _submission(notebook: Found, outer: int, beside: "_Beside") -> Submission:
    learner = learner_of(notebook.parts[outer:])
    data = notebook.read(LARGEST_FILE_BYTES + 1)
    if len(data) > LARGEST_FILE_BYTES:
        _check.fail("class", "file", f"must be at most {LARGEST_FILE_BYTES} bytes", len(data))
    artefacts, hashes, notes = beside.of(notebook)
    digest = sha256(data).hexdigest()
    return Submission(
        notebook.place, learner.name, learner.ids, digest, hashes, " ".join(notes),
        notebook=notebook, beside=artefacts,
    )  # fmt: skip


class _Beside:
    """The artefacts beside the notebooks of each folder, and what is to be said of them."""

    def __init__(
        self, found: Iterable[Found], unread: Iterable[Unread], owners: Mapping[_Parts, set[str]]
    ) -> None:
        self.owners = owners
        self.found: dict[_Parts, dict[str, Found]] = {}
        self.notes: dict[_Parts, list[str]] = {}
        for item in filter(_is_artefact, found):
            id = item.parts[-1][: -len(".json")]
            self.found.setdefault(item.parts[:-3], {}).setdefault(id, item)
        for item in filter(_is_artefact, unread):
            self._leave_out(item, item.reason)

    def _leave_out(self, item: Found | Unread, reason: str) -> None:
        said = f"{'/'.join(item.parts[-3:])} was left out: it {reason}."
        self.notes.setdefault(item.parts[:-3], []).append(said)

    def of(self, notebook: Found) -> tuple[dict[str, Found], dict[str, str], list[str]]:
        """Artefacts and their hashes, by id, and sentences about those that were left out."""
        folder = notebook.parts[:-1]
        artefacts = self.found.get(folder, {})
        if artefacts and len(self.owners[folder]) > 1:
            return {}, {}, [_SHARED]
        hashes: dict[str, str] = {}
        for id, item in sorted(artefacts.items()):
            try:
                data = item.read(LARGEST_ARTEFACT_BYTES + 1)
            except _check.BadValue:
                self._leave_out(item, "cannot be read")
            else:
                hashes[id] = sha256(data).hexdigest()
        return artefacts, hashes, self.notes.get(folder, [])


def _is_artefact(item: Found | Unread) -> bool:
    return is_artefact(item.parts)


def _refused(item: Unread, outer: int) -> Refused:
    parts = item.parts[outer:] or item.parts
    learner = learner_of(parts) if parts else Learner("")
    name = item.parts[-1] if item.parts else "the folder"
    return Refused(item.place or ".", learner.name, learner.ids, f"{name} {item.reason}")


def _read(file: Found, digest: str, limit: int) -> bytes:
    data = file.read(limit)
    if sha256(data).hexdigest() != digest:
        rule = "must stay as it is while the class is graded"
        _check.fail("class", "submission", rule, file.place)
    return data
