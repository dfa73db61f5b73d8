"""Gemmini's cycles from a mapping: counts, and five numbers fitted to the simulated chip.

The machine is 16 x 16 units whose weights stay, between a scratchpad, an accumulator and DRAM. A
mapping says in what order loops run and at what level they are cut. Which words each tile needs
follows from it by counting; how fast they come, and how much of that hides behind the products,
are numbers of the chip, fitted once to cycles that its register-level model took.
"""

import re
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from efficientdl import _check
from efficientdl.systems.hardware.conv import Conv
from efficientdl.systems.hardware.run import Run

# What a loop over a dimension changes; the letters are Timeloop's: c_in C, c_out K, outputs P Q,
# filters R S, images N.
INDEXES = {"x": "CNPQRS", "weight": "CKRS", "y": "KNPQ"}
DIMENSIONS = "NCKPQRS"
# From outside to inside, with the operands that Timeloop keeps there.
LEVELS = ("L3[WIO]", "L2[WI]", "L1[O]", "L0[W]")


class Loop(NamedTuple):
    """A loop of a mapping.

    Attributes:
        dimension: One of NCKPQRS.
        n: How often it runs.
        spatial: Whether side by side, in units, instead of one after the other.
    """

    dimension: str
    n: int
    spatial: bool


@dataclass(frozen=True)
class LoopNest:
    """A mapping: the loops of DRAM, of the scratchpad, of the accumulator and of the units.

    Attributes:
        levels: Four of them, from outside to inside; the outermost loop of each comes first.
    """

    levels: tuple[tuple[Loop, ...], ...]

    @property
    def tiles(self) -> int:
        """How often the scratchpad is filled: the loops of DRAM."""
        return _product(self.levels[0])

    @property
    def steps(self) -> int:
        """Cycles of the array when nothing is waited for: all loops but the spatial ones."""
        return prod(_product(level) for level in self.levels)

    def sizes(self, level: int) -> dict[str, int]:
        """How much of each dimension lies at a level and inside it."""
        inside = [loop for loops in self.levels[level:] for loop in loops]
        return {d: prod(loop.n for loop in inside if loop.dimension == d) for d in DIMENSIONS}

    def changes(self, operand: str) -> int:
        """How often the tile of an operand is another one, in the loops of DRAM.

        It stays through the innermost loops that do not change it.
        """
        outer = [loop for loop in self.levels[0] if loop.n > 1]
        while outer and outer[-1].dimension not in INDEXES[operand]:
            outer.pop()
        return prod(loop.n for loop in outer)


def read_mapping(text: str) -> LoopNest:
    """Read a mapping in Timeloop's notation of one line.

    Args:
        text: Four levels, as in the example; an X behind a number is a spatial loop.

    Raises:
        BadValue: A level or a loop that is not of that form.

    >>> nest = read_mapping("L3[WIO] K2 P4 - L2[WI] K16X - L1[O] C8 C16X - L0[W] Q7")
    >>> nest.tiles, nest.steps, nest.changes("x"), nest.changes("weight")
    (8, 448, 8, 2)
    """
    _check.kind("read_mapping", "text", text, str)
    parts = [part.split() for part in text.split(" - ")]
    names = tuple(part[0] if part else "" for part in parts)
    if names != LEVELS:
        _check.fail("read_mapping", "levels", f"must be {', '.join(LEVELS)}", names)
    return LoopNest(tuple(tuple(map(_loop, part[1:])) for part in parts))


def _loop(text: str) -> Loop:
    found = re.fullmatch(r"([NCKPQRS])([1-9]\d*)(X?)", text)
    if found is None:
        _check.fail("read_mapping", "loop", "must be a dimension and a number, as K16X", text)
    return Loop(found[1], int(found[2]), bool(found[3]))


@dataclass(frozen=True)
class Chip:
    """What the formula must know of the chip and cannot count.

    Attributes:
        tile_cycles: To begin a tile.
        weight_bytes: Bytes of weights that come from DRAM in a cycle.
        x_bytes: Bytes of inputs.
        y_bytes: Bytes of outputs that go there.
        exposed: Share of the shorter of computing and moving that does not hide behind the
            longer, 0 to 1.
    """

    tile_cycles: float
    weight_bytes: float
    x_bytes: float
    y_bytes: float
    exposed: float

    def __post_init__(self) -> None:
        _check.at_least("Chip", "tile_cycles", self.tile_cycles, 0)
        for name in ("weight_bytes", "x_bytes", "y_bytes"):
            if not _check.number("Chip", name, getattr(self, name)) > 0:
                _check.fail("Chip", name, "must be more than 0", getattr(self, name))
        _check.in_range("Chip", "exposed", self.exposed, 0, 1)


