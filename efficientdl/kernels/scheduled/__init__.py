"""A product and a convolution whose schedule is an argument: the loops that autotuning tries.

What is computed stands in `matmul` and `conv2d`, how it is computed in a `Schedule`: the order of
the loops, the sizes of tiles, the registers of the innermost one, its unrolling, the threads. Read
`schedule.py` first, then `loops.py`, then `inner_tile.py`, where the work is.
"""

from efficientdl.kernels.scheduled.columns import PackedColumns, pack_columns
from efficientdl.kernels.scheduled.conv2d import (
    PackedFilters,
    pack_filters,
    scheduled_conv2d,
    scheduled_conv2d_cost,
    scheduled_conv2d_reference,
)
from efficientdl.kernels.scheduled.matmul import (
    scheduled_matmul,
    scheduled_matmul_cost,
    scheduled_matmul_reference,
)
from efficientdl.kernels.scheduled.schedule import LANES, N_REGISTERS, ORDERS, Schedule

__all__ = [
    "LANES",
    "N_REGISTERS",
    "ORDERS",
    "Schedule",
    "PackedColumns",
    "pack_columns",
    "scheduled_matmul",
    "scheduled_matmul_cost",
    "scheduled_matmul_reference",
    "PackedFilters",
    "pack_filters",
    "scheduled_conv2d",
    "scheduled_conv2d_cost",
    "scheduled_conv2d_reference",
]
