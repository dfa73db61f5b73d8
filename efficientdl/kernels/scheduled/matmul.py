"""A dense product whose schedule is an argument."""

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.scheduled.columns import PackedColumns, demand_matrix, demand_width
from efficientdl.kernels.scheduled.loops import tiles
from efficientdl.kernels.scheduled.schedule import Schedule
from efficientdl.kernels.simd import aligned
from efficientdl.kernels.threads import deal, threads
from efficientdl.report import Cost

Matrix = Float32[np.ndarray, "m k"]


def scheduled_matmul(
    x: Matrix, weight: PackedColumns, schedule: Schedule
) -> Float32[np.ndarray, "m n"]:
    """Multiply `y = x W` with loops cut and ordered as the schedule says.

    Args:
        x: What is multiplied, of any layout.
        weight: What `pack_columns` has made for a schedule with panels of this width.
        schedule: How.

    Raises:
        BadKind: An argument is of another kind.
        BadValue: `x` does not fit the weight, or the weight's panels the schedule.

    >>> from efficientdl.kernels.scheduled.columns import pack_columns
    >>> schedule = Schedule("nkm", 16, 16, 16, inner=(2, 1), unroll=1)
    >>> weight = pack_columns(np.float32([[1, 2], [3, 4]]), schedule)
    >>> scheduled_matmul(np.float32([[1, 0], [1, 10]]), weight, schedule)
    array([[ 1.,  2.],
           [31., 42.]], dtype=float32)

    Source: Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM
        Transactions on Mathematical Software, 2008; survey section 6.1; lab 13.
    """
    _demand("scheduled_matmul", x, weight)
    _check.kind("scheduled_matmul", "schedule", schedule, Schedule)
    demand_width("scheduled_matmul", weight, schedule)
    m, k = x.shape
    bases, offsets = np.arange(m) * k, np.arange(k)
    return multiply(np.ascontiguousarray(x), bases, offsets, weight, schedule)[:m, : weight.n]


def multiply(
    x: Float32[np.ndarray, "..."],
    bases: np.ndarray,
    offsets: np.ndarray,
    weight: PackedColumns,
    schedule: Schedule,
) -> Float32[np.ndarray, "rows columns"]:
    """The sums of whole strips and whole panels, of elements at `bases[i] + offsets[p]` of `x`.

    Args:
        x: Values, contiguous.
        bases: Where each row begins. The last strip is filled up with its last row.
        offsets: How far each step is from there; no sum of the two leaves `x`.
        weight: As many steps as there are offsets.
        schedule: How.
    """
    rows = schedule.rows
    n_rows = -(-len(bases) // rows) * rows
    places = np.full(n_rows, bases[-1], np.int64)
    places[: len(bases)] = bases
    n_panels, k, width = weight.panels.shape
    y = aligned((n_rows, n_panels * width), np.float32)
    ends = n_rows, n_panels, k
    tile = -(-schedule.tile_m // rows) * rows, -(-schedule.tile_n // width), schedule.tile_k
    order = tuple("mnk".index(axis) for axis in schedule.order)
    shared = order[1] if order[0] == 2 else order[0]
    inner = tuple((0,) * n for n in (rows, schedule.registers, schedule.unroll))
    operands = (
        (x.reshape(-1), places, offsets.astype(np.int64)),
        (weight.panels.reshape(-1), k),
        (y.reshape(-1), n_panels * width),
    )
    with threads(schedule.threads):
        n_tiles = -(-ends[shared] // tile[shared])
        deal(tiles, n_tiles, operands, (ends, tile, order), inner)
    return y


def scheduled_matmul_reference(
    x: Matrix, weight: PackedColumns, schedule: Schedule
) -> Float32[np.ndarray, "m n"]:
    """`scheduled_matmul` in NumPy, whatever the schedule."""
    _demand("scheduled_matmul_reference", x, weight)
    _check.kind("scheduled_matmul_reference", "schedule", schedule, Schedule)
    return (x.astype(np.float64) @ weight.matrix()).astype(np.float32)


def scheduled_matmul_cost(x: tuple[int, int], weight: PackedColumns, schedule: Schedule) -> Cost:
    """Cost of the product: what a schedule rounds up is counted, since it is computed.

    Args:
        x: Shape of what is multiplied.
        weight: The weight.
        schedule: How.
    """
    m, k = x
    strips = -(-m // schedule.rows) * schedule.rows
    return Cost(
        params=k * weight.n,
        macs=strips * weight.panels.size,
        weight_bits=8 * weight.panels.nbytes,
        traffic_bytes=4 * (m * k + weight.panels.size + m * weight.n),
    )


def _demand(caller: str, x: object, weight: object) -> None:
    demand_matrix(caller, "x", x)
    _check.kind(caller, "weight", weight, PackedColumns)
    assert isinstance(x, np.ndarray)
    assert isinstance(weight, PackedColumns)
    if x.shape[1] != weight.k:
        _check.fail(caller, "columns of x", f"must be the weight's {weight.k} rows", x.shape[1])
