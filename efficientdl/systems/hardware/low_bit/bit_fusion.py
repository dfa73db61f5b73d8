"""Bit Fusion: small multipliers that are composed to the width that a layer needs.

A brick multiplies two digits of 2 bits. Sixteen make a fusion unit: one multiplier of 8 by 8 bits,
or four of 4 by 4, or sixteen of 2 by 2, since a product of numbers is the sum of the shifted
products of their digits. Where a bit-serial machine takes more cycles for more bits, this one gives
more bricks to a product, and so does fewer products in the same cycle.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.kernels.compiled import compiled
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Bits
from efficientdl.systems.hardware.layer import Conv, Gemm
from efficientdl.systems.hardware.low_bit.counted import narrow_run
from efficientdl.systems.hardware.low_bit.digits import WIDEST, check_fits, check_layer, digits
from efficientdl.systems.hardware.run import Run

DIGIT_BITS = 2
BRICKS = 16  # in a fusion unit
WIDTHS = (2, 4, 8, 16)  # bricks fuse in powers of two
CYCLES, PRODUCTS, X_READ, WEIGHT_READ, Y_WRITE = range(5)


@dataclass(frozen=True)
class Fusion:
    """How the bricks of a unit are used at one pair of widths.

    Attributes:
        x_digits: Digits of x.
        weight_digits: Digits of a weight.

    >>> fused = fusion(Bits(x=8, weight=2))
    >>> fused, fused.products, fusion(Bits(x=16, weight=16)).passes
    (Fusion(x_digits=4, weight_digits=1), 4, 4)
    """

    x_digits: int
    weight_digits: int

    @property
    def bricks(self) -> int:
        """Bricks of one product: each digit of x meets each digit of the weight."""
        return self.x_digits * self.weight_digits

    @property
    def products(self) -> int:
        """Products that a unit does side by side: 1 to 16."""
        return max(1, BRICKS // self.bricks)

    @property
    def passes(self) -> int:
        """Cycles of a product that has more bricks than the unit."""
        return -(-self.bricks // BRICKS)


def fusion(bits: Bits) -> Fusion:
    """The fusion for words of 1 to 16 bits; a width between 2, 4, 8 and 16 takes the next one.

    >>> fusion(Bits(x=3, weight=5)) == fusion(Bits(x=4, weight=8))
    True
    """
    for name in ("x", "weight"):
        _check.whole("fusion", f"bits.{name}", getattr(bits, name), 1, WIDEST)
    x, weight = (min(w for w in WIDTHS if w >= b) // DIGIT_BITS for b in (bits.x, bits.weight))
    return Fusion(x, weight)


@dataclass(frozen=True)
class FusionArray:
    """A grid of fusion units; sums go down the columns, one column for each filter.

    Attributes:
        rows: Units of a column, along k.
        cols: Columns.
        widest: The widest word, 2, 4, 8 or 16 bits. Above 8 by 8 a product takes several passes.

    >>> bit_fusion().macs_per_cycle(Bits(4, 4))
    2048.0
    """

    rows: int
    cols: int
    widest: int = WIDEST

    def __post_init__(self) -> None:
        for name in ("rows", "cols"):
            _check.whole("FusionArray", name, getattr(self, name), 1)
        _check.one_of("FusionArray", "widest", self.widest, WIDTHS)

    @property
    def n_units(self) -> int:
        """Fusion units."""
        return self.rows * self.cols

    def macs_per_cycle(self, bits: Bits) -> float:
        """MACs in a cycle when all units are busy: 16 over the bricks of a product, each."""
        return self.n_units * BRICKS / fusion(bits).bricks


def bit_fusion() -> FusionArray:
    """Bit Fusion at Eyeriss's area: 16 x 32 units, as its released configuration says.

    >>> bit_fusion().n_units
    512
    """
    return FusionArray(16, 32)


def deeprecon() -> FusionArray:
    """DeepRecon: 2-bit multipliers that make units of 2, 4 or 8 bits, in space alone.

    The survey says so in section 6.2; the sizes of the array are assumed.

    >>> deeprecon().widest
    8
    """
    return FusionArray(16, 16, widest=8)


def analyse_bit_fusion(layer: Gemm | Conv, machine: FusionArray) -> Run:
    """Count a layer on an array of fusion units by formula.

    A row of x takes ceil(n / cols) * ceil(k / (rows * products)) steps of `passes` cycles, where a
    unit does 16 / (digits of x * digits of a weight) products side by side. Filling and emptying
    the array is not counted, as the released simulator does not; nor do words of x move from unit
    to unit here: each column is said what it needs.

    Args:
        layer: The product or the convolution, with its `bits`.
        machine: The array.

    Raises:
        BadValue: Words that are wider than the machine's.

    >>> run = analyse_bit_fusion(Gemm(10, 256, 32, bits=Bits(x=4, weight=2)), bit_fusion())
    >>> print(run.explain())
    cycles = 20: 10 rows x 1 column blocks x 2 chunks of k = 16 rows x 8 products x 1 passes
    utilisation = 81,920 MACs / (20 cycles x 4,096 units) = 100.0%
    words at      x  weight    y     all
    --------  -----  ------  ---  ------
    buffer    2,560  81,920  320  84,800
    dram      2,560   8,192  320  11,072

    Source: Sharma et al., "Bit Fusion: Bit-Level Dynamically Composable Architecture for
        Accelerating Deep Neural Networks", ISCA 2018; survey section 6.2; lab 14.
    """
    _check_machine("analyse_bit_fusion", layer, machine)
    (gemm,), fused = layer.gemms(), fusion(layer.bits)
    blocks = -(-gemm.n // machine.cols)
    chunks = -(-gemm.k // (machine.rows * fused.products))
    cycles = gemm.groups * gemm.m * blocks * chunks * fused.passes
    words = gemm.words
    buffer = {"x": words.x * blocks, "weight": gemm.macs, "y": words.y}
    units = f"{machine.rows} rows x {fused.products} products x {fused.passes} passes"
    rule = f"{gemm.m:,} rows x {blocks} column blocks x {chunks} chunks of k = {units}"
    if gemm.groups > 1:
        rule = f"{gemm.groups} groups of {rule}"
    n_units = machine.n_units * fused.products
    return narrow_run(layer, cycles, macs=gemm.macs, n_units=n_units, buffer=buffer, rule=rule)


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    bits = Bits(int(rng.integers(2, 17)), int(rng.integers(2, 17)))
    layer = Gemm(*(int(n) for n in rng.integers(1, 4 * size + 2, 3)), bits=bits)
    machine = FusionArray(*(int(n) for n in rng.integers(1, 4, 2)))
    x = rng.integers(0, 1 << bits.x, layer.x_shape).astype(np.uint32)
    weight = rng.integers(-(1 << (bits.weight - 1)), 1 << (bits.weight - 1), layer.weight_shape)

    def call() -> tuple[object, Cost]:
        run = simulate_bit_fusion(layer, machine, x, weight)
        return run.y, run.cost()

    return call, x.astype(np.int64) @ weight, int(layer.macs / machine.macs_per_cycle(bits))


@technique(
    "hw-bitfusion",
    paper="Sharma, Park, Suda, Lai, Chau, Chandra, Esmaeilzadeh, Bit Fusion: Bit-Level Dynamically "
    "Composable Architecture for Accelerating Deep Neural Networks, 2018",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def simulate_bit_fusion(
    layer: Gemm | Conv,
    machine: FusionArray,
    x: Int[np.ndarray, "..."],
    weight: Int[np.ndarray, "..."],
) -> Run:
    """Run a layer on an array of fusion units, brick by brick, with its true output.

    Each cycle a unit has sixteen bricks, and gives every one two digits and a shift; the column
    adds up what its units made. The counts are those of `analyse_bit_fusion`.

    Args:
        layer: What to compute, with the widths of its words.
        machine: The array: `bit_fusion()`, `deeprecon()`, or another.
        x: The input, in the layer's `x_shape`; signed where its dtype is.
        weight: The weights, in its `weight_shape`, likewise.

    Raises:
        BadValue: An operand of another shape, a number that does not fit its width, or words that
            are wider than the machine's.

    >>> layer = Gemm(1, 3, 2, bits=Bits(x=8, weight=2))
    >>> x, weight = np.array([[100, 2, -128]]), np.array([[1, 0], [0, 1], [-2, -1]])
    >>> run = simulate_bit_fusion(layer, bit_fusion(), x, weight)
    >>> run.y.tolist(), run.cycles
    ([[356, 130]], 1)

    Source: Sharma et al., "Bit Fusion", ISCA 2018; Rzayev et al., "DeepRecon", IJCNN 2017; survey
        section 6.2; lab 14.
    """
    bits = _check_machine("simulate_bit_fusion", layer, machine)
    rows, columns = layer.lower(x, weight)
    check_fits("simulate_bit_fusion", "x", x, bits.x)
    check_fits("simulate_bit_fusion", "weight", weight, bits.weight)
    fused = fusion(bits)
    widths = DIGIT_BITS * fused.x_digits, DIGIT_BITS * fused.weight_digits
    x_digits = digits(rows, bits=widths[0], step=DIGIT_BITS)
    weight_digits = digits(columns, bits=widths[1], step=DIGIT_BITS)
    y = np.zeros((rows.shape[0], rows.shape[1], columns.shape[2]), np.int64)
    counts = np.zeros(5, np.int64)
    _steps(x_digits, weight_digits, (machine.rows, machine.cols, fused.products), y, counts)
    buffer = {"x": int(counts[X_READ]), "weight": int(counts[WEIGHT_READ])}
    run = narrow_run(
        layer,
        int(counts[CYCLES]),
        macs=int(counts[PRODUCTS]) // fused.bricks,
        n_units=machine.n_units * fused.products,
        buffer=buffer | {"y": int(counts[Y_WRITE])},
        rule="counted, cycle by cycle",
    )
    return replace(run, y=layer.assemble(y))


def _check_machine(caller: str, layer: Gemm | Conv, machine: FusionArray) -> Bits:
    bits = check_layer(caller, layer)
    _check.kind(caller, "machine", machine, FusionArray)
    for name in ("x", "weight"):
        _check.whole(caller, f"layer.bits.{name}", getattr(bits, name), 1, machine.widest)
    return bits


@compiled
def _steps(
    x: np.ndarray,
    weight: np.ndarray,
    grid: tuple[int, int, int],
    y: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Row by row, column block by column block; x is digits g m k, weight is digits g k n."""
    rows, cols, products = grid
    bricks, chunk = x.shape[0] * weight.shape[0], rows * products
    for g in range(y.shape[0]):
        for m in range(y.shape[1]):
            for j in range(0, y.shape[2], cols):
                sums = y[g, m, j : j + cols]
                for k in range(0, x.shape[3], chunk):
                    xs, ws = x[:, g, m, k : k + chunk], weight[:, g, k : k + chunk, j : j + cols]
                    counts[X_READ] += xs.shape[1]
                    counts[WEIGHT_READ] += ws.shape[1] * ws.shape[2]
                    for first in range(0, bricks, BRICKS):
                        _cycle(xs, ws, first, min(bricks, first + BRICKS), sums)
                        counts[PRODUCTS] += (min(bricks, first + BRICKS) - first) * ws[0].size
                        counts[CYCLES] += 1
                counts[Y_WRITE] += sums.size


@compiled
def _cycle(x: np.ndarray, weight: np.ndarray, first: int, end: int, sums: np.ndarray) -> None:
    """One cycle: of every product, the bricks `first` to `end`, added up down each column."""
    for j in range(sums.size):
        for k in range(x.shape[1]):
            for brick in range(first, end):
                a, b = brick // weight.shape[0], brick % weight.shape[0]
                sums[j] += (x[a, k] * weight[b, k, j]) << (DIGIT_BITS * (a + b))
