"""What a machine did: its output, its cycles, and every word that it moved. One type for all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import fsum

import numpy as np
from jaxtyping import Num

from efficientdl import _check
from efficientdl.report import Cost, table_text
from efficientdl.systems.hardware.arch import EnergyTable

Accesses = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One layer on one machine. Counts are whole numbers; energy is theirs times a table.

    Two runs are equal when their counts are: so an analysis, which has no output, is compared with
    a simulation. Runs of one machine add up: one after the other.

    Attributes:
        cycles: Clock cycles elapsed, from the first word in to the last word out.
        macs: Multiply-accumulates done; what a machine skips is not counted.
        n_units: The most MACs that the machine does in a cycle.
        accesses: Words moved, by level of the memory and by operand. Levels of the dense machines
            are register, link (from a unit to its neighbour), buffer and dram; operands are x,
            weight, y (finished outputs) and psum (sums written to be read again). Reads and
            writes both count one.
        bits: Width of a word, by operand; where it says nothing, a word is the table's.
        y: The output; None when it was only counted.
        formula: How the cycles came about, a line each, with the numbers put in.

    >>> run = Run(cycles=10, macs=16, n_units=4, accesses={"buffer": {"x": 4, "weight": 4}})
    >>> run.utilisation, run.words("buffer")
    (0.4, 8)
    """

    cycles: int
    macs: int
    n_units: int
    accesses: Accesses = field(default_factory=dict)
    bits: Mapping[str, int] = field(default_factory=dict)
    y: Num[np.ndarray, "..."] | None = field(default=None, compare=False, repr=False)
    formula: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def utilisation(self) -> float:
        """Share of the multiplier cycles in which a MAC was done, 0 to 1."""
        return self.macs / (self.cycles * self.n_units) if self.cycles else 0.0

    def words(self, level: str) -> int:
        """Words moved at one level, of all operands."""
        return sum(self.accesses.get(level, {}).values())

    def energy(self, table: EnergyTable) -> dict[str, float]:
        """Picojoules of the MACs and of each level: words times what a word of that width takes.

        Args:
            table: What a MAC and an access take. It must know every level of the run.

        >>> table = EnergyTable("toy", mac_pj=1, word_pj={"buffer": 6}, word_bits=16)
        >>> Run(cycles=4, macs=8, n_units=2, accesses={"buffer": {"x": 3}}).energy(table)
        {'mac': 8.0, 'buffer': 18.0}
        """
        _check.kind("Run.energy", "table", table, EnergyTable)
        found = {"mac": float(self.macs * table.mac_pj)}
        for level, moved in self.accesses.items():
            _check.one_of("Run.energy", "level", level, table.word_pj)
            widths = {name: self.bits.get(name, table.word_bits) for name in moved}
            shares = (n * widths[name] / table.word_bits for name, n in moved.items())
            found[level] = fsum(shares) * table.word_pj[level]
        return found

    def cost(self, table: EnergyTable | None = None) -> Cost:
        """The run as a `Cost`, with its energy where a table is given.

        Traffic is what the DRAM moved, and unknown where nothing was counted there.
        """
        moved, bits = self.accesses.get("dram"), self.bits
        known = moved is not None and all(name in bits for name in moved)
        total = sum(n * bits[name] for name, n in moved.items()) if moved and known else None
        return Cost(
            macs=self.macs,
            cycles=self.cycles,
            traffic_bytes=None if total is None else -(-total // 8),
            energy_pj=None if table is None else fsum(self.energy(table).values()),
        )

    def counts(self) -> "Run":
        """The same without the output, which may be large."""
        return replace(self, y=None)

    def __add__(self, other: "Run") -> "Run":
        """Both, one after the other on the same machine."""
        if not isinstance(other, Run):
            return NotImplemented
        if (self.n_units, dict(self.bits)) != (other.n_units, dict(other.bits)):
            rule = f"must be of the same machine, {self.n_units} units, {dict(self.bits)}"
            _check.fail("Run.__add__", "other", rule, (other.n_units, dict(other.bits)))
        return Run(
            cycles=self.cycles + other.cycles,
            macs=self.macs + other.macs,
            n_units=self.n_units,
            accesses=_plus(self.accesses, other.accesses),
            bits=self.bits,
            formula=self.formula + other.formula,
        )

    def explain(self) -> str:
        """The formula with its numbers, the utilisation, and a table of what moved."""
        lines = list(self.formula) or [f"cycles = {self.cycles:,}"]
        lines += [
            f"utilisation = {self.macs:,} MACs / ({self.cycles:,} cycles x {self.n_units:,} units)"
            f" = {self.utilisation:.1%}"
        ]
        operands = list(dict.fromkeys(name for moved in self.accesses.values() for name in moved))
        rows = [["words at", *operands, "all"]]
        rows += [
            [level, *(f"{moved.get(name, 0):,}" for name in operands), f"{self.words(level):,}"]
            for level, moved in self.accesses.items()
        ]
        return "\n".join([*lines, table_text(rows)] if self.accesses else lines)


def _plus(a: Accesses, b: Accesses) -> dict[str, dict[str, int]]:
    levels = dict.fromkeys([*a, *b])
    return {level: _plus_words(a.get(level, {}), b.get(level, {})) for level in levels}


def _plus_words(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in dict.fromkeys([*a, *b])}
