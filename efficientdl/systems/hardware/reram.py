"""ReRAM crossbars: the memory multiplies, by Ohm's law, and sums, by Kirchhoff's.

A cell is a conductance of a few bits, a row a voltage of a few bits, and the current of a column
their dot product. A wide weight is cut into slices, a cell and a column each; a wide input into
digits, one after the other. An ADC reads a column, and shifts and additions put the product
together. Numbers with a sign are stored with an offset, which is subtracted afterwards.

Cells get stuck. A column may be copied: the ADC reads every copy, and the median counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, Num

from efficientdl import _check
from efficientdl.catalogue import Simulator, technique
from efficientdl.report import Cost
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.run import Run


@dataclass(frozen=True)
class Crossbar:
    """A crossbar and its converters.

    Attributes:
        rows: Voltages, summed in a column.
        cols: Columns.
        cell_bits: Bits that a cell holds; 1 for a binary memory.
        dac_bits: Bits of an input that are applied at a time.
        adc_bits: Bits of the converter. A larger sum is cut off at its largest value.
        n_adcs: Converters of a crossbar; each reads a column a cycle.

    >>> Crossbar(rows=128, cols=128, cell_bits=2, dac_bits=1).lossless_bits
    9
    """

    rows: int = 128
    cols: int = 128
    cell_bits: int = 2
    dac_bits: int = 1
    adc_bits: int = 9
    n_adcs: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "n_adcs"):
            _check.whole("Crossbar", name, getattr(self, name), 1)
        for name in ("cell_bits", "dac_bits"):
            _check.whole("Crossbar", name, getattr(self, name), 1, 8)
        _check.whole("Crossbar", "adc_bits", self.adc_bits, 1, 32)

    @property
    def lossless_bits(self) -> int:
        """Bits of the largest sum: rows (2^cell - 1) (2^dac - 1)."""
        return (self.rows * (2**self.cell_bits - 1) * (2**self.dac_bits - 1)).bit_length()


@dataclass(frozen=True)
class Faults:
    """How often cells are stuck.

    Attributes:
        off: Share that is stuck at zero, 0..1.
        on: Share that is stuck at the largest conductance, 0..1.
        seed: Which ones.
    """

    off: float = 0.0
    on: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check.in_range("Faults", "off", self.off, 0, 1)
        _check.in_range("Faults", "on", self.on, 0, 1 - self.off)
        _check.whole("Faults", "seed", self.seed, 0)


CROSSBAR = Crossbar()
NO_FAULTS = Faults()


def _case(rng: np.random.Generator, size: int) -> tuple[Callable[[], object], object, int]:
    gemm = Gemm(size, 2 * size + 1, size + 1)
    x, weight = (rng.integers(-128, 128, shape) for shape in (gemm.x_shape, gemm.weight_shape))
    machine = Crossbar(rows=int(rng.integers(1, 9)), cols=4, cell_bits=int(rng.integers(1, 5)))

    def call() -> tuple[object, Cost]:
        run = crossbar(gemm, x, weight, machine=machine)
        return run.y, run.cost()

    return call, x @ weight, size * 8


@technique(
    "hw-reram",
    paper="Guo et al., ATT: A Fault-Tolerant ReRAM Accelerator for Attention-based Neural "
    "Networks, 2020",
    survey="6.2",
    lab="14_accelerators",
    kind=Simulator(case=_case),
)
def crossbar(
    gemm: Gemm,
    x: Num[np.ndarray, "m k"],
    weight: Num[np.ndarray, "k n"],
    *,
    machine: Crossbar = CROSSBAR,
    copies: Sequence[int] = (),
    faults: Faults = NO_FAULTS,
) -> Run:
    """Multiply on crossbars, digit by digit and slice by slice.

    With unsigned words u = x + 2^(b-1) and v = w + 2^(c-1),
    x w = sum over digits i, slices j of 2^(i dac + j cell) u_i v_j - offsets,
    where the sums of the rows of x and of the columns of w are known. With an ADC as wide as
    `lossless_bits`, and no faults, this is the product, exactly.

    All crossbars work at once, and a crossbar's ADCs read its columns in turn:
    cycles = m * digits * ceil(columns of the fullest crossbar / n_adcs).

    In attention the keys of a head are the weights of the scores, the values those of the output.

    Args:
        gemm: The product, of one group; its bits say how wide x and weight are.
        x: Whole numbers that fit `gemm.bits.x`.
        weight: Whole numbers that fit `gemm.bits.weight`.
        machine: The crossbar; as many as the weights fill.
        copies: Odd numbers of columns for each slice, the lowest slice first; more for the upper
            ones is redundancy that is not uniform. One each where nothing is said.
        faults: Which cells are stuck.

    Returns:
        The run. A MAC takes digits * slices cell products, so even a full crossbar has a
        utilisation of a few per cent at most: what it saves is moving weights.

    >>> gemm = Gemm(2, 4, 3)
    >>> x, weight = np.full((2, 4), -3), np.full((4, 3), 5)
    >>> crossbar(gemm, x, weight).y.tolist()
    [[-60, -60, -60], [-60, -60, -60]]

    Source: Guo et al., "ATT: A Fault-Tolerant ReRAM Accelerator for Attention-based Neural
        Networks", ICCD 2020, whose redundancy is not uniform either, but whose rule is not modelled
        here; Ahmad et al., "RAMANN", for a memory of one bit; survey section 6.2; lab 14.
    """
    _check_product(gemm, x, weight, machine, faults)
    n_slices = -(-gemm.bits.weight // machine.cell_bits)
    copies = _check_copies(copies, n_slices)
    half_x, half_w = 2 ** (gemm.bits.x - 1), 2 ** (gemm.bits.weight - 1)
    u, v = x.astype(np.int64) + half_x, weight.astype(np.int64) + half_w
    digits = _cut(u, machine.dac_bits, gemm.bits.x)
    y = np.zeros((gemm.m, gemm.n), np.int64)
    rng = np.random.default_rng(faults.seed)
    for j, cells in enumerate(_cut(v, machine.cell_bits, gemm.bits.weight)):
        held = [_stuck(cells, machine, faults, rng) for _ in range(copies[j])]
        for i, voltages in enumerate(digits):
            read = _read(voltages, np.stack(held), machine)
            y += read << (i * machine.dac_bits + j * machine.cell_bits)
    y -= half_w * u.sum(axis=1, keepdims=True) + half_x * v.sum(axis=0) - gemm.k * half_x * half_w
    return _run(gemm, machine, len(digits), sum(copies), y)


def _cut(words: Int64[np.ndarray, "a b"], bits: int, width: int) -> list[Int64[np.ndarray, "a b"]]:
    """Digits of so many bits each, the lowest first."""
    return [words >> at & (2**bits - 1) for at in range(0, width, bits)]


def _stuck(
    cells: Int64[np.ndarray, "k n"], machine: Crossbar, faults: Faults, rng: np.random.Generator
) -> Int64[np.ndarray, "k n"]:
    """The cells as they are: some at zero, some at the largest conductance."""
    drawn = rng.random(cells.shape)
    on: Bool[np.ndarray, "k n"] = drawn >= 1 - faults.on
    return np.where(drawn < faults.off, 0, np.where(on, 2**machine.cell_bits - 1, cells))


def _read(
    voltages: Int64[np.ndarray, "m k"], held: Int64[np.ndarray, "copies k n"], machine: Crossbar
) -> Int64[np.ndarray, "m n"]:
    """Every crossbar's columns through the converter; medians of copies; crossbars added up."""
    largest, y = 2**machine.adc_bits - 1, np.zeros((len(voltages), held.shape[2]), np.int64)
    for at in range(0, held.shape[1], machine.rows):
        part = slice(at, at + machine.rows)
        sums = np.minimum(voltages[:, part] @ held[:, part], largest)
        y += np.sort(sums, axis=0)[len(held) // 2]
    return y


def _run(
    gemm: Gemm, machine: Crossbar, n_digits: int, columns: int, y: Int64[np.ndarray, "m n"]
) -> Run:
    """Counts; `columns` is how many an output takes."""
    all_columns, stacked = gemm.n * columns, -(-gemm.k // machine.rows)
    beside = -(-all_columns // machine.cols)
    turns = -(-min(all_columns, machine.cols) // machine.n_adcs)
    cycles = gemm.m * n_digits * turns
    conversions = gemm.m * n_digits * all_columns * stacked
    formula = (
        f"cycles = {cycles:,}: {gemm.m} inputs x {n_digits} digits x {turns} turns of the ADC; "
        f"{stacked} x {beside} crossbars, {columns} columns an output",
    )
    words = gemm.words
    return Run(
        cycles=cycles,
        macs=gemm.macs,
        n_units=stacked * beside * machine.rows * machine.n_adcs,
        accesses={
            "dac": {"x": gemm.m * n_digits * gemm.k * beside},
            "cell": {"weight": gemm.m * n_digits * gemm.k * all_columns},
            "adc": {"psum": conversions},
            "dram": {"x": words.x, "y": words.y},  # the weights are in the cells
        },
        bits={
            "x": gemm.bits.x,
            "weight": machine.cell_bits,
            "psum": machine.adc_bits,
            "y": gemm.bits.y,
        },
        y=y,
        formula=formula,
    )


def _check_product(
    gemm: Gemm,
    x: Num[np.ndarray, "m k"],
    weight: Num[np.ndarray, "k n"],
    machine: Crossbar,
    faults: Faults,
) -> None:
    _check.kind("crossbar", "gemm", gemm, Gemm)
    _check.kind("crossbar", "machine", machine, Crossbar)
    _check.kind("crossbar", "faults", faults, Faults)
    if gemm.groups != 1:
        _check.fail("crossbar", "gemm.groups", "must be 1", gemm.groups)
    gemm.lower(x, weight)  # shapes, and finite numbers
    for name, array in {"x": x, "weight": weight}.items():
        if array.dtype.kind not in "iu":
            raise _check.BadKind(f"crossbar: {name} must hold whole numbers, got {array.dtype}")
        bits = getattr(gemm.bits, name)
        _check.whole("crossbar", f"gemm.bits.{name}", bits, 1, 16)
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        worst = max(
            (int(array.min()), int(array.max())), key=lambda word: max(word, low + high - word)
        )
        if not low <= worst <= high:
            _check.fail("crossbar", name, f"must fit {bits} bits, [{low}, {high}]", worst)


def _check_copies(copies: Sequence[int], n_slices: int) -> tuple[int, ...]:
    copies = tuple(copies) or (1,) * n_slices
    if len(copies) != n_slices:
        _check.fail("crossbar", "copies", f"must say {n_slices} numbers, one a slice", copies)
    for number in copies:
        _check.whole("crossbar", "copies", number, 1)
        if number % 2 == 0:
            _check.fail("crossbar", "copies", "must be odd, to have a median", number)
    return copies
