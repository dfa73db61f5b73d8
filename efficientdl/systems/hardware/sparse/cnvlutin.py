"""Cnvlutin: a convolution machine that skips activations that are zero, lane by lane.

The dense machine takes so many activations in a cycle and multiplies each by its weight in all
filters. Here each of them comes from a lane of its own, which walks through its share of the
window's bricks and meets only what is not zero. A lane that is done waits: the next window starts
when the fullest lane has ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, log2
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Gemm, check_finite, wide
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.run import Run

CYCLES, MACS, PAIRS, SUMS, N_COUNTS = range(5)  # places in the array of counts


@dataclass(frozen=True)
class Cnvlutin:
    """The machine, as far as it is known.

    Attributes:
        n_lanes: Activations that are multiplied in a cycle, each from a lane of its own.
        brick: Activations of neighbouring channels that are stored together.
        n_filters: Filters that work in step; more come in further passes.
    """

    n_lanes: int = 16  # recalled, so assumed, like the two below
    brick: int = 16
    n_filters: int = 256  # 16 units of 16 filters

    def __post_init__(self) -> None:
        for name in ("n_lanes", "brick", "n_filters"):
            _check.whole("Cnvlutin", name, getattr(self, name), 1)

    @property
    def n_units(self) -> int:
        """Multipliers."""
        return self.n_lanes * self.n_filters


class ZeroFree(NamedTuple):
    """Bricks whose words that are not zero come first, each with its place: the ZFNAf format.

    A brick keeps room for all its words, so that any brick can still be found by its number. The
    format therefore saves no memory, it takes more: the offsets.

    Attributes:
        values: The words, those that are not zero first.
        offsets: Where in the brick each of them belongs.
        counts: How many are not zero.
    """

    values: Num[np.ndarray, "... bricks brick"]
    offsets: Int64[np.ndarray, "... bricks brick"]
    counts: Int64[np.ndarray, "... bricks"]


def zero_free(x: Num[np.ndarray, "... c"], *, brick: int) -> ZeroFree:
    """Store channels in bricks, zeros last; the last brick is filled up with zeros.

    Args:
        x: Activations, channels last.
        brick: Words of a brick, 1 or more.

    >>> bricks = zero_free(np.array([0, 7, 0, 5, 6]), brick=4)
    >>> bricks.values.tolist(), bricks.counts.tolist()
    ([[7, 5, 0, 0], [6, 0, 0, 0]], [2, 1])
    >>> bricks.offsets[0, :2].tolist()
    [1, 3]

    Source: Albericio et al., "Cnvlutin", ISCA 2016; survey section 6.2; lab 14.
    """
    _check.whole("zero_free", "brick", brick, 1)
    check_finite("zero_free", "x", x)
    missing = -x.shape[-1] % brick
    filled = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])
    words = filled.reshape(*x.shape[:-1], -1, brick)
    offsets = np.argsort(words == 0, axis=-1, kind="stable")
    values = np.take_along_axis(words, offsets, axis=-1)
    return ZeroFree(values, offsets, np.count_nonzero(words, axis=-1))


def lane_cycles(
    counts: Int64[np.ndarray, "windows bricks"], *, n_lanes: int
) -> Int64[np.ndarray, " windows"]:
    """Cycles of each window by formula: those of its fullest lane.

    Lane `l` has the bricks l, l + n_lanes, and so on: `max_l sum_b max(count_b, 1)`. An empty brick
    takes a cycle too: it had to be read to be seen (assumed).

    Args:
        counts: Words of each brick that are not zero.
        n_lanes: Lanes, 1 or more.

    >>> lane_cycles(np.array([[4, 0, 1, 3]]), n_lanes=2).tolist()  # 4 + 1 beside 1 + 3
    [5]

    Source: Albericio et al., "Cnvlutin", ISCA 2016; survey section 6.2; lab 14.
    """
    _check.whole("lane_cycles", "n_lanes", n_lanes, 1)
    busy = np.pad(np.maximum(counts, 1), ((0, 0), (0, -counts.shape[1] % n_lanes)))
    return busy.reshape(len(counts), -1, n_lanes).sum(axis=1).max(axis=1)


def dense_cycles(layer: Gemm | Conv, machine: Cnvlutin) -> int:
    """Cycles of the same machine when it takes every activation, zeros too: DaDianNao's.

    >>> dense_cycles(Conv(c_in=64, h=6, w=6, c_out=256, kernel=2), Cnvlutin())  # 25 windows
    400
    """
    (gemm,) = layer.gemms()
    channels = layer.c_in // layer.groups if isinstance(layer, Conv) else gemm.k
    taps = gemm.k // channels
    words = taps * ceil(channels / machine.brick) * machine.brick
    passes = ceil(gemm.n / machine.n_filters)
    return gemm.groups * gemm.m * passes * ceil(words / machine.n_lanes)


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    conv = Conv(size, 5, 4, size + 2, kernel=(2, 3), padding=1, stride=1 + size % 2)
    machine = Cnvlutin(n_lanes=3, brick=4, n_filters=4)
    x = rng.integers(-9, 10, conv.x_shape) * (rng.random(conv.x_shape) < 0.5)
    weight = rng.integers(-9, 10, conv.weight_shape)

    def call() -> tuple[object, Cost]:
        run = simulate_cnvlutin(conv, machine, x, weight)
        return run.y, run.cost()

    rows, _ = conv.lower(x, weight)
    useful = np.count_nonzero(rows) * conv.c_out
    return call, conv.reference(x, weight), ceil(useful / machine.n_units)


@technique(
    "hw-cnvlutin",
    paper="Albericio, Judd, Hetherington, Aamodt, Enright Jerger, Moshovos, Cnvlutin: "
    "Ineffectual-Neuron-Free Deep Neural Network Computing, 2016",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_cnvlutin(
    layer: Gemm | Conv,
    machine: Cnvlutin,
    x: Num[np.ndarray, "*x"],
    weight: Num[np.ndarray, "*weight"],
) -> Run:
    """Run a layer on Cnvlutin, cycle by cycle: activations that are zero are skipped.

    Channels of one pixel form bricks, and the bricks of a window are dealt out to the lanes. What
    padding adds around the image is zero and so skipped. Windows follow one another, and each pass
    of filters goes through all of them. The paper's mean gain of 1.37 over its networks is not
    reproduced here: their activations are not at hand.

    Args:
        layer: A product or a convolution; groups run in turn.
        machine: Lanes, bricks and filters.
        x: Activations, in the layer's `x_shape`.
        weight: Weights, in its `weight_shape`.

    >>> x = np.array([[3, 0, 0, 0, 0, 5, 0, 0]])
    >>> machine = Cnvlutin(n_lanes=2, brick=4, n_filters=2)
    >>> run = simulate_cnvlutin(Gemm(1, 8, 2), machine, x, np.ones((8, 2), int))
    >>> run.y.tolist(), run.cycles, dense_cycles(Gemm(1, 8, 2), machine)
    ([[8, 8]], 1, 4)

    Source: Albericio et al., "Cnvlutin", ISCA 2016; survey section 6.2; lab 14.
    """
    _check.kind("simulate_cnvlutin", "layer", layer, (Gemm, Conv))
    _check.kind("simulate_cnvlutin", "machine", machine, Cnvlutin)
    y, counts = [], np.zeros(N_COUNTS, np.int64)
    for rows, columns in _taps(layer, x, weight):
        bricks = zero_free(rows, brick=machine.brick)
        y.append(_run_group(bricks, columns, machine, counts))
    cycles, macs, pairs, sums = (int(count) for count in counts)
    out = layer.assemble(np.stack(y))
    return Run(
        cycles=cycles,
        macs=macs,
        n_units=machine.n_units,
        accesses={
            "register": {"psum": 2 * sums},
            "buffer": {"x": pairs, "offset": pairs, "weight": macs, "y": out.size},
        },
        bits={"x": 16, "weight": 16, "psum": 32, "y": 16, "offset": _offset_bits(machine)},
        y=out,
        formula=(
            f"cycles = {cycles:,}: the fullest of {machine.n_lanes} lanes in every window;"
            f" {dense_cycles(layer, machine):,} with the zeros",
        ),
    )


def _offset_bits(machine: Cnvlutin) -> int:
    return max(1, ceil(log2(machine.brick)))


def _taps(
    layer: Gemm | Conv, x: Num[np.ndarray, "*x"], weight: Num[np.ndarray, "*weight"]
) -> list[tuple[Num[np.ndarray, "m taps c"], Num[np.ndarray, "taps c n"]]]:
    """Windows and filters of each group, with the channels of a tap side by side."""
    rows, columns = layer.lower(x, weight)
    g, m, k = rows.shape
    channels = layer.c_in // layer.groups if isinstance(layer, Conv) else k
    by_tap = rows.reshape(g, m, channels, -1).swapaxes(2, 3)
    filters = columns.reshape(g, channels, k // channels, -1).swapaxes(1, 2)
    return list(zip(by_tap, filters, strict=True))


def _run_group(
    bricks: ZeroFree,
    columns: Num[np.ndarray, "taps c n"],
    machine: Cnvlutin,
    counts: Int64[np.ndarray, " counts"],
) -> Num[np.ndarray, "m n"]:
    """All windows times all filters of a group; adds to the counts."""
    m, taps, per_tap, brick = bricks.values.shape
    missing = per_tap * brick - columns.shape[1]
    filled = np.pad(columns, ((0, 0), (0, missing), (0, 0)))
    weight = np.ascontiguousarray(filled.reshape(taps * per_tap, brick, -1))
    dtype = np.result_type(wide(bricks.values), wide(weight))
    flat = (m, taps * per_tap, brick)
    y = np.zeros((m, weight.shape[2]), dtype)
    flat_bricks = ZeroFree(
        bricks.values.reshape(flat).astype(dtype),
        bricks.offsets.reshape(flat),
        bricks.counts.reshape(flat[:2]),
    )
    for left in range(0, weight.shape[2], machine.n_filters):  # a pass
        filters = slice(left, left + machine.n_filters)
        _pass(
            flat_bricks, weight[:, :, filters].astype(dtype), machine.n_lanes, y[:, filters], counts
        )
    return y


@compiled
def _pass(
    bricks: ZeroFree, weight: np.ndarray, n_lanes: int, y: np.ndarray, counts: np.ndarray
) -> None:
    """Windows one after the other, cycle by cycle."""
    m, n_bricks = bricks.counts.shape
    brick, at = np.zeros(n_lanes, np.int64), np.zeros(n_lanes, np.int64)
    for window in range(m):
        for lane in range(n_lanes):
            brick[lane], at[lane] = lane, 0
        while brick.min() < n_bricks:
            for lane in range(n_lanes):
                if brick[lane] < n_bricks:
                    met = _step(bricks, weight, y[window], window, brick, at, lane)
                    counts[PAIRS] += met
                    counts[MACS] += met * y.shape[1]
            counts[CYCLES] += 1
            counts[SUMS] += y.shape[1]


@compiled
def _step(
    bricks: ZeroFree,
    weight: np.ndarray,
    y: np.ndarray,
    window: int,
    brick: np.ndarray,
    at: np.ndarray,
    lane: int,
) -> int:
    """One cycle of a lane: its next pair meets all filters; gives whether there was one."""
    b, i = brick[lane], at[lane]
    count = bricks.counts[window, b]
    if i < count:
        value, offset = bricks.values[window, b, i], bricks.offsets[window, b, i]
        for f in range(len(y)):
            y[f] += value * weight[b, offset, f]
        at[lane] += 1
    if at[lane] >= count:
        brick[lane] += len(brick)
        at[lane] = 0
    return int(i < count)
