"""The DRAM reads that SCALE-Sim 3.0.0 reports, by its buffers: a queue of blocks of addresses.

Each operand has a buffer. It is cut into 100 blocks, of which 50 are in use; words enter the newest
block in the order in which they are first asked for, and when all 50 are full, all 50 are dropped
at once. A word that is asked for and not there is read from DRAM. So an operand slightly larger
than half of its buffer is read again for every fold.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

from efficientdl import _check
from efficientdl.kernels.compiled import compiled
from efficientdl.systems.hardware.arch import Dataflow
from efficientdl.systems.hardware.compat.reference import KNOWN

BLOCKS = 100
IN_USE = 50

Addresses = Int64[np.ndarray, "a b"]


class Operands(NamedTuple):
    """Addresses of the operands, as matrices of the product; -1 where there is no word.

    Attributes:
        x: Of the input, m by k.
        weight: Of the filters, k by n.
    """

    x: Addresses
    weight: Addresses


def matrices(m: int, k: int, n: int) -> Operands:
    """Two matrices, row by row.

    >>> matrices(2, 2, 1).x.tolist()
    [[0, 1], [2, 3]]
    """
    return Operands(np.arange(m * k).reshape(m, k), np.arange(k * n).reshape(k, n))


def windows(
    h: int, w: int, *, kernel: tuple[int, int], channels: int, filters: int, stride: int
) -> Operands:
    """A convolution as that simulator sees it: windows that hang over the edge are computed too.

    >>> windows(3, 3, kernel=(2, 2), channels=1, filters=1, stride=2).x.tolist()
    [[0, 1, 3, 4], [2, -1, 5, -1], [6, 7, -1, -1], [8, -1, -1, -1]]
    """
    r, s = kernel
    p, q = -(-(h - r + stride) // stride), -(-(w - s + stride) // stride)
    places = np.arange(p * q)[:, None], np.arange(r * s * channels)[None, :]
    row = places[0] // q * stride + places[1] // (s * channels)
    col = places[0] % q * stride + places[1] // channels % s
    address = (row * w + col) * channels + places[1] % channels
    x = np.where((row < h) & (col < w), address, -1)
    return Operands(x, matrices(1, x.shape[1], filters).weight)


def dram_reads(
    operands: Operands,
    dataflow: Dataflow,
    rows: int,
    cols: int,
    *,
    x_bytes: int = 65536,
    weight_bytes: int = 65536,
) -> tuple[int, int]:
    """Words of the input and of the filters that SCALE-Sim 3.0.0 reads from DRAM.

    Args:
        operands: Their addresses: `matrices` or `windows`.
        dataflow: Output, weight or input stationary.
        rows: Of the array.
        cols: Of the array.
        x_bytes: Buffer of the input, 100 or more; a word is a byte.
        weight_bytes: Buffer of the filters.

    >>> dram_reads(matrices(4, 4, 4), Dataflow.WEIGHT_STATIONARY, 2, 2)
    (16, 16)

    Source: Samajdar et al., "SCALE-Sim: Systolic CNN Accelerator Simulator", 2018, version 3.0.0;
        survey section 6.2; lab 14.
    """
    _check.one_of("dram_reads", "dataflow", dataflow, KNOWN)
    sizes = {"rows": rows, "cols": cols, "x_bytes": x_bytes, "weight_bytes": weight_bytes}
    for name, value in sizes.items():
        _check.whole("dram_reads", name, value, BLOCKS if name.endswith("bytes") else 1)
    x, weight = operands
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        folds = list(_folds((len(x), weight.shape[1]), rows, cols))
        left, top = [x[r] for r, _ in folds], [weight[:, c].T for _, c in folds]
        return _misses(left, x_bytes), _misses(top, weight_bytes)
    if dataflow is Dataflow.WEIGHT_STATIONARY:
        moving, staying = _stationary(x.T, weight, rows, cols)
        return _misses(moving, x_bytes), _misses(staying, weight_bytes)
    moving, staying = _stationary(weight, x.T, rows, cols)
    return _misses(staying, x_bytes), _misses(moving, weight_bytes)


def _folds(shape: tuple[int, ...], rows: int, cols: int) -> Iterator[tuple[slice, slice]]:
    for c in range(0, shape[1], cols):
        for r in range(0, shape[0], rows):
            yield slice(r, r + rows), slice(c, c + cols)


def _stationary(
    moving: Addresses, staying: Addresses, rows: int, cols: int
) -> tuple[list[Addresses], list[Addresses]]:
    """Lanes of what moves, and what stays as lanes of one word each, its last row first."""
    folds = list(_folds(staying.shape, rows, cols))
    loads = [staying[r, c][::-1].reshape(1, -1) for r, c in folds]
    return [moving[r] for r, _ in folds], loads


def _misses(folds: list[Addresses], n_bytes: int) -> int:
    """Words not found in the buffer, over all folds."""
    largest = max(int(fold.max()) for fold in folds)
    entered = np.full(largest + 1, -1, np.int64)
    state = np.zeros(4, np.int64)  # newest block, words in it, oldest block, misses
    for fold in folds:
        _fetch(np.ascontiguousarray(fold), n_bytes // BLOCKS, entered, state)
    return int(state[3])


@compiled
def _fetch(lanes: Addresses, block_words: int, entered: np.ndarray, state: np.ndarray) -> None:
    """Ask for the words of a fold, each lane a cycle after the one before."""
    n_lanes, steps = lanes.shape
    for t in range(steps + n_lanes - 1):
        for lane in range(max(0, t - steps + 1), min(n_lanes, t + 1)):
            address = lanes[lane, t - lane]
            if address < 0 or entered[address] >= state[2]:
                continue
            entered[address] = state[0]
            state[1] += 1
            state[3] += 1
            if state[1] == block_words:
                state[0] += 1
                state[1] = 0
                if state[0] == state[2] + IN_USE:
                    state[2] += IN_USE
