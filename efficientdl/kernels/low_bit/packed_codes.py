"""Weights of 4, 3 and 2 bits in groups, packed so that a register of bytes becomes codes again.

64 weights of a row that follow each other are a run. In each of 16 words a run has four codes, one
in each byte, so that one shift and one mask turn a register into the 64 codes of a run, and byte
`b` of word `l` is weight `16 b + l` of it.

- 4 bits: a register holds two runs, in the lower and the upper half of each byte.
- 2 bits: it holds four.
- 3 bits: eight runs take two registers for the lower two bits and one for the third.

Rows are cut into panels of 4096 weights: the part of `x` that a panel meets stays in the nearest
cache while all rows of a tile pass. In a panel rows lie two by two, a chunk of either in turn, so
that a kernel which multiplies two rows at a time reads memory from one end to the other.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8, UInt32

from efficientdl import _check
from efficientdl.kernels.arrays import demand_array
from efficientdl.kernels.simd import aligned

RUN = 64  # weights
PANEL = 4096  # weights of a row
CHUNK = {4: 128, 3: 512, 2: 256}  # weights that whole registers hold
LANES = 16


class CodedWeights(NamedTuple):
    """Weights `w = scale table[code] + offset`, plain.

    Attributes:
        codes: For each weight its place in the table.
        table: What codes stand for: 16, 8 or 4 floats, evenly spaced or not.
        scales: One for each group of weights of a row.
        group: How many weights have a scale, a multiple of 64; the last group may have fewer.
        offsets: As many as scales, or none.
    """

    codes: UInt8[np.ndarray, "n k"]
    table: Float32[np.ndarray, " levels"]
    scales: Float32[np.ndarray, "n groups"]
    group: int
    offsets: Float32[np.ndarray, "n groups"] | None = None

    @property
    def dense(self) -> Float32[np.ndarray, "n k"]:
        """The weights as floats."""
        spread = [
            np.repeat(part, self.group, axis=1)[:, : self.codes.shape[1]]
            for part in (self.scales, self.offsets)
            if part is not None
        ]
        weight = self.table[self.codes] * spread[0]
        return weight + spread[1] if self.offsets is not None else weight


@dataclass(frozen=True, eq=False)
class PackedCodes:
    """Weights in registers, as `pack_codes` makes them.

    Attributes:
        words: Codes, panel by panel, in each of them rows two by two; then a register of zeros,
            into which a load that begins inside the last may reach.
        table: 16 floats: the table, repeated.
        scales: For each panel and row the scales of its units, with zeros to a multiple of 16.
        offsets: As many; none where there are none.
        bits: 4, 3 or 2.
        unit: Weights that share a scale here, 64 or 128.
        k: Weights of a row.
        n: Rows.
    """

    words: UInt32[np.ndarray, " words"]
    table: Float32[np.ndarray, " 16"]
    scales: Float32[np.ndarray, " scales"]
    offsets: Float32[np.ndarray, " offsets"]
    bits: int
    unit: int
    k: int
    n: int

    def __post_init__(self) -> None:
        caller = "PackedCodes"
        _check.one_of(caller, "bits", self.bits, list(CHUNK))
        _check.one_of(caller, "unit", self.unit, [64, 128])
        _check.whole(caller, "k", self.k, 1)
        _check.whole(caller, "n", self.n, 1)
        n_words = self.n * self.room * self.bits // 32 + LANES
        n_scales = self.n * self.n_units
        lengths = {"words": n_words, "table": LANES, "scales": n_scales}
        lengths["offsets"] = n_scales if getattr(self.offsets, "size", 0) else 0
        for name, length in lengths.items():
            array, dtype = getattr(self, name), np.uint32 if name == "words" else np.float32
            _check.kind(caller, name, array, np.ndarray)
            fits = (array.dtype, array.shape) == (dtype, (length,))
            if not fits or not array.flags.c_contiguous:
                rule = f"must be {np.dtype(dtype)} of shape ({length},), in one piece"
                _check.fail(caller, name, rule, (array.dtype.name, array.shape))
            array.flags.writeable = False

    @property
    def room(self) -> int:
        """Weights of a row, and what fills up its last registers."""
        return -(-self.k // CHUNK[self.bits]) * CHUNK[self.bits]

    @property
    def n_units(self) -> int:
        """Scales of a row, and the zeros after those of the last panel."""
        return units_before(self.room, self.unit)

    @cached_property
    def step(self) -> np.float32 | None:
        """From each entry of the table to the next, where that is always the same."""
        steps = np.diff(self.table[: 1 << self.bits].astype(np.float64))
        even = np.allclose(steps, steps[0], rtol=1e-5, atol=0)
        return np.float32(steps.mean()) if even else None


def units_before(k: int, unit: int) -> int:
    """Places for the scales of so many weights: a multiple of 16."""
    return -(-k // (unit * LANES)) * LANES


def pack_codes(weights: CodedWeights) -> PackedCodes:
    """Pack weights of 4, 3 or 2 bits, once, for products with `int4_gemv`.

    The table says how many bits: 16, 8 or 4 floats.

    Raises:
        BadKind: An array has another dtype.
        BadValue: A code is outside the table, a number is not finite, or shapes do not fit.

    >>> codes = np.arange(128, dtype=np.uint8)[None] % 16
    >>> weights = CodedWeights(codes, np.arange(16, dtype=np.float32), np.float32([[1.0]]), 128)
    >>> packed = pack_codes(weights)
    >>> packed.bits, packed.unit, packed.words.nbytes
    (4, 128, 128)

    Source: Han, Mao, Dally, "Deep Compression", ICLR 2016, section 3, for codes into a table; the
    survey's section 6.2; lab 13.
    """
    _demand(weights)
    n, k = weights.codes.shape
    group = int(weights.group)
    bits = len(weights.table).bit_length() - 1
    room, unit = -(-k // CHUNK[bits]) * CHUNK[bits], 128 if group % 128 == 0 else 64
    codes = np.zeros((n, room), np.uint8)
    codes[:, :k] = weights.codes
    scales, offsets = (
        _by_panel(part, (n, k, group, unit, room)) for part in (weights.scales, weights.offsets)
    )
    panels = [in_pairs(_words(codes[:, p : p + PANEL], bits), bits) for p in range(0, room, PANEL)]
    words = aligned(sum(map(len, panels)) + LANES, np.uint32)
    np.concatenate(panels, out=words[:-LANES])
    table = aligned(LANES, np.float32)
    table[:] = np.tile(weights.table, LANES // len(weights.table))
    return PackedCodes(words, table, scales, offsets, bits, unit, k, n)


def in_pairs(words: UInt32[np.ndarray, "n words"], bits: int) -> UInt32[np.ndarray, " all"]:
    """The words of rows, a chunk of two rows in turn; the last row alone where their number is odd.

    >>> in_pairs(np.repeat(np.arange(3, dtype=np.uint32)[:, None], 32, axis=1), 4)[::16]
    array([0, 1, 0, 1, 2, 2], dtype=uint32)
    """
    paired, chunk = len(words) // 2 * 2, CHUNK[bits] * bits // 32
    pairs = words[:paired].reshape(paired // 2, 2, words.shape[1] // chunk, chunk)
    return np.concatenate([pairs.swapaxes(1, 2).reshape(-1), words[paired:].reshape(-1)])


def _words(codes: UInt8[np.ndarray, "n k"], bits: int) -> UInt32[np.ndarray, "n words"]:
    """Codes of whole chunks as words."""
    runs = codes.reshape(len(codes), -1, RUN // LANES, LANES).astype(np.uint32)
    places = 8 * np.arange(RUN // LANES, dtype=np.uint32)[:, None]
    whole = np.bitwise_or.reduce(runs << places, axis=2)  # a code in each byte: n runs 16
    if bits == 3:
        low = _merged(whole & 0x03030303, 2)
        high = _merged(whole >> 2 & 0x01010101, 1)
        return np.concatenate([low.reshape(len(codes), -1, 2, LANES), high[:, :, None]], 2).reshape(
            len(codes), -1
        )
    return _merged(whole, bits).reshape(len(codes), -1)


def _merged(runs: UInt32[np.ndarray, "n runs 16"], bits: int) -> UInt32[np.ndarray, "n regs 16"]:
    """As many runs as fit into the bytes of a register."""
    n_runs = 8 // bits
    parts = runs.reshape(len(runs), -1, n_runs, LANES)
    places = bits * np.arange(n_runs, dtype=np.uint32)[:, None]
    return np.bitwise_or.reduce(parts << places, axis=2)


def _by_panel(
    part: Float32[np.ndarray, "n groups"] | None, sizes: tuple[int, int, int, int, int]
) -> Float32[np.ndarray, " scales"]:
    """Scales of units, panel by panel, row by row."""
    if part is None:
        return aligned(0, np.float32)
    n, k, group, unit, room = sizes
    units = np.zeros((n, units_before(room, unit)), np.float32)
    n_used = -(-k // unit)
    units[:, :n_used] = np.repeat(part, group // unit, axis=1)[:, :n_used]
    step = PANEL // unit
    out = aligned(units.size, np.float32)
    panels = [units[:, p : p + step].reshape(-1) for p in range(0, units.shape[1], step)]
    np.concatenate(panels, out=out)
    return out


def _demand(weights: CodedWeights) -> None:
    caller = "pack_codes"
    _check.kind(caller, "weights", weights, CodedWeights)
    floats = {"table": weights.table, "scales": weights.scales, "offsets": weights.offsets}
    if weights.offsets is None:
        del floats["offsets"]
    for name, array in {"codes": weights.codes, **floats}.items():
        dtype = np.uint8 if name == "codes" else np.float32
        demand_array(caller, name, array, dtype)
    for name, array in floats.items():
        if not np.isfinite(array).all():
            _check.fail(caller, name, "must be finite", float(array[~np.isfinite(array)][0]))
    _demand_shapes(caller, weights)


def _demand_shapes(caller: str, weights: CodedWeights) -> None:
    codes, table, scales, group, offsets = weights
    if codes.ndim != 2 or 0 in codes.shape:
        _check.fail(caller, "shape of codes", "must be n k, not empty", codes.shape)
    if table.shape not in ((4,), (8,), (16,)):
        _check.fail(caller, "shape of table", "must be (4,), (8,) or (16,)", table.shape)
    if codes.max() >= len(table):
        _check.fail(caller, "codes", f"must be below {len(table)}", int(codes.max()))
    _check.whole(caller, "group", group, 1)
    if group % RUN:
        _check.fail(caller, "group", f"must be a multiple of {RUN}", group)
    shape = len(codes), -(-codes.shape[1] // group)
    for name, part in (("scales", scales), ("offsets", offsets)):
        if part is not None and part.shape != shape:
            _check.fail(caller, f"shape of {name}", f"must be {shape}", part.shape)
