"""Bit-serial machines: the fewer the bits, the fewer the cycles.

A multiplier of 16 bits multiplies 4 bits in the same cycle as 16. A unit that takes its operand bit
by bit needs a cycle for each, so 4 bits take a quarter of the time. It is slow, and small: a whole
word times one bit is a row of AND gates. So there are many of them, and the machine is as fast as
one of whole multipliers at the widest word, and faster below.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.counted import narrow_run
from efficientdl.systems.hardware.low_bit.digits import (
    WIDEST,
    check_fits,
    check_layer,
    digits,
    n_digits,
)
from efficientdl.systems.hardware.run import Run

CYCLES, PRODUCTS, X_READ, WEIGHT_READ, Y_WRITE = range(5)


@dataclass(frozen=True)
class BitSerial:
    """A grid of units, each of which adds up `lanes` products of digits every cycle.

    With digits as wide as the words it is the dense machine, which takes a word a cycle.

    Attributes:
        rows: Rows of x at a time.
        cols: Filters at a time.
        lanes: Products in a unit, along k.
        x_bits: Bits of x that a lane takes in a cycle.
        weight_bits: Bits of a weight that it takes.

    >>> BitSerial(4, 4, lanes=16, x_bits=1).cycles_per_word(Bits(x=5, weight=8))
    5
    """

    rows: int
    cols: int
    lanes: int
    x_bits: int = WIDEST
    weight_bits: int = WIDEST

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "lanes"):
            _check.whole("BitSerial", name, getattr(self, name), 1)
        for name in ("x_bits", "weight_bits"):
            _check.whole("BitSerial", name, getattr(self, name), 1, WIDEST)

    @property
    def n_lanes(self) -> int:
        """Products of digits in a cycle."""
        return self.rows * self.cols * self.lanes

    def cycles_per_word(self, bits: Bits) -> int:
        """Cycles in which a lane multiplies two words: digits of one times digits of the other."""
        return n_digits(bits.x, self.x_bits) * n_digits(bits.weight, self.weight_bits)


def stripes() -> BitSerial:
    """A tile of Stripes: activations bit by bit, weights of 16 bits whole.

    16 windows, 16 filters and 16 lanes (assumed): at 16 bits as fast as 256 multipliers.

    >>> stripes().n_lanes // stripes().cycles_per_word(Bits(16, 16))
    256
    """
    return BitSerial(16, 16, lanes=16, x_bits=1)


def unpu() -> BitSerial:
    """A core of UNPU: weights bit by bit, activations whole. Its sizes are assumed.

    >>> unpu().cycles_per_word(Bits(x=16, weight=3))
    3
    """
    return BitSerial(16, 16, lanes=16, weight_bits=1)


def loom() -> BitSerial:
    """Loom: both bit by bit; at 16 x 16 bits as fast as 128 multipliers, as its abstract says.

    How 128 x 256 lanes are divided is assumed. Wider digits, `x_bits=2` or 4, are its variants.

    >>> loom().n_lanes // loom().cycles_per_word(Bits(16, 16))
    128
    """
    return BitSerial(16, 128, lanes=16, x_bits=1, weight_bits=1)


def analyse_bit_serial(layer: Gemm | Conv, machine: BitSerial) -> Run:
    """Count a layer on a bit-serial machine by formula.

    cycles = ceil(m / rows) ceil(n / cols) ceil(k / lanes) * digits of x * digits of a weight,
    for each group. A chunk of words is read once, when it is begun; sums stay in the units until
    they are complete, and leave while the next ones are computed. `macs` are those of whole words,
    so that at 8 bits a full machine of one-bit lanes is used by an eighth: what the other lanes of
    the sum do are the other bits.

    Args:
        layer: The product or the convolution, with its `bits`, 1 to 16.
        machine: The units.

    >>> run = analyse_bit_serial(Gemm(16, 256, 16, bits=Bits(x=4, weight=16)), stripes())
    >>> print(run.explain())
    cycles = 64: 1 x 1 blocks, 16 chunks of k, 4 x 1 digits of a word
    utilisation = 65,536 MACs / (64 cycles x 4,096 units) = 25.0%
    words at      x  weight    y    all
    --------  -----  ------  ---  -----
    buffer    4,096   4,096  256  8,448
    dram      4,096   4,096  256  8,448

    Source: Judd et al., "Stripes", MICRO 2016; Lee et al., "UNPU", ISSCC 2018; Sharify et al.,
        "Loom", DAC 2018; survey section 6.2; lab 14.
    """
    bits = check_layer("analyse_bit_serial", layer)
    _check.kind("analyse_bit_serial", "machine", machine, BitSerial)
    (gemm,) = layer.gemms()
    row_blocks, col_blocks = -(-gemm.m // machine.rows), -(-gemm.n // machine.cols)
    chunks = -(-gemm.k // machine.lanes)
    cycles = gemm.groups * row_blocks * col_blocks * chunks * machine.cycles_per_word(bits)
    words = gemm.words
    buffer = {"x": words.x * col_blocks, "weight": words.weight * row_blocks, "y": words.y}
    widths = f"{n_digits(bits.x, machine.x_bits)} x {n_digits(bits.weight, machine.weight_bits)}"
    rule = f"{row_blocks} x {col_blocks} blocks, {chunks} chunks of k, {widths} digits of a word"
    if gemm.groups > 1:
        rule = f"{gemm.groups} groups of {rule}"
    return narrow_run(
        layer, cycles, macs=gemm.macs, n_units=machine.n_lanes, buffer=buffer, rule=rule
    )


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    bits = Bits(int(rng.integers(1, 17)), int(rng.integers(1, 17)))
    layer = Gemm(*(int(n) for n in rng.integers(1, size + 2, 3)), bits=bits)
    machine = BitSerial(*(int(n) for n in rng.integers(1, 4, 5)))
    x = rng.integers(-(1 << (bits.x - 1)), 1 << (bits.x - 1), layer.x_shape)
    weight = rng.integers(0, 1 << bits.weight, layer.weight_shape).astype(np.uint32)

    def call() -> tuple[object, Cost]:
        run = simulate_bit_serial(layer, machine, x, weight)
        return run.y, run.cost()

    return call, x @ weight.astype(np.int64), analyse_bit_serial(layer, machine).cycles


@technique(
    "hw-bit-serial",
    paper="Judd, Albericio, Hetherington, Aamodt, Moshovos, Stripes: Bit-Serial Deep Neural "
    "Network Computing, 2016",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_bit_serial(
    layer: Gemm | Conv,
    machine: BitSerial,
    x: Int[np.ndarray, "..."],
    weight: Int[np.ndarray, "..."],
) -> Run:
    """Run a layer on a bit-serial machine, cycle by cycle, with its true output.

    Each cycle every lane multiplies a digit of x by a digit of a weight, the unit adds up its
    lanes, shifts the sum to where the digits stand, and adds it to its output. The counts are those
    of `analyse_bit_serial`.

    Args:
        layer: What to compute, with the widths of its words, 1 to 16 bits.
        machine: The units: `stripes()`, `unpu()`, `loom()`, or others.
        x: The input, in the layer's `x_shape`; signed where its dtype is.
        weight: The weights, in its `weight_shape`, likewise.

    Raises:
        BadValue: An operand of another shape, or with a number that does not fit its width.

    >>> layer = Gemm(2, 3, 2, bits=Bits(x=4, weight=8))
    >>> x = np.array([[1, 2, -8], [4, 5, 7]])
    >>> run = simulate_bit_serial(layer, stripes(), x, np.array([[1, 0], [0, 1], [100, -1]]))
    >>> run.y.tolist(), run.cycles
    ([[-799, 10], [704, -2]], 4)

    Source: Judd et al., "Stripes", MICRO 2016; Lee et al., "UNPU", ISSCC 2018; Sharify et al.,
        "Loom", DAC 2018; survey section 6.2; lab 14.
    """
    bits = check_layer("simulate_bit_serial", layer)
    _check.kind("simulate_bit_serial", "machine", machine, BitSerial)
    rows, columns = layer.lower(x, weight)
    check_fits("simulate_bit_serial", "x", x, bits.x)
    check_fits("simulate_bit_serial", "weight", weight, bits.weight)
    x_digits = digits(rows, bits=bits.x, step=machine.x_bits)
    weight_digits = digits(columns, bits=bits.weight, step=machine.weight_bits)
    y = np.zeros((rows.shape[0], rows.shape[1], columns.shape[2]), np.int64)
    counts = np.zeros(5, np.int64)
    grid = machine.rows, machine.cols, machine.lanes, machine.x_bits, machine.weight_bits
    _units(x_digits, weight_digits, grid, y, counts)
    return _counted(layer, machine, [int(n) for n in counts], layer.assemble(y))


def _counted(layer: Gemm | Conv, machine: BitSerial, counts: Sequence[int], y: np.ndarray) -> Run:
    buffer = {"x": counts[X_READ], "weight": counts[WEIGHT_READ], "y": counts[Y_WRITE]}
    return narrow_run(
        layer,
        counts[CYCLES],
        macs=counts[PRODUCTS] // machine.cycles_per_word(layer.bits),
        n_units=machine.n_lanes,
        buffer=buffer,
        rule="counted, cycle by cycle",
        y=y,
    )


@compiled
def _units(
    x: np.ndarray,
    weight: np.ndarray,
    grid: tuple[int, int, int, int, int],
    y: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Block by block; x is digits g m k, weight is digits g k n."""
    rows, cols, lanes, x_bits, weight_bits = grid
    for g in range(y.shape[0]):
        for i in range(0, y.shape[1], rows):
            for j in range(0, y.shape[2], cols):
                block = y[g, i : i + rows, j : j + cols]
                for k in range(0, x.shape[3], lanes):
                    xs = x[:, g, i : i + rows, k : k + lanes]
                    ws = weight[:, g, k : k + lanes, j : j + cols]
                    counts[X_READ] += xs.shape[1] * xs.shape[2]
                    counts[WEIGHT_READ] += ws.shape[1] * ws.shape[2]
                    for a in range(xs.shape[0]):
                        for b in range(ws.shape[0]):
                            _cycle(xs[a], ws[b], a * x_bits + b * weight_bits, block, counts)
                counts[Y_WRITE] += block.size


@compiled
def _cycle(
    x: np.ndarray, weight: np.ndarray, shift: int, y: np.ndarray, counts: np.ndarray
) -> None:
    """One cycle of all units."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            total = 0
            for lane in range(x.shape[1]):
                total += x[i, lane] * weight[lane, j]
            y[i, j] += total << shift
    counts[PRODUCTS] += y.size * x.shape[1]
    counts[CYCLES] += 1
