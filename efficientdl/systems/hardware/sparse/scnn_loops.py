"""One unit of SCNN, cycle by cycle: products, the crossbar, and banks that add one at a time."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from efficientdl.kernels.compiled import compiled

# Places in the array of counts.
CYCLES, MACS, LANDED, VECTORS, X_READ, WEIGHT_READ, BUSY, N_COUNTS = range(8)


class Kept(NamedTuple):
    """Words of one operand that are not zero, channel by channel, with their coordinates.

    Attributes:
        values: The words.
        at: For an activation its row and column with padding, and 0; for a weight its filter, and
            its row and column times the dilation.
        starts: Where each channel begins, and where the last ends.
    """

    values: Num[np.ndarray, " kept"]
    at: Int64[np.ndarray, "kept 3"]
    starts: Int64[np.ndarray, " c1"]


class Unit(NamedTuple):
    """What a unit must know to place a product."""

    down: int
    right: int
    n_weights: int
    n_activations: int
    banks: int
    queue: int


@compiled
def run_unit(x: Kept, weight: Kept, unit: Unit, y: np.ndarray, counts: np.ndarray) -> int:
    """A tile times a group of filters, all channels; adds to y and gives the cycles."""
    waiting, held = np.zeros(unit.banks, np.int64), np.zeros(unit.banks, np.int64)
    cycles = 0
    for c in range(len(x.starts) - 1):
        if weight.starts[c] == weight.starts[c + 1]:
            continue
        for a in range(x.starts[c], x.starts[c + 1], unit.n_activations):
            a_end = min(a + unit.n_activations, x.starts[c + 1])
            counts[X_READ] += a_end - a
            for w in range(weight.starts[c], weight.starts[c + 1], unit.n_weights):
                w_end = min(w + unit.n_weights, weight.starts[c + 1])
                counts[WEIGHT_READ] += w_end - w
                counts[VECTORS] += 1
                _multiply(x, weight, unit, (a, a_end, w, w_end), waiting, y, counts)
                cycles += _scatter(waiting, held, unit.queue)
    cycles += held.max()  # the last products are added
    counts[BUSY] += cycles
    return cycles


@compiled
def _multiply(
    x: Kept,
    weight: Kept,
    unit: Unit,
    part: tuple[int, int, int, int],
    waiting: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray,
) -> None:
    """All activations of a cycle times all its weights; what no output wants is dropped."""
    a, a_end, w, w_end = part
    counts[MACS] += (a_end - a) * (w_end - w)
    for i in range(a, a_end):
        for j in range(w, w_end):
            k, row, col = (
                weight.at[j, 0],
                x.at[i, 0] - weight.at[j, 1],
                x.at[i, 1] - weight.at[j, 2],
            )
            p, q = row // unit.down, col // unit.right
            between = row % unit.down or col % unit.right
            if between or p < 0 or q < 0 or p >= y.shape[1] or q >= y.shape[2]:
                continue
            y[k, p, q] += x.values[i] * weight.values[j]
            counts[LANDED] += 1
            # Neighbours across filters and columns, a cycle's usual products, differ in their bank.
            waiting[(k + unit.n_weights * (q + unit.n_activations * p)) % unit.banks] += 1


@compiled
def _scatter(waiting: np.ndarray, held: np.ndarray, queue: int) -> int:
    """Cycles until all products of a vector are in their banks, each of which adds one a cycle."""
    cycles, left = 0, 1
    while left > 0:
        left = 0
        for b in range(len(held)):
            held[b] = max(held[b] - 1, 0)
            taken = min(waiting[b], queue - held[b])
            held[b] += taken
            waiting[b] -= taken
            left += waiting[b]
        cycles += 1
    return cycles
