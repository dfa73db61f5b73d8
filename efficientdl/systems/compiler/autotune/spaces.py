"""The schedules of a task: every one that fits the processor and the shape, and nothing else."""

from efficientdl import _check
from efficientdl.kernels.scheduled import LANES, N_REGISTERS, ORDERS, Schedule
from efficientdl.kernels.threads import n_threads
from efficientdl.search import Space
from efficientdl.systems.compiler.autotune.tasks import Task

ROWS, REGISTERS, UNROLLS = (1, 2, 4, 6, 8), (1, 2, 3, 4), (1, 4)
LEAST = {"m": 16, "n": 64, "k": 32}  # no tile is smaller, where the shape is not
MOST = 1024


def space_of(task: Task) -> Space:
    """All schedules of a task, as a space whose points are a `Schedule`'s arguments.

    Strips and panels are not larger than the shape, and their sums fit the processor's registers.
    Tiles are powers of two, or the whole axis. As many threads as `kernels.threads` allows.

    >>> from efficientdl.systems.compiler.autotune.tasks import MatmulTask
    >>> space = space_of(MatmulTask(48, 256, 64))
    >>> space.choices["tile_m"], space.choices["tile_k"]
    ((16, 32, 48), (32, 64, 128, 256))
    """
    _check.kind("space_of", "task", task, Task.__args__)
    m, k, n = task.sizes
    return Space({
        "order": ORDERS,
        "tile_m": _tiles(m, LEAST["m"]),
        "tile_n": _tiles(n, LEAST["n"]),
        "tile_k": _tiles(k, LEAST["k"]),
        "inner": inner_tiles(m, n),
        "unroll": tuple(steps for steps in UNROLLS if steps <= k),
        "threads": _powers(n_threads()),
    })


def inner_tiles(m: int, n: int, n_registers: int = N_REGISTERS) -> tuple[tuple[int, int], ...]:
    """Rows and registers of every strip whose sums fit the registers, and that fits the shape.

    >>> inner_tiles(4, 20, n_registers=8)
    ((1, 1), (1, 2), (2, 1), (2, 2), (4, 1))
    """
    return tuple(
        (rows, registers)
        for rows in ROWS
        for registers in REGISTERS
        if rows <= m and LANES * (registers - 1) < n and (rows + 1) * registers + 1 <= n_registers
    )


def default_schedule(task: Task) -> Schedule:
    """The schedule that a textbook would give: square tiles, sums finished one tile after another.

    Tiles of 64 by 64 sums and 64 steps, whose three operands fit into 48 KiB, and in them strips
    of four rows by two registers, or the largest that fit the processor.

    >>> from efficientdl.systems.compiler.autotune.tasks import MatmulTask
    >>> default_schedule(MatmulTask(512, 512, 512)).order
    'mnk'
    """
    _check.kind("default_schedule", "task", task, Task.__args__)
    m, k, n = task.sizes
    small = [t for t in inner_tiles(m, n) if t[0] <= 4 and t[1] <= 2]
    return Schedule(
        order="mnk",
        tile_m=min(64, m),
        tile_n=min(64, n),
        tile_k=min(64, k),
        inner=max(small, key=lambda t: t[0] * t[1]),
        unroll=1,
        threads=_powers(n_threads())[-1],
    )


def _tiles(length: int, least: int) -> tuple[int, ...]:
    """Powers of two from `least` on, as long as they are shorter than the axis, and the axis."""
    sizes, size = [], least
    while size < min(length, MOST):
        sizes.append(size)
        size *= 2
    return (*sizes, length)


def _powers(most: int) -> tuple[int, ...]:
    return tuple(2**i for i in range(most.bit_length()))
