"""All tilings that a search tries, each with the least that it can take, as columns of numbers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from efficientdl.systems.hardware.arch import Arch, Dram
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.memory.many import tile_cycles
from efficientdl.systems.hardware.memory.tiling import OPERANDS, Loop, Order, Tiling, units
from efficientdl.systems.hardware.memory.traffic import pixels_of

Column = Int64[np.ndarray, " candidates"]
KEPT = tuple(frozenset(names) for n in range(4) for names in combinations(OPERANDS, n))
FREE = {"x": Loop.N, "weight": Loop.M, "y": Loop.K}
"""The loop along which an operand does not lie."""


def candidates(
    layer: Gemm | Conv, arch: Arch, orders: Sequence[Order]
) -> Iterator[tuple[Tiling, int, int]]:
    """Tilings that the buffer holds, the fewest cycles of each, and its bits; the least first.

    Args:
        layer: What is cut.
        arch: The machine.
        orders: Orders of the loops. Of several that differ only by loops of one tile, one is
            enough.
    """
    sizes = sizes_of(layer)
    compute = sizes.cycles(layer, arch)
    tables, options = [], []
    for order in orders:
        once = distinct(order, sizes) if len(orders) > 1 else np.ones_like(sizes.m, bool)
        for kept in KEPT:
            moved = Moved(layer, sizes, order, kept)
            chosen = np.flatnonzero(once & moved.useful() & (moved.bytes() <= arch.buffer.bytes))
            bound = np.maximum(compute + moved.ends(arch.dram), moved.bus(arch.dram))
            option = np.full(len(chosen), len(options))
            tables.append(np.stack([bound[chosen], moved.bits()[chosen], option, chosen]))
            options.append((order, kept))
    bound, bits, option, chosen = table = np.concatenate(tables, axis=1)
    for at in np.lexsort(table[::-1]).tolist():
        m, k, n = (int(side[chosen[at]]) for side in (sizes.m, sizes.k, sizes.n))
        yield Tiling(m, k, n, *options[option[at]]), int(bound[at]), int(bits[at])


class Sizes(NamedTuple):
    """Sizes of tiles, a candidate each.

    Attributes:
        m: Rows.
        k: What is summed over.
        n: Columns.
        counts: Tiles along each loop.
        last: Sizes of the last tiles.
        pixels: Words of a channel of x: of all pieces, of each pixel once, of the largest piece,
            of the first.
    """

    m: Column
    k: Column
    n: Column
    counts: Mapping[Loop, Column]
    last: Mapping[Loop, Column]
    pixels: Mapping[str, Column]

    def cycles(self, layer: Gemm | Conv, arch: Arch) -> Column:
        """Cycles of all tiles on the array, when nothing waits for DRAM."""
        (gemm,) = layer.gemms()
        m_parts, n_parts = (
            [(self.counts[loop] - 1, size), (1, self.last[loop])]
            for loop, size in ((Loop.M, self.m), (Loop.N, self.n))
        )
        n_k = self.counts[Loop.K]
        k_parts = [
            (1, self.k, False),
            (np.maximum(n_k - 2, 0), self.k, True),
            (n_k > 1, self.last[Loop.K], True),
        ]
        total = np.zeros_like(self.m)
        for (many, m), (some, n), (times, k, adds) in product(m_parts, n_parts, k_parts):
            each = tile_cycles(arch, m, k, n, bits=layer.bits, adds=adds)
            total += gemm.groups * many * some * times * each
        return total


def sizes_of(layer: Gemm | Conv) -> Sizes:
    """A layer's sides, halved again and again down to one, in all combinations."""
    (gemm,) = layer.gemms()
    pixels, taps = units(layer)
    sides = [
        pixels * halves(gemm.m // pixels),
        taps * halves(gemm.k // taps),
        halves(gemm.n),
    ]
    m, k, n = (side.ravel() for side in np.meshgrid(*sides, indexing="ij"))
    totals = {Loop.M: (gemm.m, m), Loop.K: (gemm.k, k), Loop.N: (gemm.n, n)}
    counts = {loop: -(-total // size) for loop, (total, size) in totals.items()}
    last = {loop: (total - 1) % size + 1 for loop, (total, size) in totals.items()}
    tables = [pixels_of(layer, int(side)) for side in sides[0]]
    facts = {
        "every": [every.sum() for every, _ in tables],
        "once": [once.sum() for _, once in tables],
        "largest": [every.max() for every, _ in tables],
        "first": [every[0] for every, _ in tables],
    }
    repeats = len(m) // len(sides[0])
    return Sizes(m, k, n, counts, last, {name: np.repeat(v, repeats) for name, v in facts.items()})


def halves(total: int) -> Int64[np.ndarray, " sizes"]:
    """A side, half of it, and so on, rounded up.

    >>> halves(7).tolist()
    [7, 4, 2, 1]
    """
    return np.unique([-(-total // 2**i) for i in range(total.bit_length() + 1)])[::-1]


def distinct(order: Order, sizes: Sizes) -> Bool[np.ndarray, " candidates"]:
    """Whether loops of one tile come first, by name; all other orders are the same as that one."""
    one = [sizes.counts[loop] == 1 for loop in order]
    rank = [list(Loop).index(loop) for loop in order]
    fine = np.ones_like(one[0])
    for i in (0, 1):
        swapped = ~one[i] | (rank[i] > rank[i + 1])
        fine &= ~(one[i + 1] & swapped)
    return fine


@dataclass(frozen=True)
class Moved:
    """What moves in each candidate, with one order and one choice of what is kept."""

    layer: Gemm | Conv
    sizes: Sizes
    order: Order
    kept: frozenset[str]

    def rounds(self, name: str) -> Column:
        """How often each piece of an operand would be in the buffer, if it were not kept.

        Once for each round of the loop along which it does not lie, unless no other piece comes
        between.
        """
        free = FREE[name]
        inside = self.order[self.order.index(free) + 1 :]
        between = np.prod([self.sizes.counts[loop] for loop in inside], axis=0)
        return np.where(between > 1, self.sizes.counts[free], 1)

    def useful(self) -> Bool[np.ndarray, " candidates"]:
        """Whether each operand that is kept would be moved more often otherwise."""
        fine = np.ones(len(self.sizes.m), bool)
        for name in self.kept:
            overlaps = self.sizes.pixels["every"] > self.sizes.pixels["once"]
            fine &= (self.rounds(name) > 1) | (overlaps & (name == "x"))
        return fine

    def words(self) -> dict[str, Column | int]:
        """Words between DRAM and the buffer."""
        (gemm,) = self.layer.gemms()
        channels = gemm.k // units(self.layer)[1]
        times = {name: 1 if name in self.kept else self.rounds(name) for name in OPERANDS}
        pixels = self.sizes.pixels["once" if "x" in self.kept else "every"]
        sums = gemm.groups * gemm.m * gemm.n
        return {
            "x": gemm.groups * channels * pixels * times["x"],
            "weight": gemm.groups * gemm.k * gemm.n * times["weight"],
            "y": sums * (2 * times["y"] - 1),
        }

    def bits(self) -> Column:
        """Bits between DRAM and the buffer."""
        return self._in_bits(self.words())

    def bytes(self) -> Column:
        """What the places take of the buffer."""
        (gemm,) = self.layer.gemms()
        counts, taps = self.sizes.counts, units(self.layer)[1]
        m, k, n = self.sizes.m, self.sizes.k, self.sizes.n
        pieces = {"x": self.sizes.pixels["largest"] * (k // taps), "weight": k * n, "y": m * n}
        whole = {
            "x": self.sizes.pixels["once"] * (gemm.k // taps),
            "weight": gemm.k * gemm.n,
            "y": gemm.m * gemm.n,
        }
        found = {}
        for name, piece in pieces.items():
            n_pieces = gemm.groups * np.prod([counts[o] for o in Loop if o != FREE[name]], axis=0)
            following = piece if gemm.groups > 1 else 0
            kept = name in self.kept
            found[name] = whole[name] + following if kept else np.minimum(2, n_pieces) * piece
        return -(-self._in_bits(found) // 8)

    def bus(self, dram: Dram) -> Column:
        """The fewest cycles of the bus: all bits, and the latency of the operand loaded most."""
        loads = [
            np.prod([self.sizes.counts[loop] for loop in Loop if loop != FREE[name]], axis=0)
            * (1 if name in self.kept else self.rounds(name))
            for name in ("x", "weight")
        ]
        (gemm,) = self.layer.gemms()
        waits = gemm.groups * np.maximum.reduce(loads) * dram.latency_cycles
        return waits + np.floor(self.bits() / dram.bits_per_cycle).astype(np.int64)

    def ends(self, dram: Dram) -> Column:
        """Cycles before the first tile and after the last, in which only the bus works."""
        taps, s = units(self.layer)[1], self.sizes
        first = {"x": s.pixels["first"] * (s.k // taps), "weight": s.k * s.n}
        last = {"y": s.last[Loop.M] * s.last[Loop.N]}
        bus = [np.ceil(self._in_bits(w) / dram.bits_per_cycle) for w in (first, last)]
        return dram.latency_cycles + (bus[0] + bus[1]).astype(np.int64)

    def _in_bits(self, words: Mapping[str, Column | int]) -> Column:
        widths = self.layer.bits._asdict()
        return sum((n * widths[name] for name, n in words.items()), np.zeros_like(self.sizes.m))
