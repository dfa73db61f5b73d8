"""SCNN: every activation of a channel times every weight of it, and the products sorted out after.

In a convolution each activation meets each weight of its channel, but for what falls over the edge.
So a unit takes some activations and some weights, none of them zero, and multiplies all by all: the
Cartesian product. Where the products belong follows from the coordinates. A crossbar scatters them
to banks of accumulators; two products for one bank must come one after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from jaxtyping import Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import check_operands, wide
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.run import Run
from efficientdl.systems.hardware.sparse.scnn_loops import (
    BUSY,
    CYCLES,
    LANDED,
    MACS,
    N_COUNTS,
    VECTORS,
    WEIGHT_READ,
    X_READ,
    Kept,
    Unit,
    run_unit,
)


@dataclass(frozen=True)
class Scnn:
    """The machine, as far as it is known.

    Attributes:
        rows: Units in a column; the image is cut into so many tiles down.
        cols: Units in a row, and tiles across.
        n_weights: Weights that a unit takes in a cycle.
        n_activations: Activations that it takes; it has a multiplier for every pair.
        banks: Banks of accumulators of a unit, each of which adds one product a cycle.
        queue: Products that a bank holds before it adds them, 1 or more.
        accumulators: Sums of a unit, in all banks: tile with halo times filters at a time.
    """

    rows: int = 8  # ISCA 2017: 8 x 8 PEs
    cols: int = 8
    n_weights: int = 4  # ISCA 2017: 4 x 4 multipliers
    n_activations: int = 4
    banks: int = 32  # ISCA 2017: twice the multipliers
    queue: int = 1  # assumed: none but the bank's own register
    accumulators: int = 1024  # assumed

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            _check.whole("Scnn", name, value, 1)

    @property
    def n_units(self) -> int:
        """Multipliers of all units."""
        return self.rows * self.cols * self.n_weights * self.n_activations


@dataclass(frozen=True)
class Tiles:
    """How a convolution is cut for the units.

    Attributes:
        sides: Height and width of a unit's tile of the input.
        reach: Outputs that each row of units adds to, and each column of units, as ranges.
        filters: Filters that are worked on at a time.
        halo: Sums that units hold for outputs of a neighbour, for one filter.
    """

    sides: tuple[int, int]
    reach: tuple[list[range], list[range]]
    filters: int
    halo: int


def tiles(conv: Conv, machine: Scnn) -> Tiles:
    """Cut the image into a tile for each unit, and the filters into groups that fit it.

    Raises:
        BadValue: One filter's sums do not fit a unit's accumulators.

    >>> cut = tiles(Conv(c_in=1, h=16, w=16, c_out=64, kernel=3, padding=1), Scnn())
    >>> cut.sides, cut.reach[0][1], cut.filters  # rows 2 and 3 reach outputs 1 to 4; 4 x 4 sums
    ((2, 2), range(1, 5), 64)

    Source: Parashar et al., "SCNN", ISCA 2017, PlanarTiled-InputStationary-CartesianProduct; survey
        section 6.2; lab 14.
    """
    units, lengths = (machine.rows, machine.cols), (conv.h, conv.w)
    down, across = zip(units, lengths, conv.outputs, *conv.pairs, strict=True)
    reach = _reach(*down), _reach(*across)
    sums = prod(max(map(len, side)) for side in reach)
    if sums > machine.accumulators:
        rule = f"must hold a tile with its halo, {sums} sums: take more units"
        _check.fail("tiles", "accumulators", rule, machine.accumulators)
    filters = min(conv.c_out // conv.groups, machine.accumulators // max(sums, 1))
    held = prod(sum(map(len, side)) for side in reach)
    own = prod(_owned(side, n) for side, n in zip(reach, conv.outputs, strict=True))
    sides = ceil(conv.h / machine.rows), ceil(conv.w / machine.cols)
    return Tiles(sides, reach, filters, held - own)


def _reach(
    n: int, length: int, n_outputs: int, kernel: int, stride: int, padding: int, dilation: int
) -> list[range]:
    """Along one side, the outputs that each of n tiles adds to."""
    side, span, reach = ceil(length / n), dilation * (kernel - 1), []
    for i in range(n):
        first, end = i * side + padding, min((i + 1) * side, length) + padding
        low = max(ceil((first - span) / stride), 0)
        high = min((end - 1) // stride, n_outputs - 1)
        reach.append(range(low, high + 1) if first < end and low <= high else range(0))
    return reach


def _owned(reach: list[range], n_outputs: int) -> int:
    """Along one side, how many sums lie with the unit whose share of the outputs they are in."""
    own = ceil(n_outputs / len(reach))
    starts = (max(r.start, i * own) for i, r in enumerate(reach))
    stops = (min(r.stop, (i + 1) * own) for i, r in enumerate(reach))
    return sum(max(stop - start, 0) for start, stop in zip(starts, stops, strict=True))


def dense_cycles(conv: Conv, machine: Scnn) -> int:
    """Cycles of a dense machine of as many multipliers: those of a unit form one dot product.

    Outputs are cut into tiles, one for each unit, and each output takes `ceil(k / multipliers)`.

    >>> dense_cycles(Conv(c_in=32, h=16, w=16, c_out=64, kernel=3, padding=1), Scnn())
    4608
    """
    (gemm,) = conv.gemms()
    p, q = conv.outputs
    outputs = ceil(p / machine.rows) * ceil(q / machine.cols) * conv.c_out
    dot = ceil(gemm.k / (machine.n_weights * machine.n_activations))
    return conv.batch * outputs * dot


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    conv = Conv(2, size + 2, 5, 3, kernel=(2, 3), padding=1, stride=1 + size % 2)
    machine = Scnn(2, 3, n_weights=2, n_activations=3, banks=4)
    x = rng.integers(-9, 10, conv.x_shape) * (rng.random(conv.x_shape) < 0.5)
    weight = rng.integers(-9, 10, conv.weight_shape) * (rng.random(conv.weight_shape) < 0.5)

    def call() -> tuple[object, Cost]:
        run = simulate_scnn(conv, machine, x, weight)
        return run.y, run.cost()

    pairs = (np.count_nonzero(x, axis=(0, 2, 3)) * np.count_nonzero(weight, axis=(0, 2, 3))).sum()
    return call, conv.reference(x, weight), ceil(int(pairs) / machine.n_units)


@technique(
    "hw-scnn",
    paper="Parashar, Rhu, Mukkara, Puglielli, Venkatesan, Khailany, Emer, Keckler, Dally, SCNN: An "
    "Accelerator for Compressed-sparse Convolutional Neural Networks, 2017",
    survey="6.2, Fig. 14",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_scnn(
    layer: Conv,
    machine: Scnn,
    x: Num[np.ndarray, "n c h w"],
    weight: Num[np.ndarray, "c_out c r s"],
) -> Run:
    """Run a convolution on SCNN, cycle by cycle: zeros of both operands are skipped.

    Each unit owns a tile of the image in all channels, and holds sums of some filters at a time.
    Channel by channel it keeps a few activations while all weights pass, then takes the next few.
    Products that no output wants, over the edge or between strides, are made and dropped. When the
    slowest unit has finished a group of filters the next one begins; sums of the halo move to
    their owners behind that (assumed), and the zeros that the format stores in long runs are not
    modelled. The paper's mean gain of 2.7 is not reproduced here, for want of its networks:
    `speedups` and `crossover` show drawn densities instead.

    Args:
        layer: A convolution; images and groups run in turn.
        machine: Units, multipliers, banks.
        x: Activations, in the layer's `x_shape`.
        weight: Weights, in its `weight_shape`.

    Raises:
        BadValue: A unit's tile does not fit its accumulators.

    >>> conv, x = Conv(1, 2, 2, 1, kernel=2, padding=1), np.array([[[[1, 0], [0, 5]]]])
    >>> run = simulate_scnn(conv, Scnn(1, 1), x, np.array([[[[1, 2], [0, 0]]]]))
    >>> run.y[0, 0].tolist(), run.macs  # two activations times two weights
    ([[0, 0, 0], [2, 1, 0], [0, 10, 5]], 4)

    Source: Parashar et al., "SCNN", ISCA 2017; survey section 6.2, Figure 14; lab 14.
    """
    _check.kind("simulate_scnn", "layer", layer, Conv)
    _check.kind("simulate_scnn", "machine", machine, Scnn)
    check_operands("simulate_scnn", layer, x, weight)
    cut = tiles(layer, machine)
    dtype = np.result_type(wide(x), wide(weight))
    y = np.zeros((layer.batch, layer.c_out, *layer.outputs), dtype)
    counts, unit = np.zeros(N_COUNTS, np.int64), _unit(layer, machine)
    c, n = layer.c_in // layer.groups, layer.c_out // layer.groups
    for g in range(layer.groups):
        filters = [slice(k, min(k + cut.filters, g * n + n)) for k in _steps(g, n, cut.filters)]
        weights = [_kept_weights(layer, weight[some].astype(dtype)) for some in filters]
        for image, out in zip(x[:, g * c : (g + 1) * c].astype(dtype), y, strict=True):
            kept = _kept_tiles(layer, machine, cut, image)
            for some, group in zip(filters, weights, strict=True):
                took = [run_unit(tile, group, unit, out[some], counts) for tile in kept]
                counts[CYCLES] += max(took)
    return _run(layer, machine, cut, [int(count) for count in counts], y)


def _unit(conv: Conv, machine: Scnn) -> Unit:
    down, right = conv.pairs.stride
    sizes = machine.n_weights, machine.n_activations, machine.banks, machine.queue
    return Unit(down, right, *sizes)


def _steps(group: int, n: int, filters: int) -> range:
    """The first filter of each lot of a group."""
    return range(group * n, group * n + n, filters)


def _kept_weights(conv: Conv, weight: Num[np.ndarray, "k c r s"]) -> Kept:
    """Filters without zeros: channel by channel, tap by tap, neighbouring filters together."""
    dr, ds = conv.pairs.dilation
    by_channel = weight.transpose(1, 2, 3, 0)
    c, r, s, k = by_channel.nonzero()
    at = np.stack([k, r * dr, s * ds], axis=1)
    return Kept(by_channel[c, r, s, k], at, _starts(c, by_channel.shape[0]))


def _kept_tiles(
    conv: Conv, machine: Scnn, cut: Tiles, image: Num[np.ndarray, "c h w"]
) -> list[Kept]:
    """What is not zero in each unit's tile, channel by channel."""
    (high, wide_), (top, left) = cut.sides, conv.pairs.padding
    kept = []
    for row, col in np.ndindex(machine.rows, machine.cols):
        tile = image[:, row * high : (row + 1) * high, col * wide_ : (col + 1) * wide_]
        c, h, w = tile.nonzero()
        rows, cols = h + row * high + top, w + col * wide_ + left
        at = np.stack([rows, cols, np.zeros_like(rows)], axis=1)
        kept.append(Kept(tile[c, h, w], at, _starts(c, len(image))))
    return kept


