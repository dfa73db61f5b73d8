"""A schedule: how the loops of a product are cut and ordered, and nothing about what they compute.

Every schedule gives the same sums, up to the order in which they are added; they differ in speed
by a factor of ten and more.
"""

from dataclasses import dataclass
from itertools import permutations

from efficientdl import _check
from efficientdl.kernels import cpu

ORDERS = tuple("".join(order) for order in permutations("mnk"))
LANES = 16  # floats of a register
MOST_ROWS, MOST_REGISTERS, MOST_STEPS = 16, 4, 8  # more would only take long to compile
FARTHEST = 2**31 - 1
# Registers of 64 bytes. AVX2 has 16 of half that size, and what is older 16 of a quarter.
N_REGISTERS = 32 if cpu.has(cpu.AVX512) else 8 if cpu.has(cpu.AVX2) else 4


@dataclass(frozen=True)
class Schedule:
    """How to compute `y[m, n] = sum over k of x[m, k] w[k, n]`.

    Attributes:
        order: The loops over tiles, the outermost first. `"nkm"` keeps a tile of `w` while all
            rows of `x` pass by; with `"mnk"` a tile of sums is finished before the next begins.
        tile_m: Rows of a tile; rounded up to whole strips.
        tile_n: Columns of a tile; rounded up to whole panels.
        tile_k: Steps of a tile. A sum is fetched and put back once for each tile of steps.
        inner: Rows of a strip, and registers of a panel of columns: rows times registers of sums
            stay in the processor while it goes through the steps.
        unroll: Steps written out one after another.
        threads: Threads that share the outermost loop that is not over steps.

    >>> Schedule("nkm", 64, 128, 256, inner=(6, 2), unroll=2).columns
    32
    >>> Schedule("nkm", 64, 128, 256, inner=(6, 2), unroll=2).n_registers
    15
    """

    order: str
    tile_m: int
    tile_n: int
    tile_k: int
    inner: tuple[int, int]
    unroll: int
    threads: int = 1

    def __post_init__(self) -> None:
        _check.one_of("Schedule", "order", self.order, ORDERS)
        for name in ("tile_m", "tile_n", "tile_k"):
            _check.whole("Schedule", name, getattr(self, name), 1, FARTHEST)
        _check.kind("Schedule", "inner", self.inner, tuple)
        if len(self.inner) != 2:
            _check.fail("Schedule", "inner", "must be rows and registers", self.inner)
        _check.whole("Schedule", "rows of inner", self.inner[0], 1, MOST_ROWS)
        _check.whole("Schedule", "registers of inner", self.inner[1], 1, MOST_REGISTERS)
        _check.whole("Schedule", "unroll", self.unroll, 1, MOST_STEPS)
        _check.whole("Schedule", "threads", self.threads, 1, 1024)

    @property
    def rows(self) -> int:
        """Rows of a strip."""
        return self.inner[0]

    @property
    def registers(self) -> int:
        """Registers of a panel."""
        return self.inner[1]

    @property
    def columns(self) -> int:
        """Columns of a panel."""
        return LANES * self.registers

    @property
    def n_registers(self) -> int:
        """Registers that a step needs: the sums, a row of the panel, and one number of `x`."""
        return (self.rows + 1) * self.registers + 1
