"""A machine, in frozen values: an array of multipliers, its memories, what an access takes.

Nothing here computes. What a policy means in cycles stands beside it, and `dataflow/` has the
formulas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import inf

from efficientdl import _check


class Dataflow(Enum):
    """What stays in a unit while the rest moves past it."""

    OUTPUT_STATIONARY = "output stationary"
    WEIGHT_STATIONARY = "weight stationary"
    INPUT_STATIONARY = "input stationary"
    ROW_STATIONARY = "row stationary"
    NO_LOCAL_REUSE = "no local reuse"


class Drain(Enum):
    """How finished sums leave, and whether the next fold waits for them.

    A *fold* is what the array does at a time: the part of a product that fits it.

    - SHIFT: down the columns, a row each cycle; the next fold waits until the array is empty.
    - BUS: over a bus of `bus_words` a cycle, in an output-stationary array. In the others, sums
      leave through the columns anyway, and this is SHIFT.
    - OVERLAP: down the columns, while the next fold is already being computed.
    """

    SHIFT = "shift"
    BUS = "bus"
    OVERLAP = "overlap"


class Edge(Enum):
    """For how many rows and columns a fold is scheduled that does not fill the array.

    - PHYSICAL: for all of the array: what is left over computes with zeros.
    - USED: for those that it uses, as if the array were cut to the fold.
    """

    PHYSICAL = "physical"
    USED = "used"


class Psums(Enum):
    """Where a sum waits when the next fold adds to it: the buffer on the chip, or DRAM."""

    ON_CHIP = "on chip"
    OFF_CHIP = "off chip"


@dataclass(frozen=True)
class Array:
    """A grid of units, each of which does one MAC a cycle.

    Attributes:
        rows: Units in a column.
        cols: Units in a row.
        drain: How sums leave.
        edge: What a fold costs that does not fill the array.
        psums: Where unfinished sums wait.
        weight_registers: Stationary words in each unit: 1, or 2, of which the second is loaded
            while the first is used.
        bus_words: Sums that the bus takes in a cycle, with `Drain.BUS`.

    >>> Array(12, 14).n_units
    168
    """

    rows: int
    cols: int
    drain: Drain = Drain.SHIFT
    edge: Edge = Edge.PHYSICAL
    psums: Psums = Psums.ON_CHIP
    weight_registers: int = 1
    bus_words: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "bus_words"):
            _check.whole("Array", name, getattr(self, name), 1)
        _check.whole("Array", "weight_registers", self.weight_registers, 1, 2)
        for name, kind in {"drain": Drain, "edge": Edge, "psums": Psums}.items():
            _check.kind("Array", name, getattr(self, name), kind)

    @property
    def n_units(self) -> int:
        """Multipliers."""
        return self.rows * self.cols


def _check_rate(caller: str, rate: float) -> None:
    if not _check.number(caller, "bits_per_cycle", rate) > 0:
        _check.fail(caller, "bits_per_cycle", "must be more than 0", rate)


@dataclass(frozen=True)
class Buffer:
    """A memory on the chip, shared by all units.

    Attributes:
        bytes: What it holds.
        bits_per_cycle: What it moves to or from the array in a cycle; inf where it never limits.
        banks: Parts that work at the same time.
    """

    bytes: int
    bits_per_cycle: float = inf
    banks: int = 1

    def __post_init__(self) -> None:
        _check.whole("Buffer", "bytes", self.bytes, 1)
        _check.whole("Buffer", "banks", self.banks, 1)
        _check_rate("Buffer", self.bits_per_cycle)


@dataclass(frozen=True)
class Dram:
    """The memory outside.

    Attributes:
        bits_per_cycle: What it moves in a cycle of the array; inf where it never limits.
        latency_cycles: From asking to the first word.
    """

    bits_per_cycle: float = inf
    latency_cycles: int = 0

    def __post_init__(self) -> None:
        _check.whole("Dram", "latency_cycles", self.latency_cycles, 0)
        _check_rate("Dram", self.bits_per_cycle)


BUFFER_64_KIB = Buffer(64 * 1024)
FAST_DRAM = Dram()


@dataclass(frozen=True)
class EnergyTable:
    """What a MAC takes, and moving a word at each level.

    Attributes:
        name: Of what chip, or what study.
        mac_pj: One multiply-accumulate, in picojoules.
        word_pj: One access to a word, by level: register, link, buffer, dram.
        word_bits: Width of the word that `word_pj` speaks of.
        source: Where the numbers are from.
    """

    name: str
    mac_pj: float
    word_pj: Mapping[str, float]
    word_bits: int = 8
    source: str = "assumed"

    def __post_init__(self) -> None:
        _check.at_least("EnergyTable", "mac_pj", self.mac_pj, 0)
        _check.whole("EnergyTable", "word_bits", self.word_bits, 1)
        _check.kind("EnergyTable", "word_pj", self.word_pj, Mapping)
        for level, value in self.word_pj.items():
            _check.at_least("EnergyTable", f"word_pj[{level!r}]", value, 0)


@dataclass(frozen=True)
class Arch:
    """A whole accelerator.

    Attributes:
        name: What it is called.
        array: Its units.
        dataflow: What stays in them.
        buffer: Its memory on the chip.
        dram: Its memory outside.
        energy: What its operations take.
        clock_mhz: Cycles in a microsecond.

    >>> Arch("small", Array(8, 8)).dataflow.value
    'weight stationary'
    """

    name: str
    array: Array
    dataflow: Dataflow = Dataflow.WEIGHT_STATIONARY
    buffer: Buffer = BUFFER_64_KIB
    dram: Dram = FAST_DRAM
    energy: EnergyTable | None = None
    clock_mhz: float = 200.0

    def __post_init__(self) -> None:
        kinds = {"array": Array, "dataflow": Dataflow, "buffer": Buffer, "dram": Dram}
        for name, kind in kinds.items():
            _check.kind("Arch", name, getattr(self, name), kind)
        if self.energy is not None:
            _check.kind("Arch", "energy", self.energy, EnergyTable)
        if not 0 < _check.number("Arch", "clock_mhz", self.clock_mhz) < inf:
            _check.fail("Arch", "clock_mhz", "must be positive and finite", self.clock_mhz)
