"""Lab 14's pictures of memory: who waits for whom, and what a network's time and energy go to."""

from collections.abc import Mapping
from functools import cache

from efficientdl.systems.hardware import Arch, Array, Buffer, Conv, Dataflow, Drain, Dram
from efficientdl.systems.hardware.energy import energy
from efficientdl.systems.hardware.layer import Layer
from efficientdl.systems.hardware.memory import (
    Network,
    Schedule,
    best_tiling,
    schedule,
)
from efficientdl.viz import Axis, Choice, Figure, Panel, Table, View
from efficientdl.viz.figures import roofline
from efficientdl.viz.hardware import Span, by_level, timing, waterfall

MOST_TILES = 10  # of a schedule that is drawn
LAYER = Conv(24, 56, 56, 144)  # 1 x 1, of MobileNetV2
KIBS, RATES = (8, 16, 32, 64, 128), (16, 32, 64, 128, 256)


def timeline(plan: Schedule) -> View:
    """The first tiles of a layer: when the bus loads and stores, and when the array computes.

    Args:
        plan: The layer's schedule.
    """
    events = [event for event in plan.events() if event.tile < MOST_TILES]
    spans = [Span(e.kind.value, e.start, e.end, str(e.tile)) for e in events if e.end > e.start]
    n, waits = len(plan.start), plan.stall_cycles
    text = (
        f"{n} tiles in {plan.run.cycles:,} cycles; the array waits in {waits:,} of them, "
        f"{100 * waits / plan.run.cycles:.0f} %. The buffer holds {plan.buffer_bytes:,} bytes."
    )
    figure = timing(f"The first {min(n, MOST_TILES)} of {n} tiles", spans)
    rows = tuple((e.kind.value, e.tile, e.start, e.end, sum(e.words.values())) for e in events)
    head = ("what", "tile", "from cycle", "to cycle", "words")
    return View(figure, Table("Loads, computations, stores", head, rows), text)


@cache
def _planned(kib: int, rate: int) -> Schedule:
    array = Array(16, 16, Drain.OVERLAP, weight_registers=2)
    dram = Dram(bits_per_cycle=rate, latency_cycles=20)
    arch = Arch("by hand", array, Dataflow.WEIGHT_STATIONARY, Buffer(1024 * kib), dram)
    return schedule(LAYER, arch, best_tiling(LAYER, arch))


def tiles() -> Panel:
    """A layer of MobileNetV2 by hand: the buffer, and what DRAM moves in a cycle."""

    def view(kib: int, rate: int) -> View:
        return timeline(_planned(kib, rate))

    controls = {
        "kib": Choice("Buffer in KiB", KIBS, value=32),
        "rate": Choice("Bits of DRAM in a cycle", RATES, value=64),
    }
    title = "Does the array wait?"
    return Panel(view, controls, title=title, stops={"rate": (RATES[0], RATES[-1])})


def stages(layers: Mapping[str, Layer]) -> dict[str, list[str]]:
    """Layers by the first part of their name: the stages of a network."""
    found: dict[str, list[str]] = {}
    for name in layers:
        found.setdefault(name.split(".")[0], []).append(name)
    return found


def account(done: Network) -> View:
    """Where a network's cycles and energy go: a waterfall by stage, and the levels of each stage.

    Args:
        done: The network on a machine with a table of energy.
    """
    assert done.arch.energy is not None
    table, parts = done.arch.energy, stages(dict.fromkeys(done.runs))  # pyright: ignore[reportArgumentType]
    cycles = {stage: sum(done.runs[n].cycles for n in names) for stage, names in parts.items()}
    levels: dict[str, dict[str, float]] = {}
    for stage, names in parts.items():
        levels[stage] = {}
        for name in names:
            for level, pj in energy(done.runs[name], table).by_level.items():
                levels[stage][level] = levels[stage].get(level, 0) + pj / 1e6
    first = waterfall("Cycles, stage by stage", cycles, measure=Axis("cycles"))
    second = by_level("Energy by stage", levels, measure=Axis("energy", "uJ"), settings="stage")
    names = tuple(next(iter(levels.values())))
    total = {level: sum(taken[level] for taken in levels.values()) for level in names}
    most = max(total, key=lambda level: total[level])
    text = (
        f"{sum(cycles.values()):,} cycles, {1e3 * done.latency_s:.1f} ms, and "
        f"{sum(total.values()):,.0f} microjoules, of which {most} takes "
        f"{100 * total[most] / sum(total.values()):.0f} %."
    )
    rows = tuple((s, cycles[s], *(levels[s][level] for level in names)) for s in parts)
    head = ("stage", "cycles", *(f"{level} (uJ)" for level in names))
    return View((first, second), Table("Stage by stage", head, rows), text)


def part(name: str) -> str:
    """What a layer is in its block: `depthwise` of `stage2.1.depthwise.conv`."""
    return name.removesuffix(".conv").rpartition(".")[2]


def roof(done: Network) -> View:
    """Of each kind of layer the one that takes most time, under the machine's roof.

    Args:
        done: The network on a machine.
    """
    slowest: dict[str, str] = {}
    for name in sorted(done.runs, key=lambda name: -done.runs[name].cycles):
        slowest.setdefault(part(name), name)
    array, bandwidth = done.arch.array, done.arch.dram.bits_per_cycle / 8
    found, rows = {}, []
    for name in slowest.values():
        run = done.runs[name]
        moved = run.cost().traffic_bytes or 1
        intensity, speed = run.macs / moved, run.macs / run.cycles
        found[name] = intensity, speed
        share = 100 * speed / min(array.n_units, intensity * bandwidth)
        rows.append((name, run.cycles, intensity, speed, share))
    figure: Figure = roofline(
        found,
        peak=array.n_units,
        bandwidth=bandwidth,
        title=f"The roof of {array.rows} x {array.cols} units",
        unit="MACs per cycle",
    )
    text = (
        f"The slowest layer of all, {rows[0][0]}, takes {rows[0][1]:,} cycles, at "
        f"{rows[0][4]:.0f} % of what the roof allows."
    )
    head = ("layer", "cycles", "MACs per byte", "MACs per cycle", "of the roof (%)")
    return View(figure, Table("The slowest layer of each kind", head, tuple(rows)), text)
