"""Accelerators: how fast they are analysed and simulated, and their figures beside published ones.

Times are of one thread's processor time, which others on the machine lengthen less than the wall's;
the reference simulator's are too. `EFFICIENTDL_SCALESIM` names a Python that has SCALE-Sim (with
NumPy below 2); without it that comparison is left out, and the page says so.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks import hardware_scalesim, hardware_tables
from efficientdl import models
from efficientdl.kernels.threads import threads
from efficientdl.report import table_text
from efficientdl.systems.hardware import (
    Arch,
    Array,
    Conv,
    Dataflow,
    Drain,
    Gemm,
    analyse,
    from_torch,
    simulate,
)
from efficientdl.systems.hardware.explore import grid, sweep
from efficientdl.systems.hardware.presets import gemmini

Json = dict[str, Any]
REPEATS = 9
N_CANDIDATES = 1000
SIDES = [(r, c) for r in (8, 12, 16, 24, 32, 48, 64, 96, 128, 256) for c in (8, 16, 32, 64, 128)]
BUFFERS = [2**bits for bits in range(14, 24)]
GEMM = Gemm(512, 512, 512)
KINDS = (Dataflow.WEIGHT_STATIONARY, Dataflow.OUTPUT_STATIONARY)


@dataclass(frozen=True)
class Job:
    """Something that is timed.

    Attributes:
        name: What is done.
        call: Does it.
        bar_ms: It must not take longer; 0 for none.
        work: Of one call, in `unit`: over the time it is the rate.
        unit: Of the work.
    """

    name: str
    call: Callable[[], object]
    bar_ms: float = 0.0
    work: float = 0.0
    unit: str = ""


def measure(repeats: int) -> list[Json]:
    """Every job in turns, then the peer and the published figures."""
    with threads(1):
        found = [{"kind": "time", **row} for row in timed(jobs(), repeats)]
        found += [{"kind": "peer", **row} for row in hardware_scalesim.rows()]
        found += [{"kind": "table", **row} for row in hardware_tables.rows()]
    return found


def resnet50() -> dict[str, Conv | Gemm]:
    """The layers of ResNet-50 at 224 pixels."""
    return from_torch(models.skeleton("resnet50"), models.example("resnet50", device="meta"))


def jobs() -> list[Job]:
    """Analysis, search and simulation."""
    layers = resnet50()
    arch = gemmini()
    archs = grid(arch, sides=SIDES, buffer_bytes=BUFFERS, dataflows=KINDS)[:N_CANDIDATES]
    rng = np.random.default_rng(0)
    x, weight = (rng.integers(-128, 128, s) for s in (GEMM.x_shape, GEMM.weight_shape))
    expected = x @ weight
    found = [
        Job(
            f"analyse, all {len(layers)} layers of ResNet-50",
            lambda: [analyse(layer, arch) for layer in layers.values()],
            bar_ms=10,
        ),
        Job(
            f"sweep, {len(archs)} machines on ResNet-50",
            lambda: sweep(layers, archs),
            bar_ms=10_000,
            work=len(archs),
            unit="machines",
        ),
    ]
    for dataflow in KINDS:
        for drain, registers in ((Drain.SHIFT, 1), (Drain.OVERLAP, 2)):
            array = Array(128, 128, drain, weight_registers=registers)
            machine = Arch("128 x 128", array, dataflow)
            demand_same(simulate(GEMM, machine, x, weight).y, expected)
            found.append(_simulation(machine, x, weight))
    return found


def _simulation(machine: Arch, x: np.ndarray, weight: np.ndarray) -> Job:
    bar = 20 if machine.dataflow is Dataflow.WEIGHT_STATIONARY else 0
    name = f"simulate 512^3 on 128 x 128, {machine.dataflow.value}, {machine.array.drain.value}"
    return Job(
        name,
        lambda: simulate(GEMM, machine, x, weight),
        bar_ms=bar if machine.array.drain is Drain.SHIFT else 0,
        work=GEMM.macs,
        unit="updates of units that work",
    )


def demand_same(y: np.ndarray | None, expected: np.ndarray) -> None:
    """Refuse to time what computes something else."""
    if y is None or not np.array_equal(y, expected):
        raise ValueError("a simulation gives another product than NumPy")


def timed(todo: Sequence[Job], repeats: int) -> list[Json]:
    """Every job in every round, in an order that changes; the first round is not counted."""
    samples: dict[str, list[float]] = {job.name: [] for job in todo}
    rng = np.random.default_rng(0)
    for turn in range(repeats + 1):
        for place in rng.permutation(len(todo)):
            job = todo[place]
            start = time.thread_time()
            job.call()
            if turn:
                samples[job.name].append(time.thread_time() - start)
    return [row(job, samples[job.name]) for job in todo]


def row(job: Job, seconds: Sequence[float]) -> Json:
    """A job's times, and whether it keeps to its bar.

    >>> found = row(Job("j", lambda: 0, bar_ms=20, work=1e8, unit="updates"), [0.01, 0.03, 0.02])
    >>> found["median_ms"], found["within"], found["rate"]
    (20.0, True, 5000000000.0)
    """
    middle = median(seconds)
    return {
        "name": job.name,
        "median_ms": 1e3 * middle,
        "least_ms": 1e3 * min(seconds),
        "most_ms": 1e3 * max(seconds),
        "bar_ms": job.bar_ms,
        "within": bool(job.bar_ms) and 1e3 * middle <= job.bar_ms,
        "rate": job.work / middle if job.work else 0.0,
        "unit": job.unit,
        "rounds": len(seconds),
    }


def page(results: Sequence[Json], machine: Mapping[str, object]) -> str:
    """Times, the peer, and every published number beside ours, as Markdown."""
    lines = [f"# {(__doc__ or '').splitlines()[0]}", ""]
    lines += [", ".join(f"{k}: {v}" for k, v in machine.items()) + ".", "", "## Times", ""]
    lines += ["| | median ms | least to most | bar ms | rate |", "|---|--:|--:|--:|--:|"]
    lines += [_time_line(one) for one in results if one["kind"] == "time"]
    lines += ["", "## Beside SCALE-Sim", "", *_peer_lines(results)]
    for one in results:
        if one["kind"] == "table":
            lines += ["", f"## {one['name']}", "", one["note"], "", "```", one["text"], "```"]
    return "\n".join(lines) + "\n"


def _time_line(one: Json) -> str:
    bar = f"{one['bar_ms']:g}, {'kept' if one['within'] else 'missed'}" if one["bar_ms"] else ""
    rate = f"{one['rate']:.3g} {one['unit']} a second" if one["rate"] else ""
    spread = f"{one['least_ms']:.3g} to {one['most_ms']:.3g}"
    return f"| {one['name']} | {one['median_ms']:.3g} | {spread} | {bar} | {rate} |"


def _peer_lines(results: Sequence[Json]) -> list[str]:
    found = [one for one in results if one["kind"] == "peer"]
    skipped = [one["skipped"] for one in found if "skipped" in one]
    if skipped:
        return skipped
    head = ["layer", "compute mode s", "with memory s", "ours s", "times", "times, with memory"]
    rows = [[*head, "cycles, theirs", "ours"]]
    rows += [
        [
            one["name"],
            f"{one['theirs_s']:.2f}",
            f"{one['whole_s']:.2f}",
            f"{one['ours_s']:.4f}",
            f"{one['theirs_s'] / one['ours_s']:.1f}",
            f"{one['whole_s'] / one['ours_s']:.0f}",
            f"{one['their_cycles']:,}",
            f"{one['our_cycles']:,}",
        ]
        for one in found
    ]
    kept = min((one["theirs_s"] / one["ours_s"] for one in found), default=0.0)
    lines = [
        f"The bar is {hardware_scalesim.BAR:g} times its compute mode; the least is {kept:.1f}."
    ]
    lines += [
        "Its output-stationary cycles are fewer: it lets sums leave before they are finished."
    ]
    return [*lines, "", "```", table_text(rows), "```"]
