"""The loops around the innermost tile: in which order, and how far each goes at a time.

Three loops walk over tiles of rows, of panels of columns and of steps, in the order that the
schedule names. Inside a tile, panel by panel, strip by strip of rows, sums stay in registers from
the first step of the tile to its last.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.scheduled.inner_tile import (
    add_steps,
    bases_at,
    no_sums,
    put_sums,
    sums_at,
)
from efficientdl.kernels.scheduled.schedule import LANES

ONE = (0,)


@compiled
def _strip(operands, inner, row, panel, steps):
    """A strip of rows of one panel, from the first of `steps` to before the second."""
    (values, bases, offsets), (panels, k), (output, width) = operands
    rows, registers, unroll = inner
    p, stop = steps
    columns = LANES * len(registers)
    place, at_w = row * width + panel * columns, (panel * k + p) * columns
    sums = no_sums(rows, registers)
    if p > 0:
        sums = sums_at(output, place, width, rows, registers)
    base = bases_at(bases, row, rows)
    while p + len(unroll) <= stop:
        sums = add_steps(sums, values, base, offsets, p, panels, at_w, unroll)
        p += len(unroll)
        at_w += len(unroll) * columns
    while p < stop:
        sums = add_steps(sums, values, base, offsets, p, panels, at_w, ONE)
        p += 1
        at_w += columns
    put_sums(output, place, width, sums, rows)


@compiled
def tiles(first, last, operands, cut, inner) -> None:
    """The tiles `first .. last - 1` of the outermost loop that is not over steps.

    `operands` is three: the values, the base of each row and the offset of each step; the panels
    and how many steps they have; the sums, of which nothing is read before it was written, and how
    far apart their rows are. `cut` is how far the loops over rows, panels and steps go, how far a
    tile goes, and which loop is outermost, in the middle and innermost: 0, 1, 2. `inner` is three
    tuples, as long as a strip has rows, a panel registers and a turn steps.
    """
    ends, tile, order = cut
    shared = 1 if order[0] == 2 else 0  # the loop that threads divide
    starts, stops, now = np.zeros(3, np.int64), np.empty(3, np.int64), np.empty(3, np.int64)
    for level in range(3):
        axis = order[level]
        stops[level] = -(-ends[axis] // tile[axis])
    starts[shared], stops[shared] = first, last
    for a in range(starts[0], stops[0]):
        now[order[0]] = a
        for b in range(starts[1], stops[1]):
            now[order[1]] = b
            for c in range(starts[2], stops[2]):
                now[order[2]] = c
                row, panel, p = now[0] * tile[0], now[1] * tile[1], now[2] * tile[2]
                steps = p, min(p + tile[2], ends[2])
                for j in range(panel, min(panel + tile[1], ends[1])):
                    for i in range(row, min(row + tile[0], ends[0]), len(inner[0])):
                        _strip(operands, inner, i, j, steps)
