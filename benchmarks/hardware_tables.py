"""Published numbers of accelerators beside ours, from the functions that compute them."""

import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from efficientdl.report import table_text
from efficientdl.systems.hardware import Arch, Array, Conv, Dataflow, analyse
from efficientdl.systems.hardware.analyse import FORMULAS
from efficientdl.systems.hardware.energy import compare
from efficientdl.systems.hardware.gemmini import gemmini_run, read_mapping
from efficientdl.systems.hardware.low_bit.released import over_eyeriss_text
from efficientdl.systems.hardware.presets import EYERISS_RELATIVE, eyeriss
from efficientdl.systems.hardware.row_stationary import row_stationary
from efficientdl.systems.hardware.row_stationary.eyeriss import ALEXNET, VGG16, eyeriss_table
from efficientdl.systems.hardware.sparse.eie_layers import eie_table
from efficientdl.systems.hardware.sparse.scnn import Scnn
from efficientdl.systems.hardware.sparse.scnn_density import crossover, speedups

Json = dict[str, Any]
DENSITIES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1.0)
SCNN_LAYER = Conv(c_in=32, h=28, w=28, c_out=32, kernel=3, padding=1)


def rows() -> Iterator[Json]:
    """Each table with its name and a note."""
    for name, (note, text) in TABLES.items():
        yield {"name": name, "note": note, "text": text()}


def dataflows() -> str:
    """Cycles and normalised energy of AlexNet's convolutions, dataflow by dataflow."""
    array = Array(12, 14)
    found = {
        dataflow.value: [
            analyse(known.conv, Arch(dataflow.value, array, dataflow)) for known in ALEXNET.values()
        ]
        for dataflow in FORMULAS
    }
    found[Dataflow.ROW_STATIONARY.value] = [
        row_stationary(known.conv, eyeriss(), mapping=known.mapping) for known in ALEXNET.values()
    ]
    energies = compare(found, EYERISS_RELATIVE)
    lines = [["dataflow", "M cycles", "utilisation", "energy per MAC (of a MAC's)"]]
    for name, energy in energies.items():
        runs = found[name]
        cycles, macs = sum(r.cycles for r in runs), sum(r.macs for r in runs)
        share = macs / (cycles * runs[0].n_units)
        lines.append([name, f"{cycles / 1e6:.2f}", f"{share:.0%}", f"{energy.total_pj / macs:.2f}"])
    return table_text(lines)


def scnn() -> str:
    """How much faster than the dense machine SCNN is, by density, and where they are equal."""
    found = speedups(SCNN_LAYER, Scnn(4, 4), densities=DENSITIES, seed=0)
    lines = [["density of both", "times as fast as dense"]]
    lines += [[f"{density:.2f}", f"{times:.2f}"] for density, times in found.items()]
    lines.append(["equal at", f"{crossover(SCNN_LAYER, Scnn(4, 4), seed=0):.2f}"])
    return table_text(lines)


def gemmini() -> str:
    """How far Gemmini by formula is off from its circuit, in rows that were not fitted."""
    folder = os.environ.get("EFFICIENTDL_ORACLES")
    if not folder:
        return "Left out: EFFICIENTDL_ORACLES names no folder with published/gemmini_rtl.csv."
    with (Path(folder) / "published/gemmini_rtl.csv").open() as lines:
        pairs = [_gemmini_cycles(row) for row in csv.DictReader(lines)][1::2]
    ours, theirs = np.array(pairs).T
    off = abs(ours - theirs) / theirs
    together = np.corrcoef(np.log(ours), np.log(theirs))[0, 1]
    lines_ = [
        ["", "ours", "published model"],
        ["median error", f"{np.median(off):.1%}", "20.4%"],
        ["mean error", f"{off.mean():.1%}", "26.1%"],
        ["correlation of logs", f"{together:.4f}", "0.991"],
        ["rows", f"{len(off)}", "222"],
    ]
    return table_text(lines_)


def _gemmini_cycles(row: dict[str, str]) -> tuple[float, float]:
    names = ("C", "K", "P", "Q", "R", "S", "Hstride")
    c, k, p, q, r, s, stride = (int(row[f"prob.{name}"]) for name in names)
    conv = Conv(c, (p - 1) * stride + r, (q - 1) * stride + s, k, (r, s), stride)
    run = gemmini_run(conv, read_mapping(row["mapping.mapping"]))
    return run.cycles, float(row["target.gemmini_cycle"])


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "Dataflows": (
        "AlexNet's convolutions on 12 x 14 units, with Eyeriss's relative costs; Chen et al., "
        "ISCA 2016, found row stationary least. No buffer limits the others here.",
        dataflows,
    ),
    "Eyeriss, AlexNet": (
        "JSSC 2017, Table V; latency in ms for 4 images.",
        lambda: eyeriss_table(ALEXNET),
    ),
    "Eyeriss, VGG-16": (
        "JSSC 2017, Table VI; latency in ms for 3 images.",
        lambda: eyeriss_table(VGG16),
    ),
    "EIE": ("ISCA 2016, Table IV; matrices drawn at the densities.", lambda: eie_table(seed=0)),
    "SCNN against dense": (
        "One layer, 32 to 32 channels of 28 x 28, on 4 x 4 units. The paper's curves are not "
        "published as numbers.",
        scnn,
    ),
    "Gemmini": (
        "Cycles of mapped layers on the circuit, released with DOSA; parameters were fitted on the "
        "even rows, these are the odd ones. The published model is Timeloop's, on all 222.",
        gemmini,
    ),
    "Bits and speed": (
        "Bit Fusion over Eyeriss: the released counts, and this formula; the paper says 3.9.",
        over_eyeriss_text,
    ),
}
