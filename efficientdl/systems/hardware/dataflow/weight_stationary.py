"""Weight stationary: each unit keeps one weight, inputs pass it and sums grow down the columns."""

from efficientdl import _check
from efficientdl.catalogue import Measure, technique
from efficientdl.systems.hardware.arch import Array, Drain
from efficientdl.systems.hardware.dataflow.counted import counted, describe, per_mac, waiting
from efficientdl.systems.hardware.dataflow.folds import Cut, Fold, Timing, charged, elapsed
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.run import Run


@technique(
    "hw-ws",
    paper="Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, 2017",
    survey="6.2",
    lab="14_accelerators",
    kind=Measure(),
)
def weight_stationary(gemm: Gemm, array: Array) -> Run:
    """Count a product on an array whose units keep the weights.

    Rows of the array stand for what is summed over, columns for columns of w, and the m rows of x
    follow each other in time. A fold of r rows and c columns loads its weights in r cycles, from
    above; row m of x reaches the last unit of column j in cycle m + r - 1 + j, so that the last sum
    leaves after m + r + c - 2 more. A second register for the weight hides the loading of the next
    fold; `Drain.OVERLAP` starts it m cycles after this one, and m + r where the one register must
    be loaded between. Where k is longer than the array, a sum leaves unfinished, waits, and is
    added to.

    Args:
        gemm: The product.
        array: Its units and policies.

    >>> weight_stationary(Gemm(8, 4, 4), Array(4, 4)).cycles  # 4 to load, 8 + 4 + 4 - 2
    18

    Source: Jouppi et al., "In-Datacenter Performance Analysis of a Tensor Processing Unit", ISCA
        2017, section 2; survey section 6.2; lab 14.
    """
    _check.kind("weight_stationary", "gemm", gemm, Gemm)
    _check.kind("weight_stationary", "array", array, Array)
    g, m, k, n = gemm.groups, gemm.m, gemm.k, gemm.n
    rows, cols = Cut(k, array.rows), Cut(n, array.cols)
    lead = charged(rows.first, array.rows, array.edge)
    cycles = g * elapsed(rows, cols, array, _timing(m, array, lead))
    accesses = {
        "register": per_mac(gemm, psum=1),  # the sum from above comes over the link
        "link": {
            "x": g * m * k * (n - cols.n),  # one hop to each column after the first
            "weight": g * n * rows.sum(lambda r: r * (r - 1) // 2),  # that of row i hops i times
            "psum": g * m * n * rows.sum(lambda r: charged(r, array.rows, array.edge) - 1),
        },
        "buffer": {
            "x": g * m * k * cols.n,
            "weight": g * k * n,
            "y": g * m * n,
            "psum": waiting(gemm, rows.n),
        },
    }
    rule = f"{describe(gemm, rows, cols)}; {_formula(m, array)}"
    return counted(gemm, array, cycles, accesses, rule=rule)


def _timing(steps: int, array: Array, lead: int) -> Timing:
    def span(fold: Fold) -> int:
        return steps + fold.rows + fold.cols - 2

    def gap(fold: Fold, following: Fold) -> int:
        free = steps if array.drain is Drain.OVERLAP else span(fold)
        # A column lets one sum out at a time, also when the next fold is less deep.
        port = steps + fold.rows - following.rows if array.drain is Drain.OVERLAP else 0
        load = following.rows if array.weight_registers == 2 else free + following.rows
        return max(free, port, load)

    return Timing(lead=lead, gap=gap, span=span)


def _formula(steps: int, array: Array) -> str:
    shadow = array.weight_registers == 2
    if array.drain is Drain.OVERLAP:
        each = f"max({steps}, r)" if shadow else f"{steps} + r"
        return f"{each} a fold, 2 r + c - 2 once"
    return f"{'r once, ' if shadow else 'r + '}{steps} + r + c - 2 a fold"
