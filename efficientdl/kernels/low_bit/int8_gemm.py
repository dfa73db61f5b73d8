"""Products of bytes in tiles, exact in int32."""

import numpy as np
from jaxtyping import Int8, Int32, UInt8

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_panels import (
    Int8Panels,
    pack_int8,
    room_for_rows,
    starts_of_rows,
    unpack_int8,
)
from efficientdl.kernels.low_bit.int8_tiles import BLOCK, PANEL, add_block
from efficientdl.kernels.simd import aligned
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Codes = UInt8[np.ndarray, "m k"] | Int8[np.ndarray, "m k"]
ZeroPoints = Int32[np.ndarray, " m"]
Shape = tuple[int, ...]


def _inputs(rng: np.random.Generator, size: int) -> tuple[np.ndarray | Int8Panels, ...]:
    """Odd sizes, one panel or two, codes with a sign or without, zero points in both factors."""
    m, k, n = size, 3 * size - 2, 1 + 5 * size if size % 4 else 64
    signed = rng.random() < 0.5
    low, dtype = (-128, np.int8) if signed else (0, np.uint8)
    x = rng.integers(low, low + 256, (m, k)).astype(dtype)
    weight = rng.integers(-128, 128, (k, n), dtype=np.int8)
    zeros = rng.integers(-128, 128, n, dtype=np.int32) if rng.random() < 0.5 else None
    return x, pack_int8(weight, zeros), rng.integers(low, low + 256, m, dtype=np.int32)


@technique(
    "kernel-int8-gemm",
    paper="Jacob, Kligys, Chen, Zhu, Tang, Howard, Adam, Kalenichenko, Quantization and Training "
    "of Neural Networks for Efficient Integer-Arithmetic-Only Inference, 2018",
    survey="2.3",
    lab="13_kernels_and_compilers",
    kind=Kernel(inputs=_inputs),
)
def int8_gemm(x: Codes, weight: Int8Panels, zero_points: ZeroPoints) -> Int32[np.ndarray, "m n"]:
    """Multiply matrices of bytes exactly: `c = (x - z_x) (w - z_w)` in int32.

    A tile of 6 rows and 64 columns keeps its 384 sums in 24 registers. Four products deep it reads
    4 registers of weights and 6 words of activations, and feeds them to 24 `dot4`: one instruction
    for 64 multiply-adds where the processor has VNNI. With fewer registers tiles have 4 rows and
    16 columns.

    Args:
        x: Activations, a row for each example, in uint8 or int8.
        weight: What `pack_int8` made of the weights `k n`.
        zero_points: The code of zero in each row of `x`.

    Raises:
        BadKind: An array has another dtype.
        BadValue: The shapes do not fit, or a zero point is no code.

    >>> x, weight = np.uint8([[3, 5]]), np.int8([[1, 10], [100, 0]])
    >>> int8_gemm(x, pack_int8(weight), np.int32([0]))
    array([[503,  30]], dtype=int32)
    >>> int8_gemm(x, pack_int8(weight), np.int32([3]))  # 0 and 2 steps from zero
    array([[200,   0]], dtype=int32)

    Source: Jacob et al., 2018, section 2.3, eq. 7; the survey's section 2.3; lab 13.
    """
    codes, rows = rows_of("int8_gemm", x, weight, zero_points)
    width = weight.columns.shape[1]
    c = aligned((len(codes), width), np.int32)
    n_blocks = -(-len(codes) // BLOCK)
    deal(
        _multiply,
        n_blocks * (width // PANEL),
        len(codes),
        words_of(codes, rows),
        columns_of(weight),
        (c.reshape(-1), width),
    )
    return cropped(c, len(x), weight.n)


def int8_gemm_reference(
    x: Codes, weight: Int8Panels, zero_points: ZeroPoints
) -> Int32[np.ndarray, "m n"]:
    """The same in NumPy: eq. 7 as it is written, in 64 bits."""
    steps = unpack_int8(weight).astype(np.int64) - weight.columns[1, : weight.n]
    return ((x.astype(np.int64) - zero_points[:, None]) @ steps).astype(np.int32)


def int8_gemm_cost(x: Shape, weight: Int8Panels, zero_points: Shape) -> Cost:
    """MACs, and the bytes of both factors, of the zero points and of the sums, each moved once.

    >>> int8_gemm_cost((2, 4), pack_int8(np.ones((4, 8), np.int8)), (2,))
    Cost(macs=64, traffic_bytes=112)
    """
    (m, k), n = x, weight.n
    return Cost(macs=m * k * n, traffic_bytes=m * k + k * n + 4 * zero_points[0] + 4 * m * n)


def cropped(c: np.ndarray, m: int, n: int) -> np.ndarray:
    """The part of a padded matrix that counts, in one piece."""
    return np.ascontiguousarray(c[:m, :n])


def rows_of(
    caller: str, x: Codes, weight: Int8Panels, zero_points: ZeroPoints
) -> tuple[UInt8[np.ndarray, "rows stride"], Int32[np.ndarray, "rows 2"]]:
    """Checked rows of bytes without a sign, and where their sums start."""
    _demand_rows(caller, x, weight, zero_points)
    codes = room_for_rows(*x.shape)
    inside = codes[: len(x), : weight.k]
    if x.dtype == np.uint8:
        inside[...] = x
        return codes, starts_of_rows(codes, zero_points, weight)
    np.bitwise_xor(x.view(np.uint8), np.uint8(128), out=inside)  # 128 more, without a sign
    return codes, starts_of_rows(codes, zero_points + np.int32(128), weight)


def words_of(codes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """Padded rows as the tiles take them."""
    return codes.view(np.int32).reshape(-1), codes.shape[1] // 4, rows.reshape(-1)


def columns_of(weight: Int8Panels) -> tuple[np.ndarray, int, np.ndarray, int]:
    """Panels as the tiles take them."""
    panels, columns = weight.panels, weight.columns
    return panels.reshape(-1), panels.shape[1], columns.reshape(-1), columns.shape[1]


def _demand_rows(caller: str, x: Codes, weight: Int8Panels, zero_points: ZeroPoints) -> None:
    _check.kind(caller, "weight", weight, Int8Panels)
    for name, array, dtypes in (
        ("x", x, (np.uint8, np.int8)),
        ("zero_points", zero_points, (np.int32,)),
    ):
        demand_array(caller, name, array, *dtypes)
    if x.ndim != 2 or x.shape[1] != weight.k:
        _check.fail(caller, "shape of x", f"must be m {weight.k}", x.shape)
    if zero_points.shape != x.shape[:1]:
        rule = f"must be one for each of {len(x)} rows"
        _check.fail(caller, "zero_points", rule, zero_points.shape)
    low = -128 if x.dtype == np.int8 else 0
    if len(x) and not (zero_points.min() >= low and zero_points.max() <= low + 255):
        ends = int(zero_points.min()), int(zero_points.max())
        _check.fail(caller, "zero_points", f"must be in [{low}, {low + 255}]", ends)


@compiled
def _multiply(first, last, n_rows, x, w, c):
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    for tile in range(first, last):  # the blocks of one panel, then those of the next
        column, row = tile // n_blocks * PANEL, tile % n_blocks * BLOCK
        add_block(x, row, min(n_rows, row + BLOCK), w, column, c, row * c[1] + column)
