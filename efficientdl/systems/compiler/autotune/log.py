"""A log of trials: a line of JSON for each, so that a search that was cut off goes on.

A line is written when its trial has ended. Where the process died in the middle of one, its torn
end is passed over, and cut off before the next line is written.
"""

import json
import os
from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite.binding as llvm

from efficientdl import _check
from efficientdl.kernels.cpu import config
from efficientdl.kernels.scheduled import N_REGISTERS, Schedule
from efficientdl.systems.compiler.autotune.tasks import ConvTask, MatmulTask, Trial

KINDS = {kind.__name__: kind for kind in (MatmulTask, ConvTask)}


class Logged(NamedTuple):
    """A trial, and where it was made.

    Attributes:
        trial: What was measured.
        machine: On which processor.
    """

    trial: Trial
    machine: str


def machine_name() -> str:
    """The processor and its cores: times of one say little about another."""
    name = config.CPU_NAME or llvm.get_host_cpu_name()
    return f"{name}, {os.cpu_count()} cores, {N_REGISTERS} registers"


def read_log(path: Path | str) -> list[Logged]:
    """All trials of a log, in order; none where there is no such file.

    Args:
        path: The file.

    Raises:
        BadValue: A line that ends is not a trial.
    """
    path = Path(path)
    whole, torn = _lines(path)
    if torn and _is_trial(path, len(whole) + 1, torn):  # only the end of the line is missing
        whole.append(torn)
    return [_parsed(path, number, line) for number, line in enumerate(whole, 1)]


def append_log(path: Path | str, logged: Logged) -> None:
    """Write one more trial to the end of a log.

    Args:
        path: The file; it is made where there is none.
        logged: The trial.
    """
    path = Path(path)
    whole, torn = _lines(path)
    with path.open("ab") as file:
        if torn and _is_trial(path, len(whole) + 1, torn):
            file.write(b"\n")
        elif torn:
            file.truncate(path.stat().st_size - len(torn))
        file.write(_written(logged) + b"\n")


def _is_trial(path: Path, number: int, line: bytes) -> bool:
    try:
        _parsed(path, number, line)
    except _check.BadValue:
        return False
    return True


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    """The lines that end, and what stands behind the last of them."""
    if not path.exists():
        return [], b""
    *whole, torn = path.read_bytes().split(b"\n")
    return whole, torn


def _written(logged: Logged) -> bytes:
    trial = logged.trial
    entry = {
        "task": {"kind": type(trial.task).__name__, **asdict(trial.task)},
        "schedule": asdict(trial.schedule),
        "seconds": trial.latency_s,
        "machine": logged.machine,
    }
    return json.dumps(entry).encode()


def _parsed(path: Path, number: int, line: bytes) -> Logged:
    try:
        return _logged(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        rule = f"must be a trial ({error})"
        _check.fail("read_log", f"line {number} of {path}", rule, line.decode(errors="replace"))


def _logged(entry: dict[str, Any]) -> Logged:
    sizes = dict(entry["task"])
    task = KINDS[sizes.pop("kind")](**sizes)
    cut: dict[str, Any] = dict(entry["schedule"])
    cut["inner"] = tuple(cut["inner"])
    seconds = demand_seconds("read_log", entry["seconds"])
    _check.kind("read_log", "machine", entry["machine"], str)
    return Logged(Trial(task, Schedule(**cut), seconds), entry["machine"])


def demand_seconds(caller: str, seconds: object) -> float:
    """A time that a trial can take, or refuse it."""
    taken = _check.number(caller, "seconds", seconds)
    if not 0 < taken < inf:
        _check.fail(caller, "seconds", "must be more than 0, and finite", seconds)
    return float(taken)
