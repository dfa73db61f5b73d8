"""A product of matrices of bits, weighted: BISMO.

Let `x = sum_i 2^i X_i` and `w = sum_j 2^j W_j`, with matrices of bits. Then
`x w = sum_ij 2^(i + j) X_i W_j`. Each of those products takes ANDs of two bits, and counts of ones.
A machine that multiplies matrices of bits then does any width, in as many passes as there are pairs
of planes.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.counted import narrow_run
from efficientdl.systems.hardware.low_bit.digits import check_fits, check_layer, digits
from efficientdl.systems.hardware.run import Run

CYCLES, ANDS, X_READ, WEIGHT_READ, Y_WRITE = range(5)


@dataclass(frozen=True)
class BitPlanes:
    """A grid of units, each of which ANDs two rows of bits and counts the ones in a cycle.

    Attributes:
        rows: Rows of x at a time.
        cols: Filters at a time.
        lanes: Bits that a unit takes in a cycle, along k.
    """

    rows: int
    cols: int
    lanes: int

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "lanes"):
            _check.whole("BitPlanes", name, getattr(self, name), 1)


def bismo() -> BitPlanes:
    """BISMO on an FPGA: 8 x 8 units of 256 bits. The sizes are assumed: its user chooses them.

    >>> bismo().lanes
    256
    """
    return BitPlanes(8, 8, lanes=256)


def analyse_bit_planes(layer: Gemm | Conv, machine: BitPlanes) -> Run:
    """Count a layer on a machine of bit planes by formula.

    cycles = bits of x * bits of a weight * ceil(m / rows) ceil(n / cols) ceil(k / lanes), as
    Loom's with the same lanes. But a plane is read anew for every plane of the other operand: what
    moves are single bits, and each word of x moves as often as a weight has bits.

    Args:
        layer: The product or the convolution, with its `bits`, 1 to 16.
        machine: The units.

    >>> run = analyse_bit_planes(Gemm(8, 512, 8), bismo())
    >>> run.cycles, run.accesses["buffer"]["x"]  # 8 x 8 planes of 2 chunks; 64 times 8 * 512 bits
    (128, 262144)

    Source: Umuroglu, Rasnayake, Själander, "BISMO: A Scalable Bit-Serial Matrix Multiplication
        Overlay for Reconfigurable Computing", FPL 2018; survey section 6.2; lab 14.
    """
    bits = check_layer("analyse_bit_planes", layer)
    _check.kind("analyse_bit_planes", "machine", machine, BitPlanes)
    (gemm,) = layer.gemms()
    row_blocks, col_blocks = -(-gemm.m // machine.rows), -(-gemm.n // machine.cols)
    chunks, pairs = -(-gemm.k // machine.lanes), bits.x * bits.weight
    cycles = gemm.groups * row_blocks * col_blocks * chunks * pairs
    words = gemm.words
    counts = [cycles, pairs * gemm.macs, pairs * col_blocks * words.x]
    counts += [pairs * row_blocks * words.weight, words.y]
    planes = f"{bits.x} x {bits.weight} planes, {row_blocks} x {col_blocks} blocks"
    groups = f"{gemm.groups} groups of " if gemm.groups > 1 else ""
    return _run(layer, machine, counts, f"{groups}{planes}, {chunks} chunks of k")


def simulate_bit_planes(
    layer: Gemm | Conv,
    machine: BitPlanes,
    x: Int[np.ndarray, "..."],
    weight: Int[np.ndarray, "..."],
) -> Run:
    """Run a layer on a machine of bit planes, cycle by cycle, with its true output.

    The counts are those of `analyse_bit_planes`. The highest plane of a signed operand counts
    negative, so a product of two of them counts positive.

    Args:
        layer: What to compute, with the widths of its words, 1 to 16 bits.
        machine: The units.
        x: The input, in the layer's `x_shape`; signed where its dtype is.
        weight: The weights, in its `weight_shape`, likewise.

    Raises:
        BadValue: An operand of another shape, or with a number that does not fit its width.

    >>> from efficientdl.systems.hardware.gemm import Bits
    >>> layer = Gemm(1, 3, 2, bits=Bits(x=3, weight=2))
    >>> x, weight = np.array([[1, 2, -4]]), np.array([[1, 0], [0, 1], [-2, -1]])
    >>> run = simulate_bit_planes(layer, bismo(), x, weight)
    >>> run.y.tolist(), run.cycles
    ([[9, 6]], 6)

    Source: Umuroglu, Rasnayake, Själander, "BISMO", FPL 2018; survey section 6.2; lab 14.
    """
    bits = check_layer("simulate_bit_planes", layer)
    _check.kind("simulate_bit_planes", "machine", machine, BitPlanes)
    rows, columns = layer.lower(x, weight)
    check_fits("simulate_bit_planes", "x", x, bits.x)
    check_fits("simulate_bit_planes", "weight", weight, bits.weight)
    planes = digits(rows, bits=bits.x), digits(columns, bits=bits.weight)
    ones = abs(planes[0]).astype(np.uint8), abs(planes[1]).astype(np.uint8)
    y = np.zeros((rows.shape[0], rows.shape[1], columns.shape[2]), np.int64)
    counts = np.zeros(5, np.int64)
    signs = _signs(x, bits.x), _signs(weight, bits.weight)
    _passes(ones, signs, (machine.rows, machine.cols, machine.lanes), y, counts)
    found = _run(layer, machine, [int(n) for n in counts], "counted, cycle by cycle")
    return replace(found, y=layer.assemble(y))


def _signs(x: np.ndarray, bits: int) -> np.ndarray:
    """+1 for each plane, and -1 for the highest one of signed numbers."""
    signs = np.ones(bits, np.int64)
    signs[-1] = -1 if x.dtype.kind == "i" else 1
    return signs


def _run(layer: Gemm | Conv, machine: BitPlanes, counts: list[int], rule: str) -> Run:
    """Counts as a run, its words those of the layer, but single bits in the buffer."""
    bits = layer.bits
    run = narrow_run(
        layer,
        counts[CYCLES],
        macs=counts[ANDS] // (bits.x * bits.weight),
        n_units=machine.rows * machine.cols * machine.lanes,
        buffer={"x": counts[X_READ], "weight": counts[WEIGHT_READ], "y": counts[Y_WRITE]},
        rule=rule,
    )
    dram = run.accesses["dram"]
    moved = {**dram, "x": dram["x"] * bits.x, "weight": dram["weight"] * bits.weight}
    accesses = {**run.accesses, "dram": moved}
    return replace(run, accesses=accesses, bits={"x": 1, "weight": 1, "y": bits.y})


@compiled
def _passes(
    planes: tuple[np.ndarray, np.ndarray],
    signs: tuple[np.ndarray, np.ndarray],
    grid: tuple[int, int, int],
    y: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Pair of planes by pair of planes, each a whole product of matrices of bits."""
    x, weight = planes  # planes g m k and planes g k n
    rows, cols, lanes = grid
    for g in range(y.shape[0]):
        for a in range(x.shape[0]):
            for b in range(weight.shape[0]):
                scale = signs[0][a] * signs[1][b] * (1 << (a + b))
                for i in range(0, y.shape[1], rows):
                    for j in range(0, y.shape[2], cols):
                        for k in range(0, x.shape[3], lanes):
                            xs = x[a, g, i : i + rows, k : k + lanes]
                            ws = weight[b, g, k : k + lanes, j : j + cols]
                            _count_ones(xs, ws, scale, y[g, i : i + rows, j : j + cols], counts)
    counts[Y_WRITE] += y.size


@compiled
def _count_ones(
    x: np.ndarray, weight: np.ndarray, scale: int, y: np.ndarray, counts: np.ndarray
) -> None:
    """One cycle: every unit reads its bits, ANDs them, and adds the weighted count of ones."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            ones = 0
            for lane in range(x.shape[1]):
                ones += x[i, lane] & weight[lane, j]
            y[i, j] += scale * ones
    counts[X_READ] += x.size
    counts[WEIGHT_READ] += weight.size
    counts[ANDS] += y.size * x.shape[1]
    counts[CYCLES] += 1
