"""Cambricon-X: units that keep only weights that are not zero, and pick the activations for them.

A unit computes one output at a time. It holds the output's weights without their zeros, each with
the distance from the one before. The indexing module adds these up to places, picks the activations
that stand there out of a window of candidates, and hands them to the unit's multipliers, so many in
a cycle. Outputs with many weights take longer, and units do not wait for one another in between.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num, UInt16

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Gemm, check_finite, wide
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.sparse.jumps import jumps


@dataclass(frozen=True)
class CambriconX:
    """The machine, as far as it is known.

    Attributes:
        n_pes: Processing elements, each at an output of its own.
        n_multipliers: Multipliers of one; their products go into one sum.
        window: Activations among which the indexing module picks in a cycle, a multiple of
            `n_multipliers`. It bounds the gain: no output is done in less than k / window cycles.
    """

    n_pes: int = 16  # MICRO 2016, abstract: 16 PEs
    n_multipliers: int = 16  # assumed
    window: int = 256  # assumed

    def __post_init__(self) -> None:
        for name in ("n_pes", "n_multipliers", "window"):
            _check.whole("CambriconX", name, getattr(self, name), 1)
        _check.divides("CambriconX", "n_multipliers", self.n_multipliers, "window", self.window)
        _check.whole("CambriconX", "window", self.window, 1, 1 << 16)

    @property
    def n_units(self) -> int:
        """Multipliers of all."""
        return self.n_pes * self.n_multipliers

    @property
    def step_bits(self) -> int:
        """Width of a distance within a window."""
        return max(1, (self.window - 1).bit_length())


class Steps(NamedTuple):
    """Weights without zeros, output by output and window by window, with the jumps between them.

    Attributes:
        values: The weights that are kept.
        skips: How many zeros are jumped over before each, from the last one or the window's edge.
        starts: Where each window of each output begins, and where the output ends.
    """

    values: Num[np.ndarray, " kept"]
    skips: UInt16[np.ndarray, " kept"]
    starts: Int64[np.ndarray, "n windows1"]

    @property
    def counts(self) -> Int64[np.ndarray, "n windows"]:
        """Weights kept, in each window of each output."""
        return np.diff(self.starts, axis=1)


def step_indexed(weight: Num[np.ndarray, "k n"], *, window: int) -> Steps:
    """Drop the zeros of each output's weights and keep the distances.

    A jump never leaves its window, so that it needs no more bits than a place in one.

    Args:
        weight: Inputs by outputs.
        window: Inputs that are looked at together, 1 or more.

    >>> steps = step_indexed(np.array([[0], [5], [0], [0], [7], [0], [0], [8]]), window=4)
    >>> steps.values.tolist(), steps.skips.tolist(), steps.starts.tolist()
    ([5, 7, 8], [1, 0, 2], [[0, 1, 3]])

    Source: Zhang et al., "Cambricon-X", MICRO 2016, step indexing; survey section 6.2; lab 14.
    """
    _check.whole("step_indexed", "window", window, 1, 1 << 16)
    check_finite("step_indexed", "weight", weight)
    k, n = weight.shape
    n_windows = ceil(k / window)
    filled = np.pad(weight.T, ((0, 0), (0, n_windows * window - k)))
    windows = filled.reshape(n, n_windows, window)
    output, at, place = windows.nonzero()
    ours = output * n_windows + at
    ends = np.cumsum(np.bincount(ours, minlength=n * n_windows)).reshape(n, n_windows)
    before = np.concatenate([[0], ends[:-1, -1]])[:, None]
    kept = wide(windows[output, at, place])
    return Steps(kept, jumps(ours, place).astype(np.uint16), np.concatenate([before, ends], axis=1))


def step_cycles(counts: Int64[np.ndarray, "n windows"], machine: CambriconX) -> int:
    """Cycles of one row of x, by formula: those of the unit with the most to do.

    A window of `c` weights takes `max(1, ceil(c / n_multipliers))`: an empty one must still pass.
    Output `i` belongs to unit `i % n_pes`.

    >>> step_cycles(np.array([[20, 0], [16, 1], [3, 3]]), CambriconX(n_pes=2, window=32))
    5

    Source: Zhang et al., "Cambricon-X", MICRO 2016; survey section 6.2; lab 14.
    """
    _check.kind("step_cycles", "machine", machine, CambriconX)
    each = np.maximum(1, -(-counts // machine.n_multipliers)).sum(axis=1)
    dealt = np.pad(each, (0, -len(each) % machine.n_pes)).reshape(-1, machine.n_pes)
    return int(dealt.sum(axis=0).max())


def dense_cycles(layer: Gemm | Conv, machine: CambriconX) -> int:
    """Cycles of the same machine when it multiplies by every weight, zeros too.

    >>> dense_cycles(Gemm(1, 64, 32), CambriconX())  # two rounds of outputs, 64 / 16 cycles each
    8
    """
    (gemm,) = layer.gemms()
    rounds = ceil(gemm.n / machine.n_pes)
    return gemm.groups * gemm.m * rounds * ceil(gemm.k / machine.n_multipliers)


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    gemm, machine = Gemm(3, 4 * size, size + 2), CambriconX(n_pes=2, n_multipliers=2, window=6)
    x = rng.integers(-9, 10, gemm.x_shape)
    weight = rng.integers(-9, 10, gemm.weight_shape) * (rng.random(gemm.weight_shape) < 0.4)

    def call() -> tuple[object, Cost]:
        run = simulate_cambricon_x(gemm, machine, x, weight)
        return run.y, run.cost()

    return call, x @ weight, ceil(3 * np.count_nonzero(weight) / machine.n_units)


@technique(
    "hw-cambricon-x",
    paper="Zhang, Du, Zhang, Lan, Liu, Li, Guo, Chen, Chen, Cambricon-X: An Accelerator for Sparse "
    "Neural Networks, 2016",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_cambricon_x(
    layer: Gemm | Conv,
    machine: CambriconX,
    x: Num[np.ndarray, "*x"],
    weight: Num[np.ndarray, "*weight"],
) -> Run:
    """Run a layer on Cambricon-X, cycle by cycle: weights that are zero are skipped.

    Each unit goes at its own pace through its outputs, row after row of x; the slowest ends the
    run. Candidates are read once for all units in a round of outputs (assumed). The paper's mean
    gain of 7.23 is not reproduced here: its networks and the machine it compares with are not at
    hand.

    Args:
        layer: A product or a convolution; groups run in turn.
        machine: Units, multipliers and window.
        x: Activations, in the layer's `x_shape`.
        weight: Weights, in its `weight_shape`; zeros are skipped.

    >>> weight = np.zeros((8, 1), int)
    >>> weight[[1, 6], 0] = 3, 4
    >>> machine = CambriconX(n_pes=1, n_multipliers=2, window=8)
    >>> run = simulate_cambricon_x(Gemm(1, 8, 1), machine, np.arange(8)[None], weight)
    >>> run.y.tolist(), run.cycles, dense_cycles(Gemm(1, 8, 1), machine)
    ([[27]], 1, 4)

    Source: Zhang et al., "Cambricon-X", MICRO 2016; survey section 6.2; lab 14.
    """
    _check.kind("simulate_cambricon_x", "layer", layer, (Gemm, Conv))
    _check.kind("simulate_cambricon_x", "machine", machine, CambriconX)
    cycles, macs, y = 0, 0, []
    for rows, columns in zip(*layer.lower(x, weight), strict=True):
        steps = step_indexed(columns, window=machine.window)
        dtype = np.result_type(wide(rows), steps.values)
        y.append(np.zeros((len(rows), columns.shape[1]), dtype))
        memory = Steps(steps.values.astype(dtype), steps.skips, steps.starts)
        activations = np.ascontiguousarray(rows, dtype)
        cycles += max(
            _run_unit(memory, activations, y[-1], unit, *astuple(machine))
            for unit in range(machine.n_pes)
        )
        macs += len(rows) * len(steps.values)
    (gemm,), out = layer.gemms(), layer.assemble(np.stack(y))
    candidates = gemm.groups * gemm.m * gemm.k * ceil(gemm.n / machine.n_pes)
    return Run(
        cycles=cycles,
        macs=macs,
        n_units=machine.n_units,
        accesses={
            "link": {"x": macs},  # picked and sent to a multiplier
            "buffer": {"x": candidates, "weight": macs, "step": macs, "y": out.size},
        },
        bits={"x": 16, "weight": 16, "y": 16, "step": machine.step_bits},
        y=out,
        formula=(
            f"cycles = {cycles:,}: the unit with the most weights of {machine.n_pes};"
            f" {dense_cycles(layer, machine):,} with the zeros",
        ),
    )


@compiled
def _run_unit(
    memory: Steps,
    x: np.ndarray,
    y: np.ndarray,
    unit: int,
    n_pes: int,
    n_multipliers: int,
    window: int,
) -> int:
    """All outputs of one unit, row after row; gives its cycles."""
    cycles = 0
    for m in range(len(x)):
        for output in range(unit, y.shape[1], n_pes):
            for w in range(memory.starts.shape[1] - 1):
                p, end = memory.starts[output, w], memory.starts[output, w + 1]
                place = w * window - 1
                while True:  # a cycle: as many weights as there are multipliers
                    for q in range(p, min(p + n_multipliers, end)):
                        place += 1 + int(memory.skips[q])
                        y[m, output] += memory.values[q] * x[m, place]
                    cycles += 1
                    p += n_multipliers
                    if p >= end:
                        break
    return cycles