# Fitted to the even rows of the 222 cycle counts that DOSA published, by the mean of |log error|:
# 8.3 % median error there. The odd rows tell how good it is: 11 %, log correlation 0.991.
GEMMINI = Chip(
    tile_cycles=1428, weight_bytes=7.59, x_bytes=20.6, y_bytes=8.19, exposed=0.607
)  # fmt: skip
N_UNITS = 256


def traffic(conv: Conv, nest: LoopNest) -> dict[str, int]:
    """Words between DRAM and the scratchpad: the size of a tile, times how often it is moved.

    Weights and outputs stay while they are the same. Inputs are read for every tile.
    """
    size, (down, right) = nest.sizes(1), conv.pairs.stride
    rows = (size["P"] - 1) * down + size["R"]
    columns = (size["Q"] - 1) * right + size["S"]
    tile = {
        "x": size["N"] * size["C"] * rows * columns,
        "weight": prod(size[d] for d in INDEXES["weight"]),
        "y": prod(size[d] for d in INDEXES["y"]),
    }
    often = {
        "x": nest.tiles,
        "weight": nest.changes("weight"),
        "y": nest.changes("y"),
    }
    return {operand: tile[operand] * often[operand] for operand in tile}


def gemmini_run(conv: Conv, nest: LoopNest, *, chip: Chip = GEMMINI) -> Run:
    """Predict the cycles of a convolution on Gemmini, for one mapping.

    cycles = tiles * t + max(compute, move) + e * min(compute, move), where compute is the product
    of the loops in time, move = weights / b_w + inputs / b_x + outputs / b_y, and t, e and the
    three b are the chip's. With t = e = 0 and endless b it is the compute time of the mapping.

    Args:
        conv: The layer.
        nest: Its mapping.
        chip: The fitted numbers.

    Raises:
        BadValue: A mapping that does not cover the layer, or has more than 256 units.

    >>> nest = read_mapping("L3[WIO] K8 - L2[WI] N1 K16X - L1[O] C4 P8 C16X - L0[W] P16")
    >>> run = gemmini_run(Conv(64, 128, 1, 128), nest)
    >>> run.cycles  # 8 * 1,428 + 6,261 to move + 0.607 * 4,096 to compute
    20171

    Source: Genc et al., "Gemmini: Enabling Systematic Deep-Learning Architecture Evaluation via
        Full-Stack Integration", DAC 2021; the cycles to which it was fitted are those of Hong et
        al., "DOSA: Differentiable Model-Based One-Loop Search for DNN Accelerators", MICRO 2023;
        survey section 6.2; lab 14.
    """
    _check.kind("gemmini_run", "conv", conv, Conv)
    _check.kind("gemmini_run", "nest", nest, LoopNest)
    _check.kind("gemmini_run", "chip", chip, Chip)
    _check_covers(conv, nest)
    words = traffic(conv, nest)
    move = words["weight"] / chip.weight_bytes + words["x"] / chip.x_bytes
    move += words["y"] / chip.y_bytes
    longer, shorter = max(nest.steps, move), min(nest.steps, move)
    cycles = round(nest.tiles * chip.tile_cycles + longer + chip.exposed * shorter)
    return Run(
        cycles=cycles,
        macs=conv.macs,
        n_units=N_UNITS,
        accesses={"dram": words},
        bits={"x": 8, "weight": 8, "y": 8},
        formula=(
            f"cycles = {cycles:,}: {nest.tiles} tiles x {chip.tile_cycles:,.0f}"
            f" + max, and {chip.exposed:.2f} of the min, of"
            f" {nest.steps:,} to compute and {move:,.0f} to move",
        ),
    )


def _check_covers(conv: Conv, nest: LoopNest) -> None:
    """Demand loops over all of the layer, and no more units than there are."""
    (p, q), (r, s) = conv.outputs, conv.pairs.kernel
    shape = {"N": conv.batch, "C": conv.c_in // conv.groups, "K": conv.c_out, "P": p, "Q": q}
    for dimension, n in {**shape, "R": r, "S": s}.items():
        found = nest.sizes(0)[dimension]
        if found < n:
            _check.fail("gemmini_run", f"nest.{dimension}", f"must be at least {n}", found)
    units = prod(loop.n for level in nest.levels for loop in level if loop.spatial)
    if units > N_UNITS:
        _check.fail("gemmini_run", "nest", f"must use at most {N_UNITS} units", units)


def _product(loops: tuple[Loop, ...]) -> int:
    return prod(loop.n for loop in loops if not loop.spatial)
