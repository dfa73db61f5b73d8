"""The weight in panels: a few registers of columns wide, step by step, one panel after another.

So the innermost loop reads it from front to back. A network's weight does not change, and is put
into this form once; how wide panels are is the schedule's to say.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32

from efficientdl import _check
from efficientdl.kernels.packed import Packed, demand_dtype
from efficientdl.kernels.scheduled.schedule import FARTHEST, LANES, MOST_REGISTERS, Schedule


@dataclass(frozen=True, eq=False)
class PackedColumns(Packed):
    """A matrix in panels of columns. What the last one has too much is zeros.

    Attributes:
        panels: Panel, step, column.
        n: Columns of the matrix.
    """

    panels: Float32[np.ndarray, "panels k width"]
    n: int

    dtypes: ClassVar = {"panels": np.float32}

    @property
    def k(self) -> int:
        """Rows of the matrix: steps of the product."""
        return self.panels.shape[1]

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return self.panels.shape[2]

    def demand(self) -> None:
        _check.whole("PackedColumns", "n", self.n, 1, FARTHEST)
        widths = [LANES * registers for registers in range(1, MOST_REGISTERS + 1)]
        fits = self.panels.ndim == 3 and self.panels.shape[2] in widths and self.panels.size > 0
        if not fits or self.panels.shape[0] != -(-self.n // self.panels.shape[2]):
            rule = f"must have panels, steps and one of {widths} columns, and hold n = {self.n}"
            self.refuse("shape of panels", rule, self.panels.shape)

    def matrix(self) -> Float32[np.ndarray, "k n"]:
        """The matrix again."""
        return self.panels.transpose(1, 0, 2).reshape(self.k, -1)[:, : self.n]


def pack_columns(w: Float32[np.ndarray, "k n"], schedule: Schedule) -> PackedColumns:
    """Put a matrix into panels as wide as a schedule wants them.

    Args:
        w: The matrix, of any layout.
        schedule: How it will be multiplied by.

    Raises:
        BadKind: `w` is not an array of float32, or `schedule` none.
        BadValue: `w` has not two axes, or is empty.

    >>> schedule = Schedule("mnk", 64, 64, 64, inner=(1, 2), unroll=1)
    >>> pack_columns(np.ones((3, 40), np.float32), schedule).panels.shape
    (2, 3, 32)
    """
    demand_matrix("pack_columns", "w", w)
    _check.kind("pack_columns", "schedule", schedule, Schedule)
    (k, n), width = w.shape, schedule.columns
    whole = np.zeros((k, -(-n // width) * width), np.float32)
    whole[:, :n] = w
    return PackedColumns(whole.reshape(k, -1, width).transpose(1, 0, 2), n)


def demand_matrix(caller: str, name: str, value: object, n_axes: int = 2) -> None:
    """Refuse what is not an array of float32 with so many axes and something in it."""
    _check.kind(caller, name, value, np.ndarray)
    assert isinstance(value, np.ndarray)
    demand_dtype(caller, name, value, np.float32)
    if value.ndim != n_axes or value.size == 0:
        _check.fail(caller, f"shape of {name}", f"must have {n_axes} axes, none empty", value.shape)


def demand_width(caller: str, weight: PackedColumns, schedule: Schedule) -> None:
    """Refuse a weight whose panels are not as wide as the schedule's."""
    if weight.width != schedule.columns:
        rule = f"must be {schedule.columns}, as the schedule's are"
        _check.fail(caller, "width of the weight's panels", rule, weight.width)