def _starts(channel: Int64[np.ndarray, " kept"], c: int) -> Int64[np.ndarray, " c1"]:
    return np.searchsorted(channel, np.arange(c + 1))


def _run(
    conv: Conv, machine: Scnn, cut: Tiles, counts: list[int], y: Num[np.ndarray, "n k p q"]
) -> Run:
    read = counts[X_READ] + counts[WEIGHT_READ]
    stalls = counts[BUSY] - counts[VECTORS]
    return Run(
        cycles=counts[CYCLES],
        macs=counts[MACS],
        n_units=machine.n_units,
        accesses={
            "register": {"psum": 2 * counts[LANDED]},
            "link": {"psum": cut.halo * conv.c_out * conv.batch},
            "buffer": {
                "x": counts[X_READ],
                "weight": counts[WEIGHT_READ],
                "index": read,
                "y": y.size,
            },
        },
        bits={"x": 16, "weight": 16, "psum": 24, "y": 16, "index": 4},  # index: assumed
        y=y,
        formula=(
            f"cycles = {counts[CYCLES]:,}: the slowest unit, {cut.filters} filters at a time;"
            f" dense {dense_cycles(conv, machine):,}",
            f"of {counts[MACS]:,} products {counts[LANDED]:,} belong to an output; banks made the"
            f" units wait {stalls:,} cycles in {counts[VECTORS]:,}",
        ),
    )
