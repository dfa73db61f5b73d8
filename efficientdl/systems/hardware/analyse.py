"""`analyse`: what a layer takes on a machine, in closed form and in microseconds."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce
from operator import add

from efficientdl import _check
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow
from efficientdl.systems.hardware.dataflow import (
    input_stationary,
    no_local_reuse,
    output_stationary,
    weight_stationary,
)
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.layer import Attention, Conv, Layer
from efficientdl.systems.hardware.row_stationary import as_conv, row_stationary
from efficientdl.systems.hardware.run import Run

FORMULAS: Mapping[Dataflow, Callable[[Gemm, Array], Run]] = {
    Dataflow.OUTPUT_STATIONARY: output_stationary,
    Dataflow.WEIGHT_STATIONARY: weight_stationary,
    Dataflow.INPUT_STATIONARY: input_stationary,
    Dataflow.NO_LOCAL_REUSE: no_local_reuse,
}


def analyse(layer: Layer, arch: Arch) -> Run:
    """Count a layer on a machine by formula: cycles, MACs, and words at every level.

    The counts are those that `simulate` finds by moving every word. DRAM moves each word of a
    convolution's image once, though its windows overlap.

    Args:
        layer: A product, a convolution, or attention, whose two products run in turn.
        arch: The machine. Row stationary takes a product as a convolution by a kernel of one.

    Raises:
        BadValue: A filter with more rows than a row-stationary array.

    >>> from efficientdl.systems.hardware.arch import Array
    >>> arch = Arch("small", Array(16, 16), Dataflow.WEIGHT_STATIONARY)
    >>> run = analyse(Conv(c_in=16, h=8, w=8, c_out=16, kernel=3, padding=1), arch)
    >>> print(run.explain())
    cycles = 990: 9 x 1 folds of r x c = 16 x 16; r + 64 + r + c - 2 a fold
    utilisation = 147,456 MACs / (990 cycles x 256 units) = 58.2%
    words at        x   weight     psum      y      all
    --------  -------  -------  -------  -----  -------
    register  147,456  147,456  147,456      0  442,368
    link      138,240   17,280  138,240      0  293,760
    buffer      9,216    2,304   16,384  1,024   28,928
    dram        1,024    2,304        0  1,024    4,352

    Source: Samajdar et al., "A Systematic Methodology for Characterizing Scalability of DNN
        Accelerators using SCALE-Sim", ISPASS 2020; survey section 6.2; lab 14.
    """
    _check.kind("analyse", "layer", layer, (Gemm, Conv, Attention))
    _check.kind("analyse", "arch", arch, Arch)
    if arch.dataflow is Dataflow.ROW_STATIONARY:
        convs = [layer] if isinstance(layer, Conv) else map(as_conv, layer.gemms())
        return reduce(add, [row_stationary(conv, arch) for conv in convs])
    run = reduce(add, [FORMULAS[arch.dataflow](gemm, arch.array) for gemm in layer.gemms()])
    if isinstance(layer, Conv):
        dram = {**run.accesses["dram"], **layer.words._asdict()}
        return replace(run, accesses={**run.accesses, "dram": dram})
    return run
