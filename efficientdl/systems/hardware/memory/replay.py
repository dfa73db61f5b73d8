"""Run a layer through the buffer, with its numbers: nothing is taken from a formula."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from math import ceil
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import Arch, Array, Buffer, Dram
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm, check_operands, wide
from efficientdl.systems.hardware.memory.plan import best_tiling
from efficientdl.systems.hardware.memory.schedule import check_request
from efficientdl.systems.hardware.memory.tile import as_part, together
from efficientdl.systems.hardware.memory.tiling import Loop, Tiling
from efficientdl.systems.hardware.memory.traffic import cut
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.simulate import simulate

Addresses = Int64[np.ndarray, "..."]
Words = Num[np.ndarray, "..."]


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    gemm = Gemm(2 * size, size + 1, size + 2)
    arch = Arch("drawn", Array(2, 3), buffer=Buffer(256), dram=Dram(24, latency_cycles=3))
    x, weight = rng.integers(-8, 8, (gemm.m, gemm.k)), rng.integers(-8, 8, (gemm.k, gemm.n))

    def call() -> tuple[object, Cost]:
        run = run_tiled(gemm, arch, x, weight)
        return run.y, run.cost()

    return call, x @ weight, -(-gemm.macs // arch.array.n_units)


@technique(
    "hw-memory",
    paper="Samajdar, Joseph, Zhu, Whatmough, Mattina, Krishna, A Systematic Methodology for "
    "Characterizing Scalability of DNN Accelerators using SCALE-Sim, 2020",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def run_tiled(
    layer: Gemm | Conv,
    arch: Arch,
    x: Num[np.ndarray, "*x"],
    weight: Num[np.ndarray, "*weight"],
    *,
    tiling: Tiling | None = None,
) -> Run:
    """Run a layer tile by tile through the buffer, every word moved, and give its output.

    A tile computes with nothing but what lies in the buffer, at its address, when it starts; the
    array runs cycle by cycle; a sum that leaves before it is finished is read again from DRAM. So
    `run_tiled(...) == schedule(...).run` is a proof of the schedule's formulas on this layer.

    Args:
        layer: What to compute.
        arch: The machine.
        x: The input, in the layer's `x_shape`: whole numbers, or finite floats.
        weight: The weights, in its `weight_shape`.
        tiling: How it is cut; the fastest way where nothing is said.

    Raises:
        BadValue: An operand of another shape, or with a NaN; tiles that the buffer does not hold.

    >>> arch = Arch("tiny", Array(2, 2), buffer=Buffer(32), dram=Dram(bits_per_cycle=8))
    >>> run = run_tiled(Gemm(2, 3, 2), arch, np.ones((2, 3), int), np.ones((3, 2), int))
    >>> run.y.tolist(), dict(run.accesses["dram"])
    ([[3, 3], [3, 3]], {'x': 6, 'weight': 6, 'y': 4})

    Source: Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN
        Accelerators using SCALE-Sim", ISPASS 2020 (double buffering); survey section 6.2; lab 14.
    """
    if tiling is None:
        tiling = best_tiling(layer, arch)
    check_request("run_tiled", layer, arch, tiling)
    check_operands("run_tiled", layer, x, weight)
    machine = _Machine(layer, arch, tiling, x, weight)
    steps = _steps(layer, tiling)
    cycles = machine.load(steps[0], steps[0])
    for before, step, after in zip([None, *steps], steps, [*steps[1:], None], strict=False):
        bus = machine.store(before, step) if before else 0
        bus += machine.load(after, step) if after else 0
        cycles += max(bus, machine.compute(step))
    cycles += machine.store(steps[-1], None)
    run = together(layer, arch, [(part, 1) for part in machine.parts], machine.words(), cycles)
    return replace(run, y=machine.output(), formula=(f"cycles = {cycles:,}, counted",))


class _Step(NamedTuple):
    """A tile: its place in the loops, and the rows, depths and columns that it spans."""

    group: int
    places: Mapping[Loop, int]
    m: slice
    k: slice
    n: slice
    adds: bool
    finishes: bool

    def key(self, name: str, kept: frozenset[str]) -> tuple[int, ...]:
        """Which place of the buffer holds its piece of an operand."""
        if name in kept:
            return (self.group,)
        m, k, n = (self.places[loop] for loop in Loop)
        pieces = {"x": (m, k), "weight": (k, n), "y": (m, n)}
        return (self.group, *pieces[name])


def _steps(layer: Gemm | Conv, tiling: Tiling) -> list[_Step]:
    (gemm,) = layer.gemms()
    cuts = cut(gemm, tiling)
    steps = []
    for group, *at in product(range(gemm.groups), *(range(cuts[loop].n) for loop in tiling.order)):
        places = dict(zip(tiling.order, at, strict=True))
        m, k, n = (
            slice(c.size * places[loop], c.size * (places[loop] + 1)) for loop, c in cuts.items()
        )
        first, last = places[Loop.K] == 0, places[Loop.K] == cuts[Loop.K].n - 1
        steps.append(_Step(group, places, m, k, n, not first, last))
    return steps


class _Place:
    """A part of the buffer: copies of some words of an operand, each known by its address.

    Address 0 is the padding, a zero that nobody has to bring.
    """

    def __init__(self, size: int, dtype: np.dtype) -> None:
        self.words = np.zeros(size, dtype)
        self.here = np.zeros(size, bool)
        self.here[0] = True

    def bring(self, addresses: Addresses, words: Words) -> int:
        """Copy what is not here yet; how many words moved."""
        new = np.unique(addresses[~self.here[addresses]])
        self.words[new], self.here[new] = words[new], True
        return len(new)

    def read(self, addresses: Addresses) -> Words:
        """The words at some addresses, all of which must be here."""
        assert self.here[addresses].all(), "a tile needs a word that nobody loaded"
        return self.words[addresses]


class _Machine:
    """DRAM, the buffer's places and the array, and what they have counted."""

    def __init__(
        self, layer: Gemm | Conv, arch: Arch, tiling: Tiling, x: Words, weight: Words
    ) -> None:
        self.layer, self.arch, self.tiling = layer, arch, tiling
        numbers = [np.arange(1, a.size + 1).reshape(a.shape) for a in (x, weight)]
        at_x, at_weight = layer.lower(*numbers)
        (gemm,) = layer.gemms()
        at_y = np.arange(1, gemm.words.y + 1).reshape(gemm.groups, gemm.m, gemm.n)
        self.at = {"x": at_x, "weight": at_weight, "y": at_y}
        sums = np.zeros(at_y.size, np.result_type(wide(x), wide(weight)))
        self.dram = {"x": _padded(x), "weight": _padded(weight), "y": _padded(sums)}
        self.buffer: dict[str, dict[tuple[int, ...], _Place]] = {"x": {}, "weight": {}, "y": {}}
        self.moved = {"x": 0, "weight": 0, "y": 0, "psum": 0}
        self.parts: list[Run] = []

    def load(self, step: _Step, current: _Step) -> int:
        """Bring what a tile needs, over what the one before the current one used; cycles."""
        found = {}
        for name, places in self.buffer.items():
            key, used = (tile.key(name, self.tiling.kept) for tile in (step, current))
            self.buffer[name] = places = {k: place for k, place in places.items() if k == used}
            fresh = key not in places
            place = places.setdefault(key, _Place(len(self.dram[name]), self.dram[name].dtype))
            if name != "y" or (fresh and step.adds):
                kind = "psum" if name == "y" else name
                found[kind] = place.bring(self.addresses(name, step), self.dram[name])
        self.check_room()
        return self.over_the_bus(found, self.arch.dram.latency_cycles)

    def compute(self, step: _Step) -> int:
        """Multiply a tile, cycle by cycle, and add it to the sums that wait; cycles."""
        places = {n: p[step.key(n, self.tiling.kept)] for n, p in self.buffer.items()}
        x, weight = (places[name].read(self.addresses(name, step)) for name in ("x", "weight"))
        (m, k), n = x.shape, weight.shape[1]
        tile = Gemm(m, k, n, bits=self.layer.bits)
        run = simulate(tile, self.arch, x, weight)
        sums, at = places["y"], self.addresses("y", step)
        sums.words[at] = sums.read(at) + run.y if step.adds else run.y
        sums.here[at] = True
        part = as_part(run, m * n, self.arch.buffer, adds=step.adds, finishes=step.finishes)
        self.parts.append(part.counts())
        return part.cycles

    def store(self, step: _Step, following: _Step | None) -> int:
        """Write a tile's sums to DRAM if they are finished, or their place is needed; cycles."""
        kept, key = self.tiling.kept, step.key("y", self.tiling.kept)
        goes_on = following is not None and following.key("y", kept) == key
        if not step.finishes if "y" in kept else goes_on:
            return 0
        at = self.addresses("y", step)
        self.dram["y"][at] = self.buffer["y"][key].read(at)
        return self.over_the_bus({"y" if step.finishes else "psum": at.size}, 0)

    def addresses(self, name: str, step: _Step) -> Addresses:
        """Where in DRAM the words of a tile lie, those of padding at 0."""
        rows, columns = {"x": (step.m, step.k), "weight": (step.k, step.n), "y": (step.m, step.n)}[
            name
        ]
        return self.at[name][step.group, rows, columns]

    def over_the_bus(self, found: Mapping[str, int], latency: int) -> int:
        """Count words, and the cycles that they take together."""
        widths, bits = {**self.layer.bits._asdict(), "psum": self.layer.bits.y}, 0
        for name, n in found.items():
            self.moved[name] += n
            bits += n * widths[name]
        return latency + ceil(bits / self.arch.dram.bits_per_cycle) if bits else 0

    def check_room(self) -> None:
        """The buffer must hold all that is in it."""
        widths = self.layer.bits._asdict()
        bits = sum(
            widths[name] * (int(place.here.sum()) - 1)
            for name, places in self.buffer.items()
            for place in places.values()
        )
        assert bits <= 8 * self.arch.buffer.bytes, "more words than the buffer holds"

    def words(self) -> dict[str, int]:
        """Words that DRAM moved."""
        return {name: n for name, n in self.moved.items() if n or name != "psum"}

    def output(self) -> Words:
        """The layer's output, as DRAM holds it."""
        return self.layer.assemble(self.dram["y"][self.at["y"]])


def _padded(words: Words) -> Words:
    """The words in a row, after the zero that stands for padding."""
    return np.append(words.dtype.type(0), words.ravel())
