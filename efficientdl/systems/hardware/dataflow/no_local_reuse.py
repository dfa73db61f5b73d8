"""No local reuse: multipliers and adder trees without registers for operands."""

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.systems.hardware.arch import Array, Drain
from efficientdl.systems.hardware.dataflow.counted import counted, describe, waiting
from efficientdl.systems.hardware.dataflow.folds import Cut, Fold, Timing, elapsed
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.run import Run


@technique(
    "hw-nlr",
    paper="Chen, Du, Sun, Wang, Wu, Chen, Temam, DianNao: A Small-Footprint High-Throughput "
    "Accelerator for Ubiquitous Machine-Learning, 2014",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def no_local_reuse(gemm: Gemm, array: Array) -> Run:
    """Count a product on multipliers that keep nothing.

    Each column is a tree of adders over its multipliers. Every cycle r words of a row of x go to
    all columns, r c weights come from the buffer, and after ceil(log2 r) levels of adders c sums
    leave. The units save the area of their registers; the buffer pays, since it gives a weight for
    every MAC. With `Drain.OVERLAP` the next fold follows without a pause, otherwise when the
    trees are empty.

    Args:
        gemm: The product.
        array: Its units and policies.

    >>> run = no_local_reuse(Gemm(8, 4, 4), Array(4, 4))
    >>> run.cycles, run.accesses["buffer"]["weight"]  # 8, and two levels of adders
    (10, 128)

    Source: Chen et al., "DianNao", ASPLOS 2014; named so by Chen, Emer, Sze, "Eyeriss", ISCA 2016,
        section IV; survey section 6.2; lab 14.
    """
    _check.kind("no_local_reuse", "gemm", gemm, Gemm)
    _check.kind("no_local_reuse", "array", array, Array)
    g, m, k, n = gemm.groups, gemm.m, gemm.k, gemm.n
    rows, cols = Cut(k, array.rows), Cut(n, array.cols)
    cycles = g * elapsed(rows, cols, array, _timing(m, array))
    accesses = {
        "link": {
            "x": g * m * k * (n - cols.n),  # to each column after the first
            "psum": g * m * n * (k - rows.n),  # into an adder: all products of a sum but one
        },
        "buffer": {
            "x": g * m * k * cols.n,
            "weight": gemm.macs,
            "y": g * m * n,
            "psum": waiting(gemm, rows.n),
        },
    }
    often = "once" if array.drain is Drain.OVERLAP else "each"
    rule = f"{describe(gemm, rows, cols)}; {m} a fold, ceil(log2 r) {often}"
    return counted(gemm, array, cycles, accesses, rule=rule)


def levels(rows: int) -> int:
    """Levels of a tree that adds so many products.

    >>> levels(1), levels(4), levels(5)
    (0, 2, 3)
    """
    return (rows - 1).bit_length()


def _timing(steps: int, array: Array) -> Timing:
    def span(fold: Fold) -> int:
        return steps + levels(fold.rows)

    def gap(fold: Fold, following: Fold) -> int:
        if array.drain is not Drain.OVERLAP:
            return span(fold)
        # A column lets one sum out at a time, also when the next tree is less deep.
        return steps + max(0, levels(fold.rows) - levels(following.rows))

    return Timing(lead=0, gap=gap, span=span)
