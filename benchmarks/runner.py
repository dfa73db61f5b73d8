"""The runner: contestants take turns, medians and quartiles are kept, the machine is named."""

import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

import torch

from efficientdl import _check
from efficientdl.costs import Comparison, compare

PEERS = ("efficientdl", "torch", "numpy", "numba")


@dataclass(frozen=True)
class Contest:
    """Several ways to do the same thing.

    Attributes:
        name: What is done.
        entries: The ways, by name; each is called without arguments.
        baseline: The entry that the others are divided by.
        note: A sentence for the table.
        threads: Threads that every entry may use.
        peers: Packages whose versions belong beside the result.
    """

    name: str
    entries: Mapping[str, Callable[[], object]]
    baseline: str
    note: str = ""
    threads: int = 1
    peers: tuple[str, ...] = field(default=PEERS)


@dataclass(frozen=True)
class Line:
    """One entry of a contest, measured.

    Attributes:
        entry: Its name.
        median_s: Half of the turns took longer.
        low_s: A quarter took less.
        high_s: A quarter took more.
        ratio: Times as long as the baseline: the median over the turns.
        ratio_low: A quarter of the turns gave less.
        ratio_high: A quarter gave more.
    """

    entry: str
    median_s: float
    low_s: float
    high_s: float
    ratio: float
    ratio_low: float
    ratio_high: float


def processor() -> str:
    """The processor's name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def run(contest: Contest, *, repeats: int) -> list[Line]:
    """Measure every entry of a contest, in turns."""
    _check.one_of("run", "baseline", contest.baseline, contest.entries)
    taken = compare(contest.entries, repeats=repeats, threads=contest.threads)
    return [_line(taken, entry, contest.baseline) for entry in contest.entries]


def _line(taken: Comparison, entry: str, baseline: str) -> Line:
    latency, ratio = taken.latencies[entry], taken.ratio(entry, baseline)
    return Line(
        entry,
        latency.median_s,
        latency.low_s,
        latency.high_s,
        ratio.median,
        ratio.low,
        ratio.high,
    )


def result(contest: Contest, lines: list[Line], repeats: int) -> dict[str, object]:
    """A contest with its lines, ready for JSON."""
    versions = {peer: metadata.version(peer) for peer in contest.peers}
    return {
        "contest": contest.name,
        "note": contest.note,
        "baseline": contest.baseline,
        "threads": contest.threads,
        "repeats": repeats,
        "versions": versions,
        "lines": [asdict(line) for line in lines],
    }


def markdown(title: str, results: list[dict[str, object]], where: Mapping[str, object]) -> str:
    """The results of one module as a page."""
    page = [f"# {title}", "", ", ".join(f"{k}: {v}" for k, v in where.items()) + "."]
    for entry in results:
        page += ["", f"## {entry['contest']}", ""]
        if entry["note"]:
            page += [str(entry["note"]), ""]
        page += [f"| | median ms | half between | times {entry['baseline']} | half between |"]
        page += ["|---|--:|--:|--:|--:|"]
        page += [_row(line) for line in entry["lines"]]  # pyright: ignore[reportGeneralTypeIssues]
        versions = ", ".join(f"{k} {v}" for k, v in entry["versions"].items())  # pyright: ignore
        page += ["", f"{entry['repeats']} turns, {entry['threads']} thread(s); {versions}."]
    return "\n".join(page) + "\n"


def _row(line: Mapping[str, float]) -> str:
    low, middle, high = (f"{line[k] * 1e3:.3g}" for k in ("low_s", "median_s", "high_s"))
    ratio = f"{line['ratio']:.2f} | {line['ratio_low']:.2f} to {line['ratio_high']:.2f}"
    return f"| {line['entry']} | {middle} | {low} to {high} | {ratio} |"


def write(folder: Path, name: str, page: str, results: list[dict[str, object]]) -> None:
    """Store a module's results as `name.md` and `name.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    stored = {"machine": machine(), "results": results}
    (folder / f"{name}.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
