"""N of every M neighbours of a row, times a dense matrix: 2:4 and its kin, with packed places.

Every group of `m` consecutive columns keeps `n` values, so no row needs a start, and each value's
place takes two bits where `m` is at most 4, and four up to 16. The matrix is cut into tiles of
rows and blocks of columns, as in `blocks`.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, UInt8

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.packed import Packed, demand_dtype
from efficientdl.kernels.sparse.blocks import WIDEST, rows_of_a_tile
from efficientdl.kernels.sparse.demands import demand_x
from efficientdl.kernels.sparse.group_loops import loop
from efficientdl.kernels.sparse.panels import (
    Layout,
    Matrix,
    Panels,
    by_panels,
    framed,
    side_by_side,
)
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

BLOCK = 128  # about so many columns of a block: 32 KiB of x, the first cache
TOGETHER = 4  # groups whose places fill whole bytes


@dataclass(frozen=True, eq=False)
class NOfM(Packed):
    """A matrix that keeps `n` of every `m` neighbours, tile by tile, block by block, row by row.

    Attributes:
        values: What is kept, group by group; zeros where a group keeps fewer.
        codes: Their places within the groups, two bits or four each, the first one lowest.
        n: How many values a group keeps.
        m: How many columns a group has, up to 16.
        rows: Rows of the matrix.
        k: Its columns.
        block: Columns of a block.
        tile: Rows of a tile.
    """

    values: Float32[np.ndarray, " kept"]
    codes: UInt8[np.ndarray, " bytes"]
    n: int
    m: int
    rows: int
    k: int
    block: int
    tile: int

    dtypes: ClassVar = {"values": np.float32, "codes": np.uint8}

    @property
    def bits(self) -> int:
        """Bits of a place."""
        return 2 if self.m <= 4 else 4

    @property
    def n_blocks(self) -> int:
        """Blocks of columns."""
        return -(-self.k // self.block)

    @property
    def n_tiles(self) -> int:
        """Tiles of rows."""
        return -(-self.rows // self.tile)

    @property
    def places(self) -> UInt8[np.ndarray, " kept"]:
        """The place of each value within its group."""
        shifts = np.arange(0, 8, self.bits, dtype=np.uint8)
        return ((self.codes[:, None] >> shifts) & np.uint8(2**self.bits - 1)).reshape(-1)

    def demand(self) -> None:
        _demand_pattern("NOfM", self.n, self.m)
        _check.whole("NOfM", "k", self.k, 1)
        _check.whole("NOfM", "tile", self.tile, 1)
        _check.divides("NOfM", "TOGETHER groups of m", TOGETHER * self.m, "block", self.block)
        kept = self.n_tiles * self.tile * self.n_blocks * (self.block // self.m) * self.n
        if self.values.shape != (kept,) or self.codes.shape != (kept * self.bits // 8,):
            rule = f"must be {kept} values, and {self.bits} bits for the place of each"
            self.refuse("values and codes", rule, (self.values.shape, self.codes.shape))
        if kept and self.places.max() >= self.m:
            self.refuse("places", f"must be below {self.m}", int(self.places.max()))


def pack_n_of_m(weight: Float32[np.ndarray, "rows k"], n: int, m: int) -> NOfM:
    """A matrix of which every group of `m` columns holds at most `n` values, packed.

    Args:
        weight: The matrix with its zeros, float32 of any layout.
        n: How many values a group keeps.
        m: How many consecutive columns a group has, 2 to 16; it divides their number.

    Raises:
        BadKind: `weight` is no array of float32.
        BadValue: A group has more than `n` values that are not zero, or `m` does not divide `k`.

    >>> packed = pack_n_of_m(np.float32([[0, 5, 0, 7]]), n=2, m=4)
    >>> packed.values[:2].tolist(), packed.places[:2].tolist()
    ([5.0, 7.0], [1, 3])
    """
    _check.kind("pack_n_of_m", "weight", weight, np.ndarray)
    demand_dtype("pack_n_of_m", "weight", weight, np.float32)
    _demand_pattern("pack_n_of_m", n, m)
    if weight.ndim != 2 or not weight.shape[1]:
        _check.fail("pack_n_of_m", "shape of weight", "must be rows k", weight.shape)
    rows, k = weight.shape
    _check.divides("pack_n_of_m", "m", m, "the number of columns", k)
    block = _columns_of_a_block(k, TOGETHER * m)
    tile = rows_of_a_tile(rows, 2)
    whole = np.zeros((-(-rows // tile) * tile, -(-k // block) * block), np.float32)
    whole[:rows, :k] = weight
    shape = (whole.shape[0] // tile, tile, whole.shape[1] // block, block // m, m)
    groups = whole.reshape(shape).transpose(0, 2, 1, 3, 4)  # tile, block, row, group, column
    most = int(np.count_nonzero(groups, axis=4).max(initial=0))
    if most > n:
        _check.fail("pack_n_of_m", "weight", f"must keep at most {n} of every {m}", most)
    places = np.sort(np.argsort(groups == 0, axis=4, kind="stable")[..., :n], axis=4)
    values = np.take_along_axis(groups, places, 4).reshape(-1)
    per_byte = 4 if m <= 4 else 2
    parts = places.astype(np.uint8).reshape(-1, per_byte) << np.arange(0, 8, 8 // per_byte)
    codes = np.bitwise_or.reduce(parts, axis=1).astype(np.uint8)
    return NOfM(values, codes, n, m, rows, k, block, tile)


def _inputs(rng: np.random.Generator, size: int) -> tuple[NOfM, np.ndarray]:
    """One or more of a few neighbours, times one column or several."""
    m = int(rng.choice([2, 4, 8, 16]))
    n, groups = int(rng.integers(1, m + 1)), 1 + size // 3
    drop = np.argsort(rng.random((size, groups, m)), axis=2) >= n
    weight = rng.standard_normal((size, groups, m)) * ~drop
    x = rng.standard_normal((groups * m, 4 * size + 1))
    packed = pack_n_of_m(weight.reshape(size, -1).astype(np.float32), n, m)
    return packed, x.astype(np.float32)


@technique(
    "kernel-sparse-nm",
    paper="Mishra, Albericio Latorre, Pool, Stosic, Stosic, Venkatesh, Yu, Micikevicius, "
    "Accelerating Sparse Deep Neural Networks, 2021",
    survey="6",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs, tolerance=1e-4, reason="the same sums in another order"),
)
def n_of_m_matmul(weight: NOfM, x: Matrix) -> Matrix:
    """Multiply a matrix that keeps N of every M neighbours by a dense one: `y = A x`.

    The kernel takes the `n` values of a group one after the other, and looks up which of the `m`
    rows of `x` each meets. A group is as long as any other: no branch has to be foreseen.

    Args:
        weight: What `pack_n_of_m` has made.
        x: What to multiply by, float32 of any layout. Where its columns lie side by side, so do
            those of `y`.

    Raises:
        BadKind: `weight` or `x` is of another kind.
        BadValue: `x` has not as many rows as the weight has columns.

    >>> weight = pack_n_of_m(np.float32([[0, 5, 0, 7]]), n=2, m=4)
    >>> n_of_m_matmul(weight, np.float32([[1], [2], [3], [4]]))
    array([[38.]], dtype=float32)

    Source: Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021, section 3, for 2:4 and
    its places of two bits; the survey's section 6; lab 13.
    """
    _check.kind("n_of_m_matmul", "weight", weight, NOfM)
    demand_x("n_of_m_matmul", x, weight.k, 2)
    run = partial(_of_panels, weight)
    rows = weight.n_tiles * weight.tile
    return by_panels(run, x, (weight.n_blocks * weight.block, rows, weight.rows), WIDEST)


def _of_panels(weight: NOfM, panels: Panels, y: np.ndarray, layout: Layout) -> None:
    frame = framed(weight.n_bytes, weight.n_tiles, panels.shape, side_by_side(panels), layout)
    sizes = weight.tile, weight.n_blocks, weight.block // (TOGETHER * weight.m)
    n_all = len(panels) * weight.n_tiles
    run = loop(panels.shape[2], weight.n, weight.m, weight.bits)
    deal(run, n_all, panels.reshape(-1), y, (weight.values, weight.codes), sizes, frame)


def n_of_m_matmul_reference(weight: NOfM, x: Matrix) -> Matrix:
    """`n_of_m_matmul` in NumPy: unpacked to a dense matrix and multiplied."""
    groups = weight.block // weight.m
    shape = (weight.n_tiles, weight.n_blocks, weight.tile, groups, weight.n)
    dense = np.zeros((*shape[:4], weight.m), np.float32)
    places = weight.places.reshape(shape).astype(np.intp)
    np.put_along_axis(dense, places, weight.values.reshape(shape), 4)
    whole = dense.transpose(0, 2, 1, 3, 4).reshape(weight.n_tiles * weight.tile, -1)
    return whole[: weight.rows, : weight.k] @ x


def n_of_m_matmul_cost(weight: NOfM, x: tuple[int, ...]) -> Cost:
    """MACs of the pattern, and bytes that must travel, from the weight and the shape of `x`.

    >>> n_of_m_matmul_cost(pack_n_of_m(np.float32([[0, 5, 0, 7]]), n=2, m=4), (4, 3))
    Cost(macs=6, traffic_bytes=69)
    """
    kept = weight.rows * weight.k // weight.m * weight.n
    weight_bytes = 4 * kept + -(-kept * weight.bits // 8)
    moved = weight_bytes + 4 * (weight.k + weight.rows) * x[1]
    return Cost(macs=kept * x[1], traffic_bytes=moved)


def _demand_pattern(caller: str, n: int, m: int) -> None:
    _check.whole(caller, "m", m, 2, 16)
    _check.whole(caller, "n", n, 1, m)


def _columns_of_a_block(k: int, step: int) -> int:
    """About `BLOCK`, in whole steps, so that the last block is nearly full."""
    n_blocks = max(k // BLOCK, 1)
    return -(-k // (n_blocks * step)) * step
