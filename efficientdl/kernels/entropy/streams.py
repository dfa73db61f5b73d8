"""Huffman streams: the same codes as `huffman_encode`'s, laid out so that they are fast.

Symbols are cut into blocks of 65,536 and a block into four streams of equal numbers, which the
processor works on at once. Eight symbols a step are looked up in tables, and threads take blocks.
The sizes of all streams stand first, two bytes each; a code's first bit is its byte's lowest.
"""

import numpy as np
from jaxtyping import Integer, UInt64

from efficientdl import _check
from efficientdl.kernels.entropy import stream_loops
from efficientdl.kernels.entropy.stream_loops import BLOCK, LONGEST, N_STREAMS, NO_WORD
from efficientdl.kernels.entropy.words import WORD
from efficientdl.kernels.huffman import (
    N_SYMBOLS,
    Bytes,
    Lengths,
    Shape,
    Symbols,
    canonical_codes,
    demand_bytes,
    demand_lengths,
)
from efficientdl.kernels.threads import deal
from efficientdl.report import Cost

Words = UInt64[np.ndarray, "256"]

OWN = ("C", "W")  # loops are compiled once: what is only to be read is copied
AT_ONCE = 8  # blocks
SIZE = np.dtype("<u2")  # of a stream's size: 16,387 codes of 12 bits are less than 65,536 bytes
FAULTS = {
    stream_loops.NO_CODE: "must be codes",
    stream_loops.NOT_ITS_LENGTH: "must be as long as its symbols' codes",
    stream_loops.NOT_FILLED: "must be filled up with zeros in its last byte",
}


def encode_streams(symbols: Symbols, lengths: Lengths) -> Bytes:
    """Write each symbol as its Huffman code, in four streams a block.

    A word of 64 bits takes four codes before its bytes are written. Codes may have 12 bits at
    most, so that they fit: ask for `code_lengths(counts, longest=12)`.

    Args:
        symbols: What to write.
        lengths: Bits of each symbol's code, at most 12.

    Raises:
        BadKind: The symbols are not bytes.
        BadValue: No prefix code has these lengths, one is above 12, or a symbol has no code.

    >>> from efficientdl.kernels.huffman import code_lengths
    >>> text = np.frombuffer(b"abracadabra", dtype=np.uint8)
    >>> len(encode_streams(text, code_lengths(np.bincount(text, minlength=256))))
    13

    Source: Collet and Kucherawy, "Zstandard Compression", RFC 8878, 2021, section 4.2.2, for the
    four streams; Giesen, "Reading bits in far too many ways", 2018, for words; lab 13.
    """
    words = _words("encode_streams", lengths)
    demand_bytes("encode_streams", "symbols", symbols)
    words[lengths == 0] = NO_WORD << np.uint64(32)
    out = _encoded(np.require(symbols, None, OWN), words)
    if out is None:
        _check.fail("encode_streams", "symbols", "must each have a code", _bare(symbols, lengths))
    return out


def encode_streams_reference(symbols: Symbols, lengths: Lengths) -> Bytes:
    """The same bit by bit, as text of zeros and ones."""
    codes = canonical_codes(lengths)
    streams = [
        [bit == "1" for s in symbols[start:end] for bit in format(codes[s], f"0{lengths[s]}b")]
        for start, end in _spans(len(symbols))
    ]
    written = [np.packbits(np.array(bits, bool), bitorder="little") for bits in streams]
    header = np.array([len(stream) for stream in written], SIZE).view(np.uint8)
    return np.concatenate([header, *written])


