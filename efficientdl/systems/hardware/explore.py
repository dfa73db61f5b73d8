"""Many machines on one network: cycles, energy and area of each, and those that none beats."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from operator import add

import numpy as np
from jaxtyping import Float64, Int64

from efficientdl import _check
from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import Arch, Dataflow
from efficientdl.systems.hardware.area import area
from efficientdl.systems.hardware.energy import energy
from efficientdl.systems.hardware.layer import Bits, Layer
from efficientdl.systems.hardware.memory.network import network
from efficientdl.systems.hardware.run import Run

Layers = Mapping[str, Layer]


@dataclass(frozen=True)
class Designs:
    """Machines, and what each takes for the same network: a table, a column in each attribute.

    Attributes:
        archs: The machines.
        cycles: For the whole network.
        latency_s: Those cycles at each machine's clock.
        energy_pj: By each machine's own table; NaN where it has none.
        area_mm2: Of its units and its buffer.
    """

    archs: tuple[Arch, ...]
    cycles: Int64[np.ndarray, " archs"]
    latency_s: Float64[np.ndarray, " archs"]
    energy_pj: Float64[np.ndarray, " archs"]
    area_mm2: Float64[np.ndarray, " archs"]

    def within(self, *, area_mm2: float) -> "Designs":
        """The machines that are no larger than a budget."""
        return self[np.flatnonzero(self.area_mm2 <= area_mm2)]

    def best(self) -> "Designs":
        """The machines that no other beats: none is as good in all of latency, energy and area.

        The fastest comes first. Of machines with equal figures all stay.
        """
        figures = np.stack([self.latency_s, np.nan_to_num(self.energy_pj), self.area_mm2], axis=1)
        beaten = [bool(((figures <= f).all(1) & (figures < f).any(1)).any()) for f in figures]
        left = np.flatnonzero(~np.array(beaten, bool))
        return self[left[np.argsort(self.latency_s[left], kind="stable")]]

    def __getitem__(self, rows: Int64[np.ndarray, " rows"]) -> "Designs":
        """Some rows of the table."""
        columns = (self.cycles, self.latency_s, self.energy_pj, self.area_mm2)
        return Designs(tuple(self.archs[r] for r in rows), *(column[rows] for column in columns))

    def __len__(self) -> int:
        return len(self.archs)


def sweep(layers: Layers, archs: Sequence[Arch]) -> Designs:
    """Analyse a network on each of many machines.

    What `analyse` says for each layer, added up: memory takes no time, and DRAM moves each word
    once. Layers of one shape are counted once, and so are machines that differ by their memories
    alone. For the few that are left, `sweep_tiled` asks what their buffer and DRAM make of it.

    Args:
        layers: By name.
        archs: The machines.

    >>> from efficientdl.systems.hardware.arch import Array
    >>> from efficientdl.systems.hardware.layer import Gemm
    >>> archs = [Arch("small", Array(2, 2)), Arch("large", Array(4, 4))]
    >>> sweep({"fc": Gemm(8, 4, 4)}, archs).cycles.tolist()
    [48, 18]

    Source: survey section 6.2; lab 14.
    """

    def total(arch: Arch) -> Run:
        runs = {layer: analyse(layer, arch) for layer in dict.fromkeys(layers.values())}
        return reduce(add, (runs[layer] for layer in layers.values()))

    return _table("sweep", layers, archs, total, lambda arch: (arch.array, arch.dataflow))


def sweep_tiled(layers: Layers, archs: Sequence[Arch]) -> Designs:
    """Run a network on each of some machines, tile by tile, their memories included.

    Each layer is cut in the fastest way, which is much more work than `sweep`.

    Args:
        layers: By name.
        archs: The machines.

    >>> from efficientdl.systems.hardware.arch import Array, Dram
    >>> from efficientdl.systems.hardware.layer import Gemm
    >>> slow = Arch("slow", Array(4, 4), dram=Dram(bits_per_cycle=8))
    >>> sweep_tiled({"fc": Gemm(8, 4, 4)}, [slow]).cycles.tolist()  # 48 bytes come, 128 leave
    [176]

    Source: survey section 6.2; lab 14.
    """

    def total(arch: Arch) -> Run:
        return network(layers, arch).total

    def memories(arch: Arch) -> object:
        return arch.array, arch.dataflow, arch.buffer, arch.dram

    return _table("sweep_tiled", layers, archs, total, memories)


def grid(
    base: Arch,
    *,
    sides: Iterable[tuple[int, int]],
    buffer_bytes: Iterable[int],
    dataflows: Iterable[Dataflow],
) -> list[Arch]:
    """All machines of some array shapes, buffers and dataflows; the rest is that of `base`.

    Args:
        base: What all have alike.
        sides: Rows and columns.
        buffer_bytes: Sizes of the buffer.
        dataflows: What stays.

    >>> from efficientdl.systems.hardware.presets import gemmini
    >>> machines = grid(
    ...     gemmini(), sides=[(8, 8), (16, 4)], buffer_bytes=[2**16], dataflows=[*Dataflow][:2]
    ... )
    >>> [arch.name for arch in machines][:2]
    ['8 x 8, 64 KiB, output stationary', '8 x 8, 64 KiB, weight stationary']
    """
    _check.kind("grid", "base", base, Arch)
    return [
        replace(
            base,
            name=f"{rows} x {cols}, {size / 1024:g} KiB, {dataflow.value}",
            array=replace(base.array, rows=rows, cols=cols),
            buffer=replace(base.buffer, bytes=size),
            dataflow=dataflow,
        )
        for (rows, cols), size, dataflow in product(sides, buffer_bytes, dataflows)
    ]


def _table(
    caller: str,
    layers: Layers,
    archs: Sequence[Arch],
    total: Callable[[Arch], Run],
    key: Callable[[Arch], object],
) -> Designs:
    _check.kind(caller, "layers", layers, Mapping)
    if not layers:
        _check.fail(caller, "layers", "must name a layer", dict(layers))
    runs: dict[object, Run] = {}
    rows = []
    for arch in archs:
        _check.kind(caller, "archs", arch, Arch)
        same = key(arch)
        if same not in runs:
            runs[same] = total(arch)
        rows.append(_row(runs[same], arch, next(iter(layers.values())).bits))
    cycles, *others = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Designs(tuple(archs), np.array(cycles, np.int64), *(np.array(c, float) for c in others))


def _row(run: Run, arch: Arch, bits: Bits) -> tuple[int, float, float, float]:
    used = np.nan if arch.energy is None else energy(run, arch.energy).total_pj
    return run.cycles, run.cycles / (arch.clock_mhz * 1e6), used, area(arch, bits=bits).mm2
