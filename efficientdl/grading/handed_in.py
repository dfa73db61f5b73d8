"""What a learner hands in: a notebook's bytes, and perhaps artefacts beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from efficientdl import _check
from efficientdl.course.artefacts import LARGEST_BYTES as LARGEST_ARTEFACT_BYTES

LARGEST_NOTEBOOK_BYTES = 20 * 2**20


@dataclass(frozen=True)
class HandedIn:
    """One submission as bytes; nothing in it has been believed yet.

    Attributes:
        name: The file's name, for people.
        data: The notebook's bytes.
        artefacts: The bytes of an artefact's JSON by the id of its challenge.
    """

    name: str
    data: bytes
    artefacts: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hash of the notebook and of every artefact."""
        whole = sha256(self.data)
        for id, data in sorted(self.artefacts.items()):
            whole.update(f"\0{id}\0{len(data)}\0".encode() + data)
        return whole.hexdigest()


def read_handed_in(path: Path) -> HandedIn:
    """Read a notebook from disk, with the artefacts that `submit` wrote beside it.

    Of a notebook that is larger than any lab, one byte too many is read, so that it is refused as
    a submission and not as a file.

    Raises:
        BadValue: There is no such file, or it is none.
    """
    if not path.is_file():
        _check.fail("grade", "submission", "must be a notebook's file", str(path))
    with path.open("rb") as file:
        data = file.read(LARGEST_NOTEBOOK_BYTES + 1)
    artefacts = {}
    folder = path.parent.resolve()
    for found in sorted(folder.glob("artefacts/*/*.json")):
        if found.is_file() and found.resolve() == found:  # no link, on no step of the way
            with found.open("rb") as file:
                artefacts[found.stem] = file.read(LARGEST_ARTEFACT_BYTES + 1)
    return HandedIn(path.name, data, artefacts)
