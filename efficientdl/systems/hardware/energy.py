"""Energy of a run, by level of the memory and by operand; and dataflows compared by it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import fsum
from operator import add

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.report import table_text
from efficientdl.systems.hardware.arch import Arch, EnergyTable
from efficientdl.systems.hardware.run import Run


@dataclass(frozen=True)
class Energy:
    """Picojoules of a run.

    Attributes:
        pj: By level, then by operand. The level `mac` has the one entry `mac`.
        macs: Multiply-accumulates that it did.
        table: What an access takes, and where that is from.
    """

    pj: Mapping[str, Mapping[str, float]]
    macs: int
    table: EnergyTable

    @property
    def by_level(self) -> dict[str, float]:
        """Of the arithmetic, and of each memory."""
        return {level: fsum(moved.values()) for level, moved in self.pj.items()}

    @property
    def by_operand(self) -> dict[str, float]:
        """Of the arithmetic, and of moving each operand, at all levels."""
        names = dict.fromkeys(name for moved in self.pj.values() for name in moved)
        return {n: fsum(moved.get(n, 0.0) for moved in self.pj.values()) for n in names}

    @property
    def total_pj(self) -> float:
        """All of it."""
        return fsum(pj for moved in self.pj.values() for pj in moved.values())

    @property
    def pj_per_mac(self) -> float:
        """All of it, for each multiply-accumulate."""
        return self.total_pj / self.macs if self.macs else 0.0

    def __str__(self) -> str:
        operands, total = self.by_operand, self.total_pj
        rows = [["level", *operands, "all", "share"]]
        for level, moved in [*self.pj.items(), ("all", operands)]:
            cells = [f"{moved[n]:,.1f}" if n in moved else "-" for n in operands]
            all_pj = fsum(moved.values())
            share = f"{all_pj / total:.1%}" if total else "-"
            rows.append([level, *cells, f"{all_pj:,.1f}", share])
        return f"{table_text(rows)}\npicojoules, with the table {self.table.name!r}"


@technique(
    "hw-energy",
    paper="Chen, Emer, Sze, Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for "
    "Convolutional Neural Networks, 2016",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def energy(run: Run, table: EnergyTable) -> Energy:
    """Break down what a run takes: its MACs, and each word that each level moved.

    E = MACs * E_mac + sum over levels and operands of words * bits / bits of the table * E_level.
    DRAM takes 200 times a register, so what counts is how often a word is fetched from how far. It
    is dynamic energy alone: no leakage, no clock tree, no control.

    Args:
        run: What was done and moved.
        table: What a MAC and an access take. It must know every level of the run.

    >>> table = EnergyTable("toy", mac_pj=1, word_pj={"buffer": 6, "dram": 200}, word_bits=16)
    >>> moved = {"buffer": {"x": 3, "y": 1}, "dram": {"x": 1}}
    >>> print(energy(Run(cycles=4, macs=8, n_units=2, accesses=moved), table))
    level   mac      x    y    all   share
    ------  ---  -----  ---  -----  ------
    mac     8.0      -    -    8.0    3.4%
    buffer    -   18.0  6.0   24.0   10.3%
    dram      -  200.0    -  200.0   86.2%
    all     8.0  218.0  6.0  232.0  100.0%
    picojoules, with the table 'toy'

    Source: Chen, Emer, Sze, "Eyeriss", ISCA 2016, section VI (the framework, and the costs of Table
        IV); Horowitz, "Computing's Energy Problem", ISSCC 2014; survey section 6.2; lab 14.
    """
    _check.kind("energy", "run", run, Run)
    _check.kind("energy", "table", table, EnergyTable)
    found: dict[str, dict[str, float]] = {"mac": {"mac": run.macs * float(table.mac_pj)}}
    for level, moved in run.accesses.items():
        _check.one_of("energy", "level", level, table.word_pj)
        each = table.word_pj[level] / table.word_bits
        widths = {name: run.bits.get(name, table.word_bits) for name in moved}
        found[level] = {name: n * widths[name] * each for name, n in moved.items()}
    return Energy(found, run.macs, table)


def edp(run: Run, arch: Arch) -> float:
    """Energy-delay product, in joules times seconds: what a slow or a hungry machine is bad at.

    Args:
        run: What was done.
        arch: Its clock, and its table.

    >>> from efficientdl.systems.hardware.arch import Array
    >>> toy = Arch("toy", Array(1, 1), energy=EnergyTable("toy", 1, {}), clock_mhz=1)
    >>> round(edp(Run(cycles=10, macs=5, n_units=1), toy) * 1e18)  # 5 pJ times 10 microseconds
    50

    Source: Gonzalez, Horowitz, "Energy Dissipation in General Purpose Microprocessors", 1996;
        survey section 6.2; lab 14.
    """
    _check.kind("edp", "arch", arch, Arch)
    if arch.energy is None:
        _check.fail("edp", "arch.energy", "must be a table", arch.energy)
    return energy(run, arch.energy).total_pj * 1e-12 * run.cycles / (arch.clock_mhz * 1e6)


def compare(runs: Mapping[str, Iterable[Run]], table: EnergyTable) -> dict[str, Energy]:
    """Energy of machines that did the same layers, the least first.

    Args:
        runs: By the machine's name, a run for each layer; all of the same MACs.
        table: What a MAC and an access take.

    >>> table = EnergyTable("toy", mac_pj=1, word_pj={"dram": 200}, word_bits=16)
    >>> often = Run(cycles=4, macs=8, n_units=2, accesses={"dram": {"x": 8}})
    >>> once = Run(cycles=4, macs=8, n_units=2, accesses={"dram": {"x": 1}})
    >>> {n: e.pj_per_mac for n, e in compare({"often": [often], "once": [once]}, table).items()}
    {'once': 26.0, 'often': 201.0}
    """
    _check.kind("compare", "runs", runs, Mapping)
    found = {}
    for name, layers in runs.items():
        counted = list(layers)
        if not counted:
            _check.fail("compare", f"runs[{name!r}]", "must have a run", counted)
        found[name] = energy(reduce(add, counted), table)
    macs = {name: e.macs for name, e in found.items()}
    if len(set(macs.values())) > 1:
        _check.fail("compare", "runs", "must do the same MACs", macs)
    return dict(sorted(found.items(), key=lambda item: item[1].total_pj))
