"""How far a learner's process can be kept apart here: the settings of its cage.

From the strongest down: root can give it a user and namespaces of its own; where the system
allows user namespaces, anybody can take away network, processes and folders; elsewhere there are
limits alone. What holds is tried once, by a process that does nothing, and named in the score.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from efficientdl import _check
from efficientdl.course.registry import course_folder
from efficientdl.grading.limits import Limits

_CAGE = Path(__file__).with_name("cage.py")
_PACKAGE = Path(__file__).resolve().parents[1]
_DATA = _PACKAGE.parent / "data"
# Done in the cage: is the kernel there, may it write where it lives, can it read all that it needs?
_TRIAL = """
import ipykernel, os, sys
open(os.path.join(os.environ["HOME"], "trial"), "w").close()
for top in sys.argv[1:]:
    for folder, _, files in os.walk(top):
        for name in files:
            if not os.access(os.path.join(folder, name), os.R_OK):
                sys.exit(os.path.join(folder, name))
"""
_SYSTEM = ("/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr")
_FIRST_UID, _LAST_UID = 1_000_000, 1_000_000_000  # far from the users of any system


@dataclass(frozen=True)
class Level:
    """One way to keep a process apart.

    Attributes:
        own_user: It runs as a user that owns nothing.
        namespaces: It sees no network, no other process, and not the folders that are hidden.
    """

    own_user: bool
    namespaces: bool

    def protections(self) -> list[str]:
        """What it protects from, in words, for the score."""
        words = ["limits on memory, processor time and file size"] if os.name == "posix" else []
        words += ["a user of its own"] if self.own_user else []
        apart = ["no network", "no other process in sight", "folders of the grader hidden"]
        return words + (apart if self.namespaces else [])


PLAIN = Level(own_user=False, namespaces=False)


@dataclass(frozen=True)
class Place:
    """Folders of one learner's process.

    Attributes:
        root: Everything below it is the process's own.
        hidden: Folders that it must not see into.
    """

    root: Path
    hidden: tuple[Path, ...] = ()

    @property
    def home(self) -> Path:
        """Its home and working folder."""
        return self.root / "home"

    @property
    def sockets(self) -> Path:
        """Where it is reached."""
        return self.root / "s"


@cache
def strongest() -> Level:
    """The strongest level that works here; tried in an instant, once.

    Raises:
        BadValue: This is root, and learners' code could only run as root too.
    """
    said = ""
    for level in _possible():
        said = _trial(level)
        if not said:
            return level
    if os.name == "posix" and os.geteuid() == 0:
        rule = "must be open to every user when root grades: run chmod -R a+rX on the checkout"
        _check.fail("grade", "the package and its data", rule, said)
    return PLAIN


def _trial(level: Level) -> str:
    """What stands in the way of a level; empty if nothing does."""
    with tempfile.TemporaryDirectory(prefix="efficientdl-") as folder:
        place = Place(Path(folder).resolve(), (_PACKAGE.parent,))
        read = [str(path) for path in (_PACKAGE, _DATA) if path.is_dir()]
        argv = caged([sys.executable, "-I", "-c", _TRIAL, *read], place, Limits(), level, {})
        done = subprocess.run(argv, capture_output=True, cwd="/", check=False, text=True)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"code {done.returncode}")


def _possible() -> list[Level]:
    if sys.platform != "linux":
        return []
    root = os.geteuid() == 0
    levels = [Level(own_user=root, namespaces=True)]
    return [*levels, Level(own_user=True, namespaces=False)] if root else levels


def caged(
    command: Sequence[str],
    place: Place,
    limits: Limits,
    level: Level,
    environment: Mapping[str, str],
) -> list[str]:
    """The command line that runs a command in its cage."""
    if os.name != "posix":
        return list(command)
    given = settings(place, limits, level, environment)
    return [sys.executable, "-I", "-S", str(_CAGE), json.dumps(given), *command]


def settings(
    place: Place, limits: Limits, level: Level, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What `cage.py` is told."""
    uid = _nobody() if level.own_user else None
    place.sockets.mkdir(parents=True, exist_ok=True)
    place.home.mkdir(exist_ok=True)
    place.root.chmod(0o711)
    if uid is not None:
        for folder in (place.home, place.sockets):
            os.chown(folder, uid, uid)
    bounds = {
        "address_bytes": limits.address_mb * 2**20,
        "cpu_s": limits.cpu_s,
        "file_bytes": limits.file_mb * 2**20,
        "open_files": 512,
        "core_bytes": 0,
    }
    if uid is not None:  # counted by user: only where the user is its own is the count its own
        bounds["threads"] = limits.threads
    return {
        "namespaces": level.namespaces,
        "user_namespace": level.namespaces and not level.own_user,
        "uid": uid,
        "make": [str(place.home / "tmp")],
        "limits": bounds,
        "masks": _masks(place, limits) if level.namespaces else [],
        "environment": {**environment, "HOME": str(place.home)},
    }


