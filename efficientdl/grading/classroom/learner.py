"""Whose submission is it? Read from the names that course systems give to what they hand out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath

# Canvas: `lastnamefirstname_[LATE_]USERID_SUBMISSIONID_file.ipynb`. Its ids have no leading zero
# and are not short, so that `lab_01_2_mine.ipynb` is not taken for one.
_CANVAS = re.compile(
    r"(?P<name>.+?)_(?:LATE_)?(?P<user>[1-9]\d+)_(?P<submission>[1-9]\d{2,})_.+", re.IGNORECASE
)
# Moodle: a folder `Full Name_PARTICIPANTID_assignsubmission_file_`, or that before a file's name.
_MOODLE = re.compile(r"(?P<name>.+)_(?P<participant>\d+)_assignsubmission_file(?:_.*)?")
_SUBMITTED = "submitted"  # nbgrader: `submitted/<learner>/<assignment>/<notebook>`
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Learner:
    """Who handed in.

    Attributes:
        name: As the course system or the folder writes it.
        ids: What the course system calls them: `canvas_user`, `canvas_submission`,
            `moodle_participant`.
    """

    name: str
    ids: dict[str, str] = field(default_factory=dict)


def learner_of(parts: Sequence[str]) -> Learner:
    """Who handed in the file with these names: folders and archives from the top, then the file.

    A name of Canvas or Moodle anywhere on the way says it; otherwise the folder below
    `submitted`, or the first folder or archive below the top, or the file's own name.

    >>> learner_of(["submissions", "doejane_LATE_1204_99871_lab-1.ipynb"])
    Learner(name='doejane', ids={'canvas_user': '1204', 'canvas_submission': '99871'})
    >>> learner_of(["Full Name_812_assignsubmission_file_", "lab.ipynb"])
    Learner(name='Full Name', ids={'moodle_participant': '812'})
    >>> learner_of(["submitted", "jdoe", "01_costs", "01_costs.ipynb"]).name
    'jdoe'
    >>> learner_of(["jane.ipynb"]).name
    'jane'
    """
    for part in parts:
        if found := _MOODLE.fullmatch(part):
            return Learner(found["name"], {"moodle_participant": found["participant"]})
    for part in parts:
        if found := _CANVAS.fullmatch(part):
            ids = {"canvas_user": found["user"], "canvas_submission": found["submission"]}
            return Learner(found["name"], ids)
    above = list(parts[:-1])
    if len(above) > 1 and above[0] == _SUBMITTED:
        above = above[1:]
    return Learner(_stem(above[0] if above else parts[-1]))


def printable(name: str) -> str:
    r"""A file's name as text that can be shown and written anywhere, different for each name.

    Bytes that are no UTF-8, control characters and the backslash are written as escapes, and so
    is the `!` that would look like the step into an archive.

    >>> print(printable("caf\udce9.ipynb"), printable("a\x1b[1m"), printable("Zoë"))
    caf\xe9.ipynb a\x1b[1m Zoë
    """
    shown = "".join(map(_shown, name))
    return re.sub(r"(\.zip)!", r"\1\\x21", shown, flags=re.IGNORECASE)


def safe_name(place: str) -> str:
    """A file name for what belongs to a place: portable, and different for each place.

    >>> safe_name("learner 07/lab 1.ipynb")
    'learner_07_lab_1-dcec367644'
    """
    stem = place[: -len(".ipynb")] if place.lower().endswith(".ipynb") else place
    plain = _PLAIN.sub("_", stem).strip("._-")[:80] or "submission"
    return f"{plain}-{sha256(place.encode()).hexdigest()[:10]}"


def _shown(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem if name.lower().endswith((".ipynb", ".zip")) else name
