"""A linear layer on int8 weights, floats in and floats out."""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_gemm import (
    columns_of,
    cropped,
    int8_gemm_cost,
    int8_gemm_reference,
    words_of,
)
from efficientdl.kernels.low_bit.int8_panels import Int8Panels, starts_of_rows
from efficientdl.kernels.low_bit.int8_quantize import padded_rows, quantize_rows_reference
from efficientdl.kernels.low_bit.int8_tiles import BLOCK, PANEL, add_block
from efficientdl.kernels.simd import aligned, floats, load, room, splat, store
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Matrix = Float32[np.ndarray, "m _"]
Vector = Float32[np.ndarray, " n"]
ROWS = 12  # whose sums wait in the nearest cache to become floats


def int8_linear(x: Matrix, weight: Int8Panels, scales: Vector) -> Matrix:
    """Multiply floats by int8 weights: quantize each row of `x`, multiply bytes, scale the sums.

    `y = scale_x scale_w sum (x_q - z_x) (w - z_w)`. Rows become bytes as `quantize_rows` does it,
    and each tile's sums become floats while they are in the nearest cache.

    Args:
        x: Rows of finite floats.
        weight: What `pack_int8` made of the weights' codes.
        scales: What a step of each column stands for.

    Raises:
        BadKind: An array is not float32.
        BadValue: The shapes do not fit, or a number is not finite.

    >>> from efficientdl.kernels.low_bit.int8_panels import pack_int8
    >>> x = np.float32([[0.0, 51.0, 255.0]])
    >>> int8_linear(x, pack_int8(np.int8([[1], [1], [-1]])), np.float32([0.5]))
    array([[-102.]], dtype=float32)

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", CVPR 2018, section 2; the survey's section 2.3; lab 13.
    """
    _demand(x, weight, scales)
    codes, row_scales, zero_points = padded_rows("int8_linear", x)
    rows = starts_of_rows(codes, zero_points, weight)
    width = weight.columns.shape[1]
    by_row, by_column = aligned(len(codes), np.float32), aligned(width, np.float32)
    by_row[: len(x)], by_column[: weight.n] = row_scales, scales
    y = room((len(codes), width), np.float32)
    deal(
        _multiply_floats,
        -(-len(codes) // BLOCK) * (width // PANEL),
        len(codes),
        words_of(codes, rows),
        columns_of(weight),
        by_row,
        by_column,
        y.reshape(-1),
    )
    return cropped(y, len(x), weight.n)


def int8_linear_reference(x: Matrix, weight: Int8Panels, scales: Vector) -> Matrix:
    """The same in NumPy."""
    codes, row_scales, zero_points = quantize_rows_reference(x)
    sums = int8_gemm_reference(codes, weight, zero_points).astype(np.float32)
    return sums * (row_scales[:, None] * scales)


def int8_linear_cost(x: tuple[int, ...], weight: Int8Panels, scales: tuple[int, ...]) -> Cost:
    """As of `int8_gemm`, but floats of `x` in place of bytes.

    >>> from efficientdl.kernels.low_bit.int8_panels import pack_int8
    >>> int8_linear_cost((2, 4), pack_int8(np.ones((4, 8), np.int8)), (8,))
    Cost(macs=64, traffic_bytes=160)
    """
    product = int8_gemm_cost(x, weight, (0,))
    moved = (product.traffic_bytes or 0) + 3 * x[0] * x[1] + 4 * scales[0]
    return Cost(macs=product.macs, traffic_bytes=moved)


def _demand(x: np.ndarray, weight: Int8Panels, scales: np.ndarray) -> None:
    _check.kind("int8_linear", "weight", weight, Int8Panels)
    for name, array in (("x", x), ("scales", scales)):
        demand_array("int8_linear", name, array, np.float32)
    if x.ndim != 2 or x.shape[1] != weight.k:
        _check.fail("int8_linear", "shape of x", f"must be m {weight.k}", x.shape)
    if scales.shape != (weight.n,):
        rule = f"must be one for each of {weight.n} columns"
        _check.fail("int8_linear", "scales", rule, scales.shape)
    if not np.isfinite(scales).all():
        _check.fail("int8_linear", "scales", "must be finite", scales.tolist())


@compiled
def _multiply_floats(first, last, n_rows, x, w, by_row, by_column, y):
    width = w[3]
    n_blocks = (n_rows + BLOCK - 1) // BLOCK
    sums = np.empty(ROWS * PANEL, np.int32)
    for tile in range(first, last):
        column, top = tile // n_blocks * PANEL, tile % n_blocks * BLOCK
        bottom = min(n_rows, top + BLOCK)
        for row in range(top, bottom, ROWS):
            end = min(bottom, row + ROWS)
            add_block(x, row, end, w, column, (sums, PANEL), 0)
            for i in range(end - row):
                scale = splat(by_row[row + i])
                for j in range(0, PANEL, 16):
                    value = floats(load(sums, i * PANEL + j)) * (
                        scale * load(by_column, column + j)
                    )
                    store(y, (row + i) * width + column + j, value)
