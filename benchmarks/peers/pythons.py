"""Which Python has a peer, and how a program of that Python is called."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

from efficientdl import _check
from efficientdl.course.execute import static_environment

# What is imported, and what is installed for it.
PEERS = {
    "nbgrader": "nbgrader",
    "otter": "otter-grader",
    "torch_pruning": "torch-pruning",
    "brevitas": "brevitas",
    "torchao": "torchao",
}
_ERROR = re.compile(r"[\w.]*(Error|Exception|Timeout)\b:? ")


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    Attributes:
        code: Its exit status; None where it was ended because it took too long.
        said: What it said, to standard output and standard error.
    """

    code: int | None
    said: str

    def last_line(self) -> str:
        """The last thing it said."""
        return (self.said.strip().splitlines() or ["nothing"])[-1]

    def reason(self) -> str:
        """The last error that it named, or else the last thing it said."""
        lines = [line.strip() for line in self.said.splitlines()]
        named = [line for line in lines if _ERROR.match(line)]
        return (named or [self.last_line()])[-1]


def python_of(peer: str) -> Path | None:
    """The Python that has a peer, if there is one.

    Raises:
        BadValue: The environment names one that is not there.
    """
    _check.one_of("python_of", "peer", peer, PEERS)
    variable = f"EFFICIENTDL_{peer.upper()}"
    named = os.environ.get(variable)
    if named and not Path(named).is_file():
        _check.fail("python_of", variable, "must name a Python that is there", named)
    if named:
        return Path(named)  # not resolved: a link into an environment is that environment's Python
    try:
        metadata.version(PEERS[peer])
    except metadata.PackageNotFoundError:
        return None
    return Path(sys.executable)


def version_of(peer: str) -> str:
    """The version of a peer, or that it is not here."""
    python = python_of(peer)
    if python is None:
        return "not here"
    asked = f"from importlib.metadata import version; print(version({PEERS[peer]!r}))"
    return call([str(python), "-c", asked], folder=Path.cwd(), limit_s=60).last_line()


def call(words: Sequence[str], *, folder: Path, limit_s: float) -> Finished:
    """Run a program to its end, or until it has taken too long: then it and its kernel end.

    One thread, and outputs that do not depend on a browser, for whoever grades. The programs of a
    peer's environment come first on the path, since nbgrader calls one by its name.
    """
    path = os.pathsep.join([str(Path(words[0]).parent), os.environ.get("PATH", "")])
    with subprocess.Popen(
        list(words),
        cwd=folder,
        env=static_environment(PATH=path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return Finished(None, f"ended after {limit_s:.0f} s")
    return Finished(process.returncode, said)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a program and the kernels that it started: kernels lead sessions of their own."""
    whole = psutil.Process(process.pid)
    for member in [*whole.children(recursive=True), whole]:
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            member.kill()
    process.wait()
