"""Where the files of `data/` are, and whether they are whole.

They stand in the checkout, or in the package when it was installed from a wheel;
`EFFICIENTDL_DATA` names another folder.
"""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path

from efficientdl import _check

_PACKAGE = Path(__file__).parent


def data_folder() -> Path:
    """The folder of the shipped files.

    Raises:
        BadValue: There is none, or `EFFICIENTDL_DATA` names none.
    """
    named = os.environ.get("EFFICIENTDL_DATA")
    places = [Path(named)] if named else [_PACKAGE.parent / "data", _PACKAGE / "_data"]
    for place in places:
        if (place / "SHA256SUMS").is_file():
            return place
    rule = "must be a folder with SHA256SUMS, the data/ of a checkout"
    _check.fail("efficientdl", "EFFICIENTDL_DATA" if named else "data folder", rule, str(places[0]))


@cache
def _sums(folder: Path) -> dict[str, str]:
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def names() -> list[str]:
    """The shipped files, by name below `data/`."""
    return list(_sums(data_folder()))


def data_file(caller: str, name: str) -> Path:
    """The path of one shipped file, its checksum verified.

    Args:
        caller: Who asks, for the error.
        name: The file's name below `data/`, `mnist_6k.npz`.

    Raises:
        BadValue: The file is not one of those that ship, is missing, or is corrupted.
    """
    folder = data_folder()
    sums = _sums(folder)
    _check.one_of(caller, "file", name, sums)
    path = folder / name
    if not path.is_file():
        rule = f"is missing from {folder}; `git checkout -- data` brings it back"
        _check.fail(caller, "file", rule, name)
    if sha256(path.read_bytes()).hexdigest() != sums[name]:
        rule = "is corrupted: its checksum is not the one in data/SHA256SUMS; "
        _check.fail(caller, "file", rule + "`git checkout -- data` brings it back", name)
    return path
