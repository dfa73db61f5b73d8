"""A sparse matrix times the pixels of an image, from planes to planes: nothing is packed.

What a row of the product costs beside its multiplications is its sums, fetched and put back once a
block. So blocks are wide where few weights are kept, and narrow where many are: the rows of `x`
that a block meets then leave the nearest cache room for the weight.
"""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.planes import (
    Finish,
    Floats,
    Planes,
    demand_apart,
    demand_planes,
    finish_for,
    floats_of,
    place_for,
)
from efficientdl.kernels.sparse import block_loops, vectors
from efficientdl.kernels.sparse.blocks import (
    TALLEST,
    WIDEST,
    BlockedRows,
    Loops,
    block_matmul_cost,
    block_matmul_reference,
    blocked,
    columns_of_a_block,
    deal_panels,
)
from efficientdl.kernels.sparse.demands import Indices, demand_rows
from efficientdl.kernels.sparse.panels import split
from efficientdl.report import Cost

FIT, WANTED = 64, 25  # columns of a block at least; values that a row should keep in one
LOOPS: dict[int, tuple[Loops, int]] = {
    1: (block_loops.LOOPS, WIDEST),
    vectors.HEIGHT: (vectors.LOOPS, vectors.WIDEST),
}


def pack_for_planes(
    values: Float32[np.ndarray, "kept ..."], columns: Indices, row_starts: Indices, k: int
) -> BlockedRows:
    """Compressed rows, or vectors of four rows, in the blocks that pixels of an image want.

    Args:
        values: The entries kept, row by row, in float32; four each where rows share columns.
        columns: The column of each; within a row they rise.
        row_starts: Where each row begins among them, and one more for the end.
        k: Columns of the matrix.

    Raises:
        BadKind: A dtype is another one.
        BadValue: The arrays do not fit together, or columns do not rise.

    >>> pack_for_planes(np.float32([2, 3]), np.int32([1, 0]), np.int32([0, 1, 2]), 2).n_rows
    16
    """
    parts = demand_rows("pack_for_planes", values, columns, row_starts, k)
    values = parts[0] if parts[0].ndim > 1 else parts[0][:, None]
    height = values.shape[1]
    if values.ndim != 2 or height not in LOOPS:
        _check.fail("pack_for_planes", "height of the values", f"must be in {[*LOOPS]}", height)
    n_rows = len(row_starts) - 1
    tile = min(n_rows + -n_rows % 16, TALLEST // height)
    block = columns_of_a_block(row_starts, k, FIT, WANTED // height)
    return blocked(values, *parts[1:], k, block, max(tile, 1))


def plane_matmul(
    weight: BlockedRows, x: Planes, finish: Finish | None = None, into: Floats | None = None
) -> Planes:
    """Multiply a sparse matrix by the pixels of an image: a convolution of 1 x 1.

    Args:
        weight: What `pack_for_planes` has made.
        x: As many planes as the weight has columns.
        finish: A bias for each row, and bounds for the result; none unless given.
        into: Where to put the result, `weight.n_rows` planes; a new place if there is none.

    Raises:
        BadKind: `weight` or `x` is of another kind.
        BadValue: Something has another size, or `into` overlaps `x`.

    >>> from efficientdl.kernels.planes import finish_of, planes_of
    >>> weight = pack_for_planes(np.float32([2]), np.int32([0]), np.int32([0, 1]), 1)
    >>> finish = finish_of(np.float32([-3]), (0, 6))
    >>> plane_matmul(weight, planes_of(np.float32([[[1, 2, 9]]])), finish).image
    array([[[0., 1., 6.]]], dtype=float32)

    Source: the survey's section 6; lab 13.
    """
    _check.kind("plane_matmul", "weight", weight, BlockedRows)
    demand_planes("plane_matmul", x, weight.k)
    into = place_for("plane_matmul", into, floats_of(weight.n_rows, x.pixels))
    demand_apart("plane_matmul", x=x.floats, into=into)
    finish = finish_for("plane_matmul", finish, weight.n_rows, weight.m)
    loops, widest = LOOPS[weight.height]
    left, step = 0, x.step
    for width, n_panels in split(x.pixels, widest):
        both = (x.floats[left:], (step, width), into[left:], (step, width))
        deal_panels(loops[width], weight, (n_panels, weight.k, width), both, finish)
        left += width * n_panels
    return Planes(into, weight.m, x.height, x.width)


def plane_matmul_reference(
    weight: BlockedRows, image: Float32[np.ndarray, "c h w"], finish: Finish | None = None
) -> Float32[np.ndarray, "c_out h w"]:
    """The same in NumPy, on an image."""
    y = block_matmul_reference(weight, image.reshape(len(image), -1))
    if finish is not None:
        y = np.clip(y + finish.bias[: weight.m, None], finish.low, finish.high)
    return y.reshape(weight.m, *image.shape[1:])


def plane_matmul_cost(weight: BlockedRows, image: tuple[int, int, int]) -> Cost:
    """MACs that run, and bytes that must travel, from the weight and the shape of an image.

    >>> weight = pack_for_planes(np.float32([2]), np.int32([0]), np.int32([0, 1]), 1)
    >>> plane_matmul_cost(weight, (1, 2, 3)).macs
    6
    """
    return block_matmul_cost(weight, (image[0], image[1] * image[2]))
