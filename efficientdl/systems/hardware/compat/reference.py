"""The counts that SCALE-Sim 3.0.0 gives, its peculiarities included, to compare with its users.

They are not those of a machine that can be built. `analyse` and `simulate` are; this is what to
hold them against. Where the two differ:

- output stationary: r cycles a fold fewer, since sums appear at the edge while they are still being
  computed; and each fold counts r + c writes more than it has outputs;
- the cycles reported as total are one fewer, the number of the last cycle;
- each unfinished sum is written, and never read again;
- windows that hang over the edge of the input are computed.
"""

from typing import NamedTuple

from efficientdl import _check
from efficientdl.systems.hardware.arch import Dataflow
from efficientdl.systems.hardware.gemm import Gemm


class Reference(NamedTuple):
    """What the simulator prints for a layer.

    Attributes:
        cycles: Lines of its trace, one a cycle.
        total_cycles: What it calls so.
        x_reads: SRAM reads of the input.
        weight_reads: SRAM reads of the filters.
        y_writes: SRAM writes of outputs, finished or not.
        mapping_efficiency: Share of the units that a fold uses, on average, 0 to 1.
    """

    cycles: int
    total_cycles: int
    x_reads: int
    weight_reads: int
    y_writes: int
    mapping_efficiency: float


def reference(gemm: Gemm, dataflow: Dataflow, rows: int, cols: int) -> Reference:
    """What SCALE-Sim 3.0.0 counts for a product on an array.

    With S_r by S_c units wanted and T steps, in F folds of R x C: F (T + R + C - 2) cycles where
    the outputs stay, F (T + 2 R + C - 2) where weights or inputs do. Every fold is charged in full.

    Args:
        gemm: One product; its groups are not known there.
        dataflow: Output, weight or input stationary.
        rows: Of the array.
        cols: Of the array.

    Raises:
        BadValue: Another dataflow, or several groups.

    >>> reference(Gemm(m=256, k=256, n=128), Dataflow.OUTPUT_STATIONARY, 8, 8)[:5]
    (138240, 138239, 1048576, 1048576, 40960)

    Source: Samajdar, Zhu, Whatmough, Mattina, Krishna, "SCALE-Sim: Systolic CNN Accelerator
        Simulator", 2018, and the counts of its version 3.0.0; survey section 6.2; lab 14.
    """
    _check.kind("reference", "gemm", gemm, Gemm)
    _check.one_of("reference", "dataflow", dataflow, KNOWN)
    _check.whole("reference", "gemm.groups", gemm.groups, 1, 1)
    _check.whole("reference", "rows", rows, 1)
    _check.whole("reference", "cols", cols, 1)
    m, k, n = gemm.m, gemm.k, gemm.n
    wanted_rows, wanted_cols, steps = units_wanted(gemm, dataflow)
    row_folds, col_folds = -(-wanted_rows // rows), -(-wanted_cols // cols)
    n_folds = row_folds * col_folds
    cycles = n_folds * (steps + rows + cols - 2)
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        words = m * k * col_folds, k * n * row_folds, m * n + n_folds * (rows + cols)
    else:
        cycles += n_folds * rows  # to load what stays
        x_folds = col_folds if dataflow is Dataflow.WEIGHT_STATIONARY else 1
        weight_folds = col_folds if dataflow is Dataflow.INPUT_STATIONARY else 1
        words = m * k * x_folds, k * n * weight_folds, m * n * row_folds
    mapped = wanted_rows * wanted_cols / (n_folds * rows * cols)
    return Reference(cycles, cycles - 1, *words, mapped)


KNOWN = (Dataflow.OUTPUT_STATIONARY, Dataflow.WEIGHT_STATIONARY, Dataflow.INPUT_STATIONARY)


def units_wanted(gemm: Gemm, dataflow: Dataflow) -> tuple[int, int, int]:
    """Rows and columns that a product would fill, and the steps of each."""
    m, k, n = gemm.m, gemm.k, gemm.n
    return {
        Dataflow.OUTPUT_STATIONARY: (m, n, k),
        Dataflow.WEIGHT_STATIONARY: (k, n, m),
        Dataflow.INPUT_STATIONARY: (k, m, n),
    }[dataflow]
