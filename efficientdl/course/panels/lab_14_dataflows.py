"""Lab 14's picture of dataflows: where the energy of a layer goes, by what stays."""

from collections.abc import Mapping
from math import fsum

from efficientdl.systems.hardware import EnergyTable, Run
from efficientdl.viz import Axis, Table, View
from efficientdl.viz.figures import stack

# Drawn from the outermost memory to the arithmetic.
LEVELS = ("dram", "buffer", "link", "register", "mac")
_NAMES = {"dram": "DRAM", "link": "links", "register": "registers", "mac": "arithmetic"}


def energies(runs: Mapping[str, Run], table: EnergyTable) -> View:
    """The energy of each run, for each MAC, by where it is spent.

    Args:
        runs: By name; the same layer on machines that differ.
        table: What a MAC and an access take.
    """
    found = {name: run.energy(table) for name, run in runs.items()}
    each = {
        name: [energy.get(level, 0) / run.macs for level in LEVELS]
        for (name, energy), run in zip(found.items(), runs.values(), strict=True)
    }
    parts = {
        _NAMES.get(level, level): [values[i] for values in each.values()]
        for i, level in enumerate(LEVELS)
    }
    figure = stack(
        "Where the energy goes",
        parts,
        settings=Axis("", categories=tuple(runs)),
        measure=Axis("energy of a MAC", "pJ" if table.mac_pj != 1 else "MACs"),
    )
    totals = {name: fsum(values) for name, values in each.items()}
    least, most = (pick(totals, key=lambda name: totals[name]) for pick in (min, max))
    text = (
        f"{least.capitalize()} takes least, {totals[least]:.2f} for each MAC; {most} takes "
        f"{totals[most] / totals[least]:.1f} times as much. ({table.name}.)"
    )
    head = ("what stays", "cycles", *parts, "all")
    rows = tuple((name, runs[name].cycles, *values, totals[name]) for name, values in each.items())
    return View(figure, Table("Energy of a MAC", head, rows), text)
