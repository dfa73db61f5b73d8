"""The schedule of a layer: when each tile is loaded, computed and stored, and what waits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

import numpy as np

from efficientdl import _check
from efficientdl.systems.hardware.analyse import FORMULAS
from efficientdl.systems.hardware.arch import Arch, Dram, Psums
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.memory.tile import tiles, together
from efficientdl.systems.hardware.memory.tiling import Tiling, check_tiling
from efficientdl.systems.hardware.memory.traffic import Counts, Traffic, places, traffic
from efficientdl.systems.hardware.run import Run


class Kind(Enum):
    """What an event is."""

    LOAD = "load"
    COMPUTE = "compute"
    STORE = "store"


class Event(NamedTuple):
    """Something that the bus or the array does.

    Attributes:
        kind: Loading, computing or storing.
        tile: Of which tile.
        start: The cycle in which it begins.
        end: The first cycle after it.
        words: What moves between DRAM and buffer, by operand.
    """

    kind: Kind
    tile: int
    start: int
    end: int
    words: Mapping[str, int]


@dataclass(frozen=True)
class Schedule:
    """A layer, tile by tile, on a machine with one DRAM bus and two places for each operand.

    Attributes:
        tiling: How it is cut.
        traffic: What each tile loads and stores.
        compute: Cycles of each tile on the array.
        load: Cycles of the bus before each tile.
        store: Cycles of the bus after each tile.
        start: When each tile starts on the array.
        buffer_bytes: What its places take of the buffer.
        run: Cycles and words, the waiting included.
    """

    tiling: Tiling
    traffic: Traffic
    compute: Counts
    load: Counts
    store: Counts
    start: Counts
    buffer_bytes: int
    run: Run

    @property
    def compute_cycles(self) -> int:
        """Cycles in which the array works."""
        return int(self.compute.sum())

    @property
    def bus_cycles(self) -> int:
        """Cycles in which the bus works, or waits for DRAM to answer."""
        return int(self.load.sum() + self.store.sum())

    @property
    def stall_cycles(self) -> int:
        """Cycles in which the array waits: for the first words, between tiles, for the last."""
        return self.run.cycles - self.compute_cycles

    def events(self) -> Iterator[Event]:
        """All that happens, tile by tile; what takes no time has its start as its end.

        >>> from efficientdl.systems.hardware.arch import Array
        >>> arch = Arch("toy", Array(4, 4), dram=Dram(bits_per_cycle=64))
        >>> for event in schedule(Gemm(8, 4, 4), arch, Tiling(4, 4, 4)).events():
        ...     print(event.kind.value, event.tile, event.start, event.end, dict(event.words))
        load 0 0 4 {'x': 16, 'weight': 16}
        compute 0 4 18 {}
        store 0 18 26 {'y': 16}
        load 1 4 6 {'x': 16}
        compute 1 18 32 {}
        store 1 32 40 {'y': 16}
        """
        for tile, begin in enumerate(self.start.tolist()):
            bus = 0 if tile == 0 else int(self.start[tile - 1])
            bus += int(self.store[tile - 2]) if tile > 1 else 0
            finished = begin + int(self.compute[tile])
            ready = int(self.start[tile + 1]) if tile + 1 < len(self.start) else finished
            if tile + 1 == len(self.start) and tile:  # the last waits for the store before it
                ready = max(finished, begin + int(self.store[tile - 1]))
            loads, stores = (
                _of(tile, moved) for moved in (self.traffic.loads, self.traffic.stores)
            )
            if loads:
                yield Event(Kind.LOAD, tile, bus, bus + int(self.load[tile]), loads)
            yield Event(Kind.COMPUTE, tile, begin, finished, {})
            if stores:
                yield Event(Kind.STORE, tile, ready, ready + int(self.store[tile]), stores)


def schedule(layer: Gemm | Conv, arch: Arch, tiling: Tiling) -> Schedule:
    """Run a layer tile by tile, each loaded while the one before computes.

    The bus moves words one way at a time. While tile t computes, it stores what tile t - 1 left and
    then loads what tile t + 1 needs; tile t + 1 starts when both are done:

        cycles = load_0 + sum over t of max(compute_t, store_(t-1) + load_(t+1)) + store_last

    A load takes the latency and then its words, a store its words alone. A tile takes what its
    dataflow's formula says, or longer where the buffer's port cannot move its words as fast; sums
    of an earlier tile are added at that port. Filling and emptying the buffer is counted with DRAM.

    Args:
        layer: A product or a convolution.
        arch: The machine; its sums must be allowed to wait on the chip.
        tiling: How the layer is cut.

    Raises:
        BadValue: A tile outside the layer, or tiles that the buffer does not hold.

    >>> from efficientdl.systems.hardware.arch import Array
    >>> arch = Arch("toy", Array(4, 4), dram=Dram(bits_per_cycle=64))
    >>> found = schedule(Gemm(8, 4, 4), arch, Tiling(4, 4, 4))
    >>> found.run.cycles, found.compute_cycles, found.stall_cycles
    (40, 28, 12)

    Source: Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN
        Accelerators using SCALE-Sim", ISPASS 2020 (double buffering); survey section 6.2; lab 14.
    """
    check_request("schedule", layer, arch, tiling)
    moved = traffic(layer, tiling)
    parts, part_of = tiles(layer, arch, tiling, moved)
    compute = np.array([part.cycles for part in parts])[part_of]
    load, store = bus_cycles(layer, moved, arch.dram)
    start, cycles = timeline(compute, load, store)
    times = list(zip(parts, np.bincount(part_of).tolist(), strict=True))
    run = together(layer, arch, times, moved.words(), cycles)
    run = replace(run, formula=(_formula(compute, load, store, cycles),))
    return Schedule(tiling, moved, compute, load, store, start, bytes_of(layer, tiling), run)


def timeline(compute: Counts, load: Counts, store: Counts) -> tuple[Counts, int]:
    """When each tile starts, and when the last store is done.

    >>> five = np.full(3, 5)
    >>> start, cycles = timeline(five, np.array([4, 4, 4]), np.array([2, 2, 2]))
    >>> start.tolist(), cycles  # 4, then max(5, 4), max(5, 2 + 4), max(5, 2), then 2
    ([4, 9, 15], 22)
    """
    bus = np.append(0, store[:-1]) + np.append(load[1:], 0)
    ends = int(load[0]) + np.cumsum(np.maximum(compute, bus))
    return np.append(load[0], ends[:-1]), int(ends[-1] + store[-1])


def equal_tiles(n_tiles: int, load: int, compute: int, store: int, *, once: int = 0) -> int:
    """Cycles of so many equal tiles, in closed form.

    Only the first load and the last store are never hidden, and at either end the bus has half of
    its work to do.

    Args:
        n_tiles: Tiles, 1 or more.
        load: Cycles of the bus before a tile.
        compute: Cycles of a tile on the array.
        store: Cycles of the bus after a tile.
        once: Cycles more before the first tile, for what stays from then on.

    >>> equal_tiles(3, load=4, compute=5, store=2)
    22
    """
    _check.whole("equal_tiles", "n_tiles", n_tiles, 1)
    for name, value in {"load": load, "compute": compute, "store": store, "once": once}.items():
        _check.whole("equal_tiles", name, value, 0)
    if n_tiles == 1:
        return once + load + compute + store
    inner = (n_tiles - 2) * max(compute, store + load)
    return once + load + max(compute, load) + inner + max(compute, store) + store


def bytes_of(layer: Gemm | Conv, tiling: Tiling) -> int:
    """What the places of a tiling take of the buffer.

    >>> bytes_of(Gemm(8, 4, 6), Tiling(2, 4, 6))  # 16 + 24 bytes, and 24 sums of 4
    136
    """
    bits = layer.bits._asdict()
    return -(-sum(n * bits[name] for name, n in places(layer, tiling).items()) // 8)


def bus_cycles(layer: Gemm | Conv, moved: Traffic, dram: Dram) -> tuple[Counts, Counts]:
    """Cycles of the bus before and after each tile."""
    bits = {**layer.bits._asdict(), "psum": layer.bits.y}
    loaded, stored = (
        np.sum([n * bits[name] for name, n in words.items()], axis=0)
        for words in (moved.loads, moved.stores)
    )
    load = np.where(loaded > 0, dram.latency_cycles, 0) + _at_rate(loaded, dram.bits_per_cycle)
    return load, _at_rate(stored, dram.bits_per_cycle)


def check_machine(caller: str, arch: Arch) -> None:
    """Demand a dataflow of products, and sums that wait where the tiling says."""
    _check.kind(caller, "arch", arch, Arch)
    _check.one_of(caller, "arch.dataflow", arch.dataflow, FORMULAS)
    if arch.array.psums is not Psums.ON_CHIP:
        rule = "must be Psums.ON_CHIP: where sums wait between tiles, the tiling says"
        _check.fail(caller, "arch.array.psums", rule, arch.array.psums)


def check_request(caller: str, layer: Gemm | Conv, arch: Arch, tiling: Tiling) -> None:
    """Demand tiles of the layer that the buffer of a machine holds."""
    check_tiling(caller, layer, tiling)
    check_machine(caller, arch)
    needed = bytes_of(layer, tiling)
    if needed > arch.buffer.bytes:
        rule = f"must need at most the buffer's {arch.buffer.bytes:,} bytes, needs {needed:,}"
        _check.fail(caller, "tiling", rule, tiling)


def _at_rate(bits: Counts, per_cycle: float) -> Counts:
    return np.ceil(bits / per_cycle).astype(np.int64)


def _of(tile: int, moved: Mapping[str, Counts]) -> dict[str, int]:
    return {name: int(n[tile]) for name, n in moved.items() if n[tile]}


def _formula(compute: Counts, load: Counts, store: Counts, cycles: int) -> str:
    waiting = cycles - int(compute.sum() + load[0] + store[-1])
    ends = f"{load[0]:,} to load the first, {store[-1]:,} to store the last"
    return (
        f"cycles = {cycles:,}: {compute.sum():,} of {len(compute):,} tiles, "
        f"{waiting:,} of waiting between them, {ends}"
    )
