"""The challenge of lab 14: an accelerator for MobileNetV2, whose sizes are handed in."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from efficientdl import _check, models
from efficientdl.course.exercise import Limit, Verdict
from efficientdl.systems.hardware import (
    Arch,
    Array,
    Buffer,
    Dataflow,
    Drain,
    Dram,
    Edge,
    Layer,
    from_torch,
    presets,
)
from efficientdl.systems.hardware.area import area
from efficientdl.systems.hardware.energy import energy
from efficientdl.systems.hardware.memory import Network
from efficientdl.systems.hardware.memory import network as run_network

NETWORK = "mobilenet_v2"
# The budget of bandwidth: 6.4 GB/s at this clock; a word comes 20 cycles after it is asked for.
DRAM, CLOCK_MHZ = Dram(bits_per_cycle=256, latency_cycles=20), 200
DATAFLOWS = {flow.value: flow for flow in Dataflow if flow is not Dataflow.ROW_STATIONARY}
_KEYS = ("rows", "cols", "dataflow", "buffer_kib")
_SIDE, _KIB = 512, 4096  # larger ones are far beyond any budget here


@cache
def layers() -> Mapping[str, Layer]:
    """The layers of MobileNetV2 for one picture, in order."""
    return from_torch(models.skeleton(NETWORK), models.example(NETWORK).to("meta"))


def machine(artefact: Mapping[str, Any]) -> Arch:
    """The accelerator that was chosen. What no key says is the same for all.

    A fold that does not fill the array is scheduled for what it uses, sums leave while the next
    fold is computed, and the words that stay are loaded behind those in use.

    Args:
        artefact: Its `rows`, `cols`, `dataflow` and `buffer_kib`, from somebody who is not trusted.

    Raises:
        BadKind: One of them is of another kind.
        BadValue: One is missing or too large, or there is no such dataflow.
    """
    if artefact.keys() != set(_KEYS):
        rule = f"must have exactly the keys {', '.join(_KEYS)}"
        _check.fail("submit", "artefact", rule, sorted(map(str, artefact)))
    for name in ("rows", "cols"):
        _check.whole("submit", name, artefact[name], 1, _SIDE)
    _check.whole("submit", "buffer_kib", artefact["buffer_kib"], 1, _KIB)
    _check.kind("submit", "dataflow", artefact["dataflow"], str)
    _check.one_of("submit", "dataflow", artefact["dataflow"], DATAFLOWS)
    return Arch(
        "handed in",
        Array(artefact["rows"], artefact["cols"], Drain.OVERLAP, Edge.USED, weight_registers=2),
        DATAFLOWS[artefact["dataflow"]],
        Buffer(artefact["buffer_kib"] * 1024),
        DRAM,
        presets.HOROWITZ_45NM,
        CLOCK_MHZ,
    )


def run(artefact: Mapping[str, Any]) -> Network:
    """The network on the accelerator, tile by tile, each layer cut in its fastest way."""
    return run_network(layers(), machine(artefact))


def measure(artefact: Mapping[str, Any]) -> dict[str, float]:
    """What a design is worth, for one picture.

    Args:
        artefact: `{"rows": r, "cols": c, "dataflow": name, "buffer_kib": n}`.

    Returns:
        `area_mm2` on a 45 nm chip; `latency_ms`, waiting for memory included; `energy_uj` of
        arithmetic and of every word that moves.

    Raises:
        BadKind: A part is of another kind.
        BadValue: A part is missing or out of range, or the buffer cannot hold the smallest tile.
    """
    chosen = machine(artefact)
    done = run(artefact)
    return {
        "area_mm2": round(area(chosen).mm2, 6),
        "latency_ms": round(1e3 * done.latency_s, 6),
        "energy_uj": round(energy(done.total, presets.HOROWITZ_45NM).total_pj / 1e6, 3),
    }


def judge(artefact: Mapping[str, Any], budget: tuple[Limit, ...]) -> Verdict:
    """Run the network on the design, and hold each figure against its limit.

    Args:
        artefact: What `measure` takes.
        budget: Limits named by the figures of `measure`.
    """
    found = measure(artefact)
    return Verdict(tuple(limit.measure(found[limit.name]) for limit in budget))
