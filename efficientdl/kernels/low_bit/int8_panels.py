"""Bytes as the int8 product wants them: weights in panels, packed once, and rows of activations."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int8, Int32, Integer, UInt8

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.low_bit.int8_tiles import DEPTH, PANEL, SHORT
from efficientdl.kernels.simd import aligned

LARGEST_SUM = 2**31 - 1
_LINE = 64  # bytes
_ALIAS = 1024  # rows that begin a multiple of this apart push each other out of the nearest cache


@dataclass(frozen=True, eq=False)
class Int8Panels:
    """Weights `k n` in int8, in panels of 64 columns, as `pack_int8` makes them.

    Attributes:
        panels: Zeros fill up the last panel, and the last four rows.
        columns: For each column `sum (w - z_w)`, and below it `z_w`.
        k: How many products a sum has.
        n: How many columns there are.
    """

    panels: Int8[np.ndarray, "panels steps 64 4"]
    columns: Int32[np.ndarray, "2 width"]
    k: int
    n: int

    def __post_init__(self) -> None:
        _check.whole("Int8Panels", "k", self.k, 1)
        _check.whole("Int8Panels", "n", self.n, 1)
        n_panels, steps = -(-self.n // PANEL), -(-self.k // DEPTH)
        wanted = {
            "panels": (np.dtype(np.int8), (n_panels, steps, PANEL, DEPTH)),
            "columns": (np.dtype(np.int32), (2, n_panels * PANEL)),
        }
        for name, (dtype, shape) in wanted.items():
            array = getattr(self, name)
            _check.kind("Int8Panels", name, array, np.ndarray)
            if (array.dtype, array.shape) != (dtype, shape) or not array.flags.c_contiguous:
                rule = f"must be {dtype} of shape {shape}, in one piece"
                _check.fail("Int8Panels", name, rule, (array.dtype.name, array.shape))
            array.flags.writeable = False


def pack_int8(
    weight: Int8[np.ndarray, "k n"], zero_points: Int32[np.ndarray, " n"] | None = None
) -> Int8Panels:
    """Put int8 weights into panels, and add up their columns.

    Args:
        weight: The codes, a column for each output.
        zero_points: The code of zero in each column, -128 to 127; all are 0 where there is none.

    Raises:
        BadKind: The weight is not int8, or the zero points are not int32.
        BadValue: A shape does not fit, or a sum could leave 32 bits.

    >>> packed = pack_int8(np.ones((5, 3), dtype=np.int8))
    >>> packed.panels.shape, packed.columns[0, :4].tolist()
    ((1, 2, 64, 4), [5, 5, 5, 0])
    """
    _demand_weight(weight, zero_points)
    k, n = weight.shape
    n_panels, steps = -(-n // PANEL), -(-k // DEPTH)
    zeros = np.zeros(n, np.int32) if zero_points is None else zero_points
    whole = np.zeros((DEPTH * steps, PANEL * n_panels), np.int8)
    whole[:k, :n] = weight
    panels = aligned((n_panels, steps, PANEL, DEPTH), np.int8)
    panels[...] = whole.reshape(steps, DEPTH, n_panels, PANEL).transpose(2, 0, 3, 1)
    away = weight.astype(np.int64) - zeros
    largest = 255 * int(np.abs(away).sum(axis=0).max())
    if largest > LARGEST_SUM:
        rule = "must be so small that 255 times a column's sum of magnitudes is below 2**31"
        _check.fail("pack_int8", "weight", rule, largest)
    columns = aligned((2, PANEL * n_panels), np.int32)
    columns[:, :n] = away.sum(axis=0), zeros
    return Int8Panels(panels, columns, k, n)


def unpack_int8(packed: Int8Panels) -> Int8[np.ndarray, "k n"]:
    """The weights as they were before `pack_int8`.

    >>> unpack_int8(pack_int8(np.arange(6, dtype=np.int8).reshape(2, 3)))
    array([[0, 1, 2],
           [3, 4, 5]], dtype=int8)
    """
    n_panels, steps = packed.panels.shape[:2]
    whole = packed.panels.transpose(1, 3, 0, 2).reshape(DEPTH * steps, PANEL * n_panels)
    return whole[: packed.k, : packed.n].copy()


def room_for_rows(m: int, k: int) -> UInt8[np.ndarray, "rows stride"]:
    """Zeros for `m` rows of `k` bytes, padded as the tiles want them."""
    stride = -(-k // _LINE) * _LINE
    stride += _LINE if stride % _ALIAS == 0 else 0
    return aligned((-(-m // SHORT) * SHORT, stride), np.uint8)


def starts_of_rows(
    codes: UInt8[np.ndarray, "rows stride"], zero_points: Integer[np.ndarray, " m"], w: Int8Panels
) -> Int32[np.ndarray, "rows 2"]:
    """What each row brings to the start of its sums: `-z_x`, and `-sum x` where that counts."""
    rows = aligned((len(codes), 2), np.int32)
    rows[: len(zero_points), 0] = -zero_points
    if w.columns[1].any():
        rows[:, 1] = -codes[:, : w.k].sum(axis=1, dtype=np.int32)
    return rows


def _demand_weight(weight: np.ndarray, zero_points: np.ndarray | None) -> None:
    demand_array("pack_int8", "weight", weight, np.int8)
    if weight.ndim != 2 or 0 in weight.shape:
        _check.fail("pack_int8", "shape of weight", "must be k n, not empty", weight.shape)
    if zero_points is None:
        return
    demand_array("pack_int8", "zero_points", zero_points, np.int32)
    if zero_points.shape != weight.shape[1:]:
        rule = f"must be one for each of {weight.shape[1]} columns"
        _check.fail("pack_int8", "zero_points", rule, zero_points.shape)
    if not (zero_points.min() >= -128 and zero_points.max() <= 127):
        ends = int(zero_points.min()), int(zero_points.max())
        _check.fail("pack_int8", "zero_points", "must be in [-128, 127]", ends)
