"""Output stationary: each unit keeps one sum, inputs come from the left and weights from above."""

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.systems.hardware.arch import Array, Drain
from efficientdl.systems.hardware.dataflow.counted import counted, describe, per_mac
from efficientdl.systems.hardware.dataflow.folds import Cut, Fold, Timing, charged, elapsed
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.run import Run


@technique(
    "hw-os",
    paper="Du, Fasthuber, Chen, Ienne, Li, Luo, Feng, Chen, Temam, ShiDianNao: Shifting Vision "
    "Processing Closer to the Sensor, 2015",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def output_stationary(gemm: Gemm, array: Array) -> Run:
    """Count a product on an array whose units keep the sums.

    Rows of the array stand for rows of x, columns for columns of w, and the k products of a sum
    follow each other in time. Word k of row i reaches column j in cycle k + i + j, so a fold of r
    rows and c columns has its last MAC after k + r + c - 2 cycles, and its sums then leave: down
    the columns in r cycles, or over a bus of b words in ceil(r c / b). With `Drain.OVERLAP` each
    sum steps aside into a second register, and a fold starts max(k, r) cycles after the one
    before. No unfinished sum ever leaves a unit.

    Args:
        gemm: The product.
        array: Its units and policies.

    >>> output_stationary(Gemm(4, 8, 4), Array(4, 4)).cycles  # 8 + 4 + 4 - 2, and 4 to leave
    18

    Source: Du et al., "ShiDianNao", ISCA 2015; Chen, Emer, Sze, "Eyeriss", ISCA 2016, section IV
        (the taxonomy of dataflows); survey section 6.2; lab 14.
    """
    _check.kind("output_stationary", "gemm", gemm, Gemm)
    _check.kind("output_stationary", "array", array, Array)
    g, m, k, n = gemm.groups, gemm.m, gemm.k, gemm.n
    rows, cols = Cut(m, array.rows), Cut(n, array.cols)
    cycles = g * elapsed(rows, cols, array, _timing(k, array))
    accesses = {
        "register": per_mac(gemm, psum=2),  # a sum is read, added to and written back
        "link": {
            "x": g * m * k * (n - cols.n),  # one hop to each column after the first
            "weight": g * k * n * (m - rows.n),
            "y": g * n * rows.sum(lambda r: _hops(r, array)),
        },
        "buffer": {"x": g * m * k * cols.n, "weight": g * k * n * rows.n, "y": g * m * n},
    }
    rule = f"{describe(gemm, rows, cols)}; {_formula(k, array)}"
    return counted(gemm, array, cycles, accesses, rule=rule)


def _drain(fold: Fold, array: Array) -> int:
    if array.drain is Drain.BUS:
        return -(-fold.rows * fold.cols // array.bus_words)
    return fold.rows


def _timing(steps: int, array: Array) -> Timing:
    def span(fold: Fold) -> int:
        return steps + fold.rows + fold.cols - 2 + _drain(fold, array)

    def gap(fold: Fold, following: Fold) -> int:
        if array.drain is not Drain.OVERLAP:
            return span(fold)
        # The second registers must be empty, and a column lets one sum out at a time.
        return max(steps, fold.rows, 2 * fold.rows - following.rows)

    return Timing(lead=0, gap=gap, span=span)


def _hops(rows: int, array: Array) -> int:
    """Steps of the sums of a column until each is in the last row that drains."""
    if array.drain is Drain.BUS:
        return 0
    last = charged(rows, array.rows, array.edge) - 1
    return rows * last - rows * (rows - 1) // 2


def _formula(k: int, array: Array) -> str:
    if array.drain is Drain.OVERLAP:
        return f"max({k}, r) a fold, 2 r + c - 2 once"
    left = f"ceil(r c / {array.bus_words})" if array.drain is Drain.BUS else "r"
    return f"{k} + r + c - 2 + {left} a fold"
