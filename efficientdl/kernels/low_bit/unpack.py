"""Packed weights as they were: what references read."""

import numpy as np
from jaxtyping import Float32, UInt8, UInt32

from efficientdl.kernels.low_bit.packed_codes import (
    CHUNK,
    LANES,
    PANEL,
    RUN,
    CodedWeights,
    PackedCodes,
    units_before,
)


def unpack_codes(packed: PackedCodes) -> CodedWeights:
    """Codes, table, scales and offsets of packed weights; a group is a unit of 64 or 128.

    >>> from efficientdl.kernels.low_bit.packed_codes import pack_codes
    >>> codes, ones = np.uint8([[3, 1, 2]]), np.ones((1, 4), np.float32)
    >>> weights = CodedWeights(codes, ones[0], ones[:, :1], 64)
    >>> unpack_codes(pack_codes(weights)).codes
    array([[3, 1, 2]], dtype=uint8)
    """
    parts: list[np.ndarray] = []
    for start in range(0, packed.room, PANEL):
        width = min(PANEL, packed.room - start)
        words = slice(
            start * packed.n * packed.bits // 32, (start + width) * packed.n * packed.bits // 32
        )
        parts.append(_codes(by_row(packed.words[words], packed.n, packed.bits), packed.bits))
    return CodedWeights(
        np.concatenate(parts, axis=1)[:, : packed.k],
        packed.table[: 1 << packed.bits],
        _by_row(packed, packed.scales),
        packed.unit,
        _by_row(packed, packed.offsets) if packed.offsets.size else None,
    )


def by_row(words: UInt32[np.ndarray, " all"], n: int, bits: int) -> UInt32[np.ndarray, "n words"]:
    """The words of each row, of rows that lie two by two.

    >>> by_row(np.repeat(np.uint32([0, 1, 0, 1, 2, 2]), 16), 3, 4)[:, ::16]
    array([[0, 0],
           [1, 1],
           [2, 2]], dtype=uint32)
    """
    width, chunk, paired = len(words) // n, CHUNK[bits] * bits // 32, n // 2 * 2
    pairs = words[: paired * width].reshape(paired // 2, width // chunk, 2, chunk)
    rows = pairs.swapaxes(1, 2).reshape(paired, width)
    return np.concatenate([rows, words[paired * width :].reshape(n - paired, width)])


def _codes(words: UInt32[np.ndarray, "n words"], bits: int) -> UInt8[np.ndarray, "n k"]:
    n = len(words)
    registers = words.reshape(n, -1, CHUNK[bits] * bits // 32 // LANES, LANES)
    runs = [_run(registers, i, bits) for i in range(CHUNK[bits] // RUN)]
    whole = np.stack(runs, axis=2)  # n chunks runs 16, a code in each byte
    places = 8 * np.arange(RUN // LANES, dtype=np.uint32)[:, None]
    codes = whole[:, :, :, None] >> places & np.uint32((1 << bits) - 1)
    return codes.reshape(n, -1).astype(np.uint8)


def _run(
    registers: UInt32[np.ndarray, "n chunks registers 16"], i: int, bits: int
) -> UInt32[np.ndarray, "n chunks 16"]:
    """Run `i` of each chunk; above a code's bits there may be others."""
    if bits != 3:
        return registers[:, :, 0] >> np.uint32(bits * i)
    low = registers[:, :, i // 4] >> np.uint32(2 * (i % 4)) & np.uint32(0x03030303)
    high = registers[:, :, 2] >> np.uint32(i) & np.uint32(0x01010101)
    return low | high << np.uint32(2)


def _by_row(
    packed: PackedCodes, part: Float32[np.ndarray, " scales"]
) -> Float32[np.ndarray, "n units"]:
    """Scales of each row, without the zeros behind them."""
    n, unit = packed.n, packed.unit
    rows: list[np.ndarray] = []
    for start in range(0, packed.room, PANEL):
        n_units = units_before(min(PANEL, packed.room - start), unit)
        begin = start // unit * n
        rows.append(part[begin : begin + n * n_units].reshape(n, n_units))
    return np.concatenate(rows, axis=1)[:, : -(-packed.k // unit)]
