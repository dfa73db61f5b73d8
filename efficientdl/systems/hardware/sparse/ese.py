"""ESE: a sparse LSTM on units that all have the same number of weights.

The machine is EIE's: queues, and compressed columns dealt out row by row. What is new is the
pruning. Activations of an LSTM are hardly ever zero, so every column is worked on, and no queue
makes up for a unit that has more weights in all. If each unit keeps the same number, none waits at
the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from math import ceil
from operator import add

import numpy as np
from jaxtyping import Float, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import check_finite
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.sparse.eie import run_columns
from efficientdl.systems.hardware.sparse.interleaved import InterleavedColumns

Sequence = Float[np.ndarray, "t features"]


@dataclass(frozen=True)
class Ese:
    """The machine: one of the channels, each of which works on a sequence of its own.

    Attributes:
        n_units: Processing elements of the channel.
        depth: Activations that a unit's queue holds.
        index_bits: Width of a jump within a column.
        weight_bits: Width of a weight.
        fraction_bits: Bits behind the point to which the output h is rounded; None keeps it.
        clock_mhz: Cycles in a microsecond.
    """

    n_units: int = 32  # assumed
    depth: int = 16  # assumed
    index_bits: int = 4  # as in EIE
    weight_bits: int = 12  # assumed
    fraction_bits: int | None = 12  # assumed: of 16 bits of an activation
    clock_mhz: float = 200  # FPGA 2017, abstract

    def __post_init__(self) -> None:
        _check.whole("Ese", "n_units", self.n_units, 1)
        _check.whole("Ese", "depth", self.depth, 1)
        _check.whole("Ese", "index_bits", self.index_bits, 1, 16)
        _check.whole("Ese", "weight_bits", self.weight_bits, 1, 16)
        if self.fraction_bits is not None:
            _check.whole("Ese", "fraction_bits", self.fraction_bits, 0, 52)
        if not 0 < _check.number("Ese", "clock_mhz", self.clock_mhz) < float("inf"):
            _check.fail("Ese", "clock_mhz", "must be positive and finite", self.clock_mhz)


@dataclass(frozen=True, eq=False)
class Lstm:
    """Weights of an LSTM layer, in torch's order of gates: input, forget, cell, output.

    Attributes:
        weight_x: Of the input: four rows of each cell by features.
        weight_h: Of the last output.
        bias: One of each row.
    """

    weight_x: Float[np.ndarray, "h4 features"]
    weight_h: Float[np.ndarray, "h4 h"]
    bias: Float[np.ndarray, " h4"]

    def __post_init__(self) -> None:
        for name, array in vars(self).items():
            _check.kind("Lstm", name, array, np.ndarray)
            check_finite("Lstm", name, array)
        rows = 4 * self.weight_h.shape[-1]
        shapes = {name: array.shape[:1] for name, array in vars(self).items()}
        dims = self.weight_x.ndim, self.weight_h.ndim, self.bias.ndim
        if set(shapes.values()) != {(rows,)} or dims != (2, 2, 1) or not rows:
            rule = f"must have 4 rows for each of {rows // 4} cells"
            _check.fail("Lstm", "weight_x, weight_h and bias", rule, shapes)

    @property
    def n_cells(self) -> int:
        """Cells, and words of the output."""
        return self.weight_h.shape[1]

    @property
    def weight(self) -> Float[np.ndarray, "k h4"]:
        """Both matrices as one: inputs, then last outputs, by rows."""
        return np.concatenate([self.weight_x, self.weight_h], axis=1).T

    def cell(
        self, gates: Float[np.ndarray, " h4"], memory: Float[np.ndarray, " h"]
    ) -> tuple[Float[np.ndarray, " h"], Float[np.ndarray, " h"]]:
        """Output and new memory of the cells, from the sums of their gates."""
        i, f, g, o = np.split(gates + self.bias, 4)
        memory = _sigmoid(f) * memory + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(memory), memory


def lstm_reference(lstm: Lstm, x: Sequence, *, fraction_bits: int | None = None) -> Sequence:
    """What NumPy computes with dense matrices.

    >>> lstm = Lstm(np.zeros((4, 2)), np.zeros((4, 1)), np.array([0.0, 0.0, 9.0, 0.0]))
    >>> lstm_reference(lstm, np.zeros((2, 2))).round(3).tolist()  # half of tanh(1/2), tanh(3/4)
    [[0.231], [0.318]]
    """
    h, memory, y = np.zeros(lstm.n_cells), np.zeros(lstm.n_cells), []
    for step in x:
        gates = lstm.weight_x @ step + lstm.weight_h @ h
        h, memory = lstm.cell(gates, memory)
        h = _rounded(h, fraction_bits)
        y.append(h)
    return np.array(y)


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    def drawn(*shape: int) -> Float[np.ndarray, "..."]:  # multiples of 2^-8: every sum is exact
        return rng.integers(-200, 200, shape) * (rng.random(shape) < 0.5) / 256

    lstm = Lstm(drawn(4 * size, size + 1), drawn(4 * size, size), drawn(4 * size))
    machine, x = Ese(n_units=3, depth=2), drawn(3, size + 1)

    def call() -> tuple[object, Cost]:
        run = simulate_ese(lstm, machine, x)
        return run.y, run.cost()

    least = (x != 0).astype(int) @ (lstm.weight_x != 0).T.astype(int)
    return call, lstm_reference(lstm, x, fraction_bits=12), ceil(int(least.sum()) / 3)


@technique(
    "hw-ese",
    paper="Han, Kang, Mao, Hu, Li, Li, Xie, Luo, Yao, Wang, Yang, Dally, ESE: Efficient Speech "
    "Recognition Engine with Sparse LSTM on FPGA, 2017",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_ese(lstm: Lstm, machine: Ese, x: Sequence) -> Run:
    """Run a pruned LSTM over a sequence on ESE, cycle by cycle.

    Each step is one product of both matrices with `[x_t, h_(t-1)]`, on queues as in EIE. The gates'
    functions are exact, not tables, and are hidden behind the product, as is the fetching of
    weights (assumed). The run's utilisation is the load balance: near one if each unit has as many
    weights as any other, which `tensors.balanced.keep_balanced` sees to; rows go round the units.

    Args:
        lstm: Weights, pruned, and rounded to at most 2^weight_bits distinct values.
        machine: Units, queues and widths.
        x: Inputs, step by step.

    Raises:
        BadValue: More distinct weights than the machine has codes.

    >>> lstm = Lstm(np.eye(4, 2), np.zeros((4, 1)), np.zeros(4))
    >>> run = simulate_ese(lstm, Ese(n_units=2), np.array([[1.0, 2.0], [0.0, 3.0]]))
    >>> run.y.shape, run.macs, run.cycles  # in step two one activation is zero
    ((2, 1), 3, 5)

    Source: Han, Kang, Mao et al., "ESE", FPGA 2017, section 3.2 (pruning); survey section 6.2;
        lab 14.
    """
    _check.kind("simulate_ese", "lstm", lstm, Lstm)
    _check.kind("simulate_ese", "machine", machine, Ese)
    _check_sequence(lstm, x)
    weight = lstm.weight
    columns = InterleavedColumns.from_dense(
        weight,
        n_units=machine.n_units,
        index_bits=machine.index_bits,
        weight_bits=machine.weight_bits,
    )
    h, memory, y, runs = np.zeros(lstm.n_cells), np.zeros(lstm.n_cells), [], []
    for step in x:
        runs.append(run_columns(columns, np.concatenate([step, h]), depth=machine.depth))
        h, memory = lstm.cell(runs[-1].y, memory)
        h = _rounded(h, machine.fraction_bits)
        y.append(h)
    total, dense = reduce(add, runs), len(x) * ceil(weight.size / machine.n_units)
    formula = f"cycles = {total.cycles:,} in {len(x)} steps; {dense:,} with the zeros"
    return replace(total, y=np.array(y), formula=(formula,))


def _check_sequence(lstm: Lstm, x: Num[np.ndarray, "..."]) -> None:
    _check.kind("simulate_ese", "x", x, np.ndarray)
    features = lstm.weight_x.shape[1]
    if x.ndim != 2 or x.shape[1] != features or not len(x):
        _check.fail("simulate_ese", "x", f"must be steps of {features} features", x.shape)
    check_finite("simulate_ese", "x", x)


def _rounded(h: Float[np.ndarray, " h"], fraction_bits: int | None) -> Float[np.ndarray, " h"]:
    return h if fraction_bits is None else np.round(h * 2.0**fraction_bits) / 2.0**fraction_bits


def _sigmoid(x: Float[np.ndarray, " h"]) -> Float[np.ndarray, " h"]:
    return (1 + np.tanh(x / 2)) / 2  # which no large x overflows
