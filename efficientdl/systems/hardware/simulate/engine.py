"""`simulate`: a layer on an array, every word moved; the counts that `analyse` gives by formula."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.arch import Arch, Array, Dataflow
from efficientdl.systems.hardware.dataflow.counted import counted
from efficientdl.systems.hardware.gemm import Gemm, wide
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.row_stationary import as_conv, simulate_rows
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.simulate import adder_trees, output_array, weight_array
from efficientdl.systems.hardware.simulate.machines import (
    moments,
    output_machine,
    straight,
    weight_machine,
    widths,
)
from efficientdl.systems.hardware.simulate.plan import (
    CLASHES,
    CYCLES,
    MACS,
    PSUM,
    SUM_HOP,
    WEIGHT_HOP,
    WEIGHT_READ,
    X_HOP,
    X_READ,
    Y_WRITE,
    Trace,
    new_trace,
    plan,
)

Matrix = Num[np.ndarray, "a b"]


class Product(NamedTuple):
    """What an engine gives for one product.

    Attributes:
        y: The product.
        counts: What happened, at the places that `plan.py` names.
        trace: When each output was finished and written.
    """

    y: Matrix
    counts: Int64[np.ndarray, " counts"]
    trace: Trace


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    gemm = Gemm(size, 2 * size + 1, size + 2)
    arch = Arch("drawn", Array(3, 4), list(ENGINES)[rng.integers(len(ENGINES))])
    x, weight = rng.integers(-8, 8, (gemm.m, gemm.k)), rng.integers(-8, 8, (gemm.k, gemm.n))

    def call() -> tuple[object, Cost]:
        run = simulate(gemm, arch, x, weight)
        return run.y, run.cost()

    return call, x @ weight, -(-gemm.macs // arch.array.n_units)


@technique(
    "hw-systolic",
    paper="Kung, Leiserson, Systolic Arrays (for VLSI), 1979",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate(
    layer: Gemm | Conv, arch: Arch, x: Num[np.ndarray, "*x"], weight: Num[np.ndarray, "*weight"]
) -> Run:
    """Run a layer cycle by cycle: words move from unit to unit, and the output comes out.

    Nothing is taken from a formula but when the controller starts each fold. Cycles pass until the
    last sum has left, a word is counted when it moves, and two words in one place, or a sum that
    leaves before its last product, would be an error. So `simulate(...) == analyse(...)` is a
    proof of the formula on this layer, and the output one of the machine.

    Args:
        layer: What to compute.
        arch: The machine. Row stationary takes a product as a convolution by a kernel of one.
        x: The input, in the layer's `x_shape`: whole numbers, or finite floats.
        weight: The weights, in its `weight_shape`.

    Raises:
        BadValue: An operand of another shape, or with a NaN; a filter with more rows than a
            row-stationary array.

    >>> arch = Arch("tiny", Array(2, 2), Dataflow.OUTPUT_STATIONARY)
    >>> x = np.array([[1, 2, 3], [4, 5, 6]])
    >>> run = simulate(Gemm(2, 3, 2), arch, x, np.array([[1, 0], [0, 1], [1, 1]]))
    >>> run.y.tolist(), run.cycles
    ([[4, 5], [10, 11]], 7)

    Source: Kung, Leiserson, "Systolic Arrays (for VLSI)", 1979; Samajdar et al., "SCALE-Sim:
        Systolic CNN Accelerator Simulator", 2018; survey section 6.2; lab 14.
    """
    _check.kind("simulate", "layer", layer, (Gemm, Conv))
    _check.kind("simulate", "arch", arch, Arch)
    rows, columns = layer.lower(x, weight)
    if arch.dataflow is Dataflow.ROW_STATIONARY:
        return _by_rows(layer, arch, x, weight)
    parts = [
        simulate_product(a, b, arch.dataflow, arch.array)
        for a, b in zip(rows, columns, strict=True)
    ]
    counts = np.sum([part.counts for part in parts], axis=0)
    run = _run(layer, arch, [int(n) for n in counts], _seen(layer, weight))
    return replace(run, y=layer.assemble(np.stack([part.y for part in parts])))


def _by_rows(layer: Gemm | Conv, arch: Arch, x: np.ndarray, weight: np.ndarray) -> Run:
    """Row stationary; a product as a convolution, whose pixels are the rows of x."""
    if isinstance(layer, Conv):
        return simulate_rows(layer, arch, x, weight)
    conv, (m, k, n, g) = as_conv(layer), (layer.m, layer.k, layer.n, layer.groups)
    pixels = x.reshape(g, m, k).swapaxes(1, 2).reshape(conv.x_shape)
    filters = weight.reshape(g, k, n).swapaxes(1, 2).reshape(conv.weight_shape)
    run = simulate_rows(conv, arch, pixels, filters)
    assert run.y is not None
    return replace(run, y=layer.assemble(run.y.reshape(g, n, m).swapaxes(1, 2)))


def simulate_product(
    x: Matrix, weight: Matrix, dataflow: Dataflow, array: Array, *, hurry: int = 0
) -> Product:
    """Run one product, and give its trace.

    Args:
        x: The left matrix.
        weight: The right one.
        dataflow: What stays.
        array: The units.
        hurry: Cycles by which the controller starts each fold too early, to see words collide.

    >>> product = simulate_product(np.ones((2, 3)), np.ones((3, 2)), *EXAMPLE)
    >>> (product.trace.written - product.trace.last_mac).tolist()
    [[3, 3], [1, 1]]
    """
    product = ENGINES[dataflow](x, weight, array, hurry)
    assert hurry or not product.counts[CLASHES], "two words in one place"
    return product._replace(y=wide(product.y))


def _weight_array(x: Matrix, weight: Matrix, array: Array, hurry: int) -> Product:
    machine = weight_machine(x, weight, array, hurry=hurry)
    counts, shape = weight_array.weight_array(*machine), (len(x), weight.shape[1])
    trace = Trace(*(moments(times, shape, array.cols) for times in machine.trace))
    return Product(straight(machine.work.y, shape, array.cols), counts, trace)


def _input_array(x: Matrix, weight: Matrix, array: Array, hurry: int) -> Product:
    y, counts, trace = _weight_array(weight.T, x.T, array, hurry)
    counts = counts.copy()
    counts[[X_READ, WEIGHT_READ, X_HOP, WEIGHT_HOP]] = counts[
        [WEIGHT_READ, X_READ, WEIGHT_HOP, X_HOP]
    ]
    return Product(y.T, counts, Trace(trace.last_mac.T, trace.written.T))


def _output_array(x: Matrix, weight: Matrix, array: Array, hurry: int) -> Product:
    machine = output_machine(x, weight, array, hurry=hurry)
    counts = output_array.output_array(*machine)
    return Product(machine.work.y, counts, machine.trace)


def _adder_trees(x: Matrix, weight: Matrix, array: Array, hurry: int) -> Product:
    (m, k), n = x.shape, weight.shape[1]
    _, total = widths(x, weight)
    x, weight = x.astype(total), weight.astype(total)
    y, trace = np.zeros((m, n), total), new_trace(m, n)
    order = plan(k, n, m, array, hurry=hurry)
    trees = adder_trees.trees(array.rows, array.cols, total)
    work = adder_trees.Work(np.ascontiguousarray(x), np.ascontiguousarray(weight), y)
    return Product(y, adder_trees.adder_trees(work, order, trees, trace), trace)


def _seen(layer: Gemm | Conv, weight: Matrix) -> int:
    """Words of the input that the product looks at, by marking each; a product looks at all."""
    if isinstance(layer, Gemm):
        return layer.words.x
    number = np.arange(1, prod(layer.x_shape) + 1).reshape(layer.x_shape)
    seen = np.zeros(number.size + 1, bool)
    seen[layer.lower(number, weight)[0]] = True
    return int(seen[1:].sum())


def _run(layer: Gemm | Conv, arch: Arch, counts: Sequence[int], seen: int) -> Run:
    """Counts as a run, under the names of the levels and the operands."""
    stays = arch.dataflow is Dataflow.OUTPUT_STATIONARY
    macs = counts[MACS]
    register = {"x": macs, "weight": macs, "psum": 2 * macs if stays else macs}
    link = {"x": counts[X_HOP], "weight": counts[WEIGHT_HOP]}
    link |= {"y" if stays else "psum": counts[SUM_HOP]}
    buffer = {"x": counts[X_READ], "weight": counts[WEIGHT_READ], "y": counts[Y_WRITE]}
    buffer |= {} if stays else {"psum": counts[PSUM]}
    accesses = {"register": register, "link": link, "buffer": buffer}
    if arch.dataflow is Dataflow.NO_LOCAL_REUSE:
        del accesses["register"], link["weight"]
    words = layer.words._replace(x=seen, y=counts[Y_WRITE])
    rule = "counted, cycle by cycle"
    run = counted(layer, arch.array, counts[CYCLES], accesses, words=words, rule=rule)
    return replace(run, macs=macs)


ENGINES: Mapping[Dataflow, Callable[[Matrix, Matrix, Array, int], Product]] = {
    Dataflow.OUTPUT_STATIONARY: _output_array,
    Dataflow.WEIGHT_STATIONARY: _weight_array,
    Dataflow.INPUT_STATIONARY: _input_array,
    Dataflow.NO_LOCAL_REUSE: _adder_trees,
}
EXAMPLE = (Dataflow.OUTPUT_STATIONARY, Array(2, 2))
