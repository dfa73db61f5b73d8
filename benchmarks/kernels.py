"""Kernels: each beside the peers that it is held to, in one process and in turns.

Each section is stored as soon as it is done; a run that was interrupted goes on where it stopped.
`EFFICIENTDL_BENCH_SECTIONS=sparse,int8` runs only those, `EFFICIENTDL_BENCH_THREADS=1` only with
so many threads; 1 and 2 otherwise.
"""

import json
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from types import ModuleType

import torch

from benchmarks.kernel_bars import Case, Json, demand_same, pages, peaks, peers, pictures, rows
from benchmarks.kernel_bars.rounds import equally, taken
from efficientdl import _check
from efficientdl.progress import progress

REPEATS = 7
LIMITS = "limits"
SECTIONS = (
    "sparse",
    "spmv",
    "pattern",
    "depthwise",
    "int8",
    "int4",
    "xnor",
    "points",
    "huffman",
    "networks",
    "compiler",
    "start_up",
)
THREADS = (1, 2)
PARTIAL = Path(__file__).parent / "results" / "kernels.part"
Job = tuple[str, int]


def measure(repeats: int) -> list[Json]:
    """Run the sections that are asked for and not stored, with every number of threads."""
    wanted, done = jobs(), _stored(repeats)
    left = [job for job in wanted if _key(job) not in done]
    try:
        for job in progress(left, "kernels"):
            done[_key(job)] = _run(job, repeats, done)
            _store(done, repeats)
    except KeyboardInterrupt:  # what is done is shown; the next run goes on from here
        pass
    every = _jobs(SECTIONS, THREADS)
    if all(_key(job) in done for job in every):
        PARTIAL.unlink(missing_ok=True)
    return [done[_key(job)] for job in dict.fromkeys(every + wanted) if _key(job) in done]


def jobs() -> list[Job]:
    """What is asked for."""
    asked = os.environ.get("EFFICIENTDL_BENCH_SECTIONS")
    names = SECTIONS if asked is None else asked.split(",")
    for name in names:
        _check.one_of("benchmarks", "EFFICIENTDL_BENCH_SECTIONS", name, SECTIONS)
    counts = os.environ.get("EFFICIENTDL_BENCH_THREADS", ",".join(map(str, THREADS)))
    for count in counts.split(","):
        if not count.isdecimal() or not int(count):
            rule = "must be numbers of threads, like 1,2"
            _check.fail("benchmarks", "EFFICIENTDL_BENCH_THREADS", rule, counts)
    return _jobs(names, list(map(int, counts.split(","))))


def _jobs(names: Sequence[str], counts: Sequence[int]) -> list[Job]:
    """The limits first, which the sections' shares are of."""
    return [(name, n) for name in (LIMITS, *names) for n in counts]


def _key(job: Job) -> str:
    name, n_threads = job
    return f"{name}, {n_threads}"


def _run(job: Job, repeats: int, done: Mapping[str, Json]) -> Json:
    """One section with so many threads, and how long it took."""
    (name, n_threads), start = job, perf_counter()
    result: Json = {"section": name, "threads": n_threads, "rounds": repeats}
    if name == LIMITS:
        with equally(n_threads):
            result |= {"limits": peaks.peaks(n_threads, rounds=repeats)}
        result |= {"versions": peers.versions(), "rows": []}
    else:
        limits = done[_key((LIMITS, n_threads))]["limits"]
        result |= {"rows": _rows(_module(name), n_threads, repeats, limits)}
    return result | {"seconds": perf_counter() - start}


def _module(name: str) -> ModuleType:
    return import_module(f"benchmarks.kernel_bars.{name}")


def _rows(
    module: ModuleType, n_threads: int, repeats: int, limits: Mapping[str, float]
) -> list[Json]:
    """The rows of a section: its cases, their means, and what it measures in its own way."""
    found: list[Json] = []
    if hasattr(module, "cases"):
        with torch.inference_mode(), equally(n_threads):
            found = [measured(case, n_threads, repeats, limits) for case in module.cases(n_threads)]
        found += rows.means(found, getattr(module, "MEANS", {}))
    if hasattr(module, "own_rows"):
        found += module.own_rows(n_threads, repeats)
    return found


def measured(case: Case, n_threads: int, repeats: int, limits: Mapping[str, float]) -> Json:
    """A case as a row: all entries compared with the reference first, and then timed."""
    demand_same(case)
    calls = {name: entry.call for name, entry in case.entries.items()}
    return rows.row(case, taken(calls, rounds=repeats, n_threads=n_threads), n_threads, limits)


def _stored(repeats: int) -> dict[str, Json]:
    """What an earlier run of as many rounds and of the same versions has left."""
    if not PARTIAL.is_file():
        return {}
    read = json.loads(PARTIAL.read_text(encoding="utf-8"))
    return read["done"] if read["of"] == _of(repeats) else {}


def _of(repeats: int) -> Json:
    return {"rounds": repeats, "versions": peers.versions()}


def _store(done: Mapping[str, Json], repeats: int) -> None:
    PARTIAL.parent.mkdir(parents=True, exist_ok=True)
    new = PARTIAL.with_suffix(".new.part")
    text = json.dumps({"of": _of(repeats), "done": done}, indent=1)
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(PARTIAL)


def page(results: Sequence[Json], machine: Mapping[str, object]) -> str:
    """Every bar first, then each section with all peers."""
    titles = {name: getattr(_module(name), "TITLE", name) for name in SECTIONS}
    notes = {name: getattr(_module(name), "NOTE", "") for name in SECTIONS}
    return pages.page((__doc__ or "").splitlines()[0], results, machine, titles, notes)


def picture(results: Sequence[Json]) -> str:
    """The bars as a drawing, in SVG."""
    titles = {name: getattr(_module(name), "TITLE", name) for name in SECTIONS}
    return pictures.picture(results, titles)