def _nobody(mapped: str | None = None) -> int:
    """A user that exists nowhere, another each time; in a container, one that it knows of.

    >>> 40_000 < _nobody("0 1000 1\\n1 100000 65536") < 65_536
    True
    """
    if mapped is None:
        known = Path("/proc/self/uid_map")
        mapped = known.read_text(encoding="ascii") if known.is_file() else ""
    last = max((int(inside) + int(size) for inside, _, size in _rows(mapped)), default=_LAST_UID)
    last = min(last, _LAST_UID)
    first = _FIRST_UID if last > 2 * _FIRST_UID else last * 2 // 3
    return first + secrets.randbelow(max(1, last - first))


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def _masks(place: Place, limits: Limits) -> list[dict[str, Any]]:
    """Folders to lay an empty one over, the outer before the inner, and what is kept of each."""
    keep = _needed(place)
    open_to_all = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")]
    closed = [p for p in (Path.home(), *place.hidden) if not _of_the_system(p.resolve())]
    closed += _unreachable(keep)
    masks = []
    for path in _outermost([*open_to_all, *closed]):
        inside = [str(kept) for kept in keep if kept.is_relative_to(path)]
        own = path in [other.resolve() for other in open_to_all]
        size = (limits.disk_mb if own else 1) * 2**20
        masks.append({
            "path": str(path),
            "keep": inside,
            "mode": "1777" if own else "755",
            "bytes": size,
        })
    return masks


def _needed(place: Place) -> list[Path]:
    """Folders that the process must see: the interpreter, the package, its data, its own."""
    tasks = [course_folder() / "exercises", course_folder() / "targets"]  # a teacher's, perhaps
    paths = [Path(sys.base_prefix), Path(sys.prefix), _PACKAGE, place.home, place.sockets]
    paths += [Path(entry) for entry in sys.path if Path(entry).name == "site-packages"]
    paths += [_DATA] if (_DATA / "SHA256SUMS").is_file() else []
    return _outermost([*paths, *tasks])


def _unreachable(paths: Sequence[Path]) -> list[Path]:
    """Folders above these that others may not pass through, such as the home of root."""
    above = {parent for path in paths for parent in path.parents}
    return [path for path in above if not path.stat().st_mode & 0o001]


def _of_the_system(path: Path) -> bool:
    """Is this a folder without which nothing runs, and which holds nothing to hide?"""
    system = [path.is_relative_to(top) for top in _SYSTEM]
    return any(system) or path == Path("/")


def _outermost(paths: Sequence[Path]) -> list[Path]:
    """Existing folders, each once, without those inside another, and never the whole disk."""
    found = {path.resolve() for path in paths if path.is_dir()} - {Path("/")}
    inner = {p for p in found for other in found if p != other and p.is_relative_to(other)}
    return sorted(found - inner)
