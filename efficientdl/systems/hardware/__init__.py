"""Accelerators: machines that compute a layer, and count what it took.

Read `layer.py` (what is asked), `arch.py` (the machine) and `run.py` (what it did) first. Then
`analyse` says by formula what `simulate` finds by moving every word: the same cycles, the same
accesses at every level, and the product that NumPy computes.

- The dense array: `dataflow/` has the formulas, `simulate/` the registers, `row_stationary/` the
  fifth dataflow; `presets.py` has machines that were built, `from_torch` takes the layers of a
  network, `compat/` prints another simulator's counts, `gemmini.py` those of a chip.
- Around it: `memory/` (tiles, stalls, whole networks), `energy.py`, `area.py`, and `explore.py`,
  which tries a thousand machines in a second.
- Machines that skip zeros: `rlc.py`, `sparse/`, `spgemm/`, `fpga_spmv/`.
- Machines of few bits: `low_bit/`, `reram.py`.
- Machines for language: `attention/`, `partition.py`.
"""

from efficientdl.systems.hardware.analyse import analyse
from efficientdl.systems.hardware.arch import (
    Arch,
    Array,
    Buffer,
    Dataflow,
    Drain,
    Dram,
    Edge,
    EnergyTable,
    Psums,
)
from efficientdl.systems.hardware.explore import grid, sweep
from efficientdl.systems.hardware.from_torch import from_torch
from efficientdl.systems.hardware.layer import Attention, Bits, Conv, Gemm, Layer
from efficientdl.systems.hardware.memory import Tiling, best_tiling, network, run_tiled, schedule
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.simulate import Snapshot, State, simulate, snapshots
from efficientdl.systems.hardware.topology_csv import read_topology, topology_text

__all__ = [
    "Layer",
    "Gemm",
    "Conv",
    "Attention",
    "Bits",
    "from_torch",
    "read_topology",
    "topology_text",
    "Arch",
    "Array",
    "Dataflow",
    "Drain",
    "Edge",
    "Psums",
    "Buffer",
    "Dram",
    "EnergyTable",
    "analyse",
    "simulate",
    "snapshots",
    "Snapshot",
    "State",
    "Run",
    "Tiling",
    "schedule",
    "best_tiling",
    "run_tiled",
    "network",
    "grid",
    "sweep",
]