def encode_streams_cost(symbols: Shape, lengths: Shape) -> Cost:
    """No MAC; the symbols and the table read, and at least one bit of a symbol written.

    >>> encode_streams_cost((80,), (256,))
    Cost(macs=0, traffic_bytes=354)
    """
    header = SIZE.itemsize * N_STREAMS * -(-symbols[0] // BLOCK)
    return Cost(macs=0, traffic_bytes=symbols[0] + lengths[0] + header + -(-symbols[0] // 8))


def decode_streams(data: Bytes, lengths: Lengths, count: int) -> Symbols:
    """Read what `encode_streams` wrote.

    The next twelve bits say at once up to four symbols. Only what `encode_streams` would write
    again is taken: anything else is refused.

    Args:
        data: The bytes.
        lengths: Bits of each symbol's code, as they were written with.
        count: How many symbols there are.

    Raises:
        BadKind: The bytes are none.
        BadValue: The bytes are not those of so many symbols, or no prefix code has these lengths.

    >>> from efficientdl.kernels.huffman import code_lengths
    >>> lengths = code_lengths(np.array([3, 1]))
    >>> decode_streams(encode_streams(np.array([0, 1, 0, 0], np.uint8), lengths), lengths, 4)
    array([0, 1, 0, 0], dtype=uint8)

    Source: as of `encode_streams`; Moffat and Turpin, "On the Implementation of Minimum Redundancy
    Prefix Codes", 1997, for tables; lab 13.
    """
    words = _words("decode_streams", lengths)
    demand_bytes("decode_streams", "data", data)
    _check.whole("decode_streams", "count", count, 0, 8 * len(data))  # a code has a bit at least
    data, count = np.require(data, None, OWN), int(count)
    n_blocks = -(-count // BLOCK)
    starts = _starts(data, n_blocks)
    shortest = lengths[lengths > 0].min(initial=LONGEST)
    entry = np.uint32 if 3 * shortest > LONGEST else np.uint64  # no room for three codes, or four
    table, out = np.empty(1 << LONGEST, entry), np.empty(count, np.uint8)
    stream_loops.fill_table(words, table)
    faults = np.zeros(n_blocks * N_STREAMS, np.int64)
    deal(stream_loops.decode_blocks, n_blocks, data, table, starts, out, faults)
    if faults.any():
        stream = int(np.flatnonzero(faults)[0])
        rule = FAULTS[int(faults[stream])]
        _check.fail("decode_streams", f"stream {stream} of data", rule, f"{len(data)} bytes")
    return out


def decode_streams_reference(data: Bytes, lengths: Lengths, count: int) -> Symbols:
    """The same bit by bit: a symbol is there as soon as the bits since the last one are a code."""
    codes = canonical_codes(lengths)
    symbol_of = {(int(lengths[s]), int(codes[s])): s for s in np.flatnonzero(lengths)}
    spans = _spans(count)
    ends = 2 * len(spans) + np.cumsum(data[: 2 * len(spans)].view(SIZE), dtype=np.int64)
    out: list[int] = []
    for stream, (start, end) in zip(
        np.split(data, [2 * len(spans), *ends])[1:], spans, strict=False
    ):
        length = code = n_found = 0
        for bit in np.unpackbits(stream, bitorder="little"):
            if n_found == end - start:
                break
            length, code = length + 1, 2 * code + int(bit)
            if (length, code) in symbol_of:
                out.append(int(symbol_of[length, code]))
                length, code, n_found = 0, 0, n_found + 1
    return np.array(out, np.uint8)


def decode_streams_cost(data: Shape, lengths: Shape, count: int) -> Cost:
    """No MAC; the bytes and the lengths read, the symbols written."""
    return Cost(macs=0, traffic_bytes=data[0] + lengths[0] + count)


def _encoded(symbols: Symbols, words: Words) -> Bytes | None:
    """Some blocks at a time into the same room, near the processor, and from there in a row.

    None where a symbol has no code.
    """
    n_blocks = -(-len(symbols) // BLOCK)
    most = min(len(symbols), BLOCK) // N_STREAMS + N_STREAMS - 1  # symbols of a stream
    room = -(-most * LONGEST // 8) + WORD  # and a word behind them
    sizes = np.empty((n_blocks, N_STREAMS), np.int64)
    header = SIZE.itemsize * sizes.size
    out = np.empty(header + room * sizes.size, np.uint8)  # what is not written takes no memory
    written = np.empty(min(n_blocks, AT_ONCE) * N_STREAMS * room, np.uint8)
    end = header
    for first in range(0, n_blocks, AT_ONCE):
        some = sizes[first : first + AT_ONCE]
        rest = symbols[first * BLOCK :]
        deal(stream_loops.encode_blocks, len(some), rest, words, room, written, some)
        if (some < 0).any():
            return None
        end = stream_loops.gather(written, room, some, out, end)
    out[:header] = sizes.astype(SIZE).ravel().view(np.uint8)
    return out[:end].copy()


def _spans(count: int) -> list[tuple[int, int]]:
    """Which symbols each stream has: four of a block, the last up to three more than the others.

    >>> _spans(11)
    [(0, 2), (2, 4), (4, 6), (6, 11)]
    """
    spans: list[tuple[int, int]] = []
    for begin in range(0, count, BLOCK):
        end = min(begin + BLOCK, count)
        quarter = (end - begin) // N_STREAMS
        cuts = [begin + quarter * s for s in range(N_STREAMS)]
        spans += zip(cuts, [*cuts[1:], end], strict=True)
    return spans


def _starts(data: Bytes, n_blocks: int) -> Integer[np.ndarray, "_"]:
    """Where each stream begins, and where the last one ends: at the end of the data."""
    header = SIZE.itemsize * N_STREAMS * n_blocks
    if len(data) < header:
        rule = f"must begin with {header} bytes of sizes"
        _check.fail("decode_streams", "data", rule, f"{len(data)} bytes")
    sizes = data[:header].view(SIZE).astype(np.int64)
    starts = header + np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    if starts[-1] != len(data):
        rule = f"must have the {starts[-1]} bytes that its sizes say"
        _check.fail("decode_streams", "data", rule, f"{len(data)} bytes")
    return starts


def _words(caller: str, lengths: Lengths) -> Words:
    """The code of each symbol with its first bit lowest, and its length 32 bits above it."""
    demand_lengths(caller, lengths)
    _check.whole(caller, "longest code", int(lengths.max()), 0, LONGEST)
    codes, wide = canonical_codes(lengths).astype(np.uint64), lengths.astype(np.uint64)
    bits = np.unpackbits(codes.astype(">u2").view(np.uint8)).reshape(N_SYMBOLS, 16)
    turned = np.packbits(bits, axis=1, bitorder="little").view("<u2")[:, 0].astype(np.uint64)
    return turned >> (np.uint64(16) - wide) | wide << np.uint64(32)


def _bare(symbols: Symbols, lengths: Lengths) -> int:
    """The least symbol that occurs and has no code."""
    counts = np.bincount(symbols, minlength=N_SYMBOLS)
    return int(np.flatnonzero((counts > 0) & (lengths == 0))[0])
