"""Bytes packed with a Huffman code of their own: the number of symbols, the code, the streams."""

import numpy as np

from efficientdl import _check
from efficientdl.kernels.entropy.stream_loops import LONGEST, count_symbols
from efficientdl.kernels.entropy.streams import OWN, decode_streams, encode_streams
from efficientdl.kernels.huffman import N_SYMBOLS, Bytes, Symbols, code_lengths, demand_bytes

COUNT = np.dtype("<u8")
HEADER = COUNT.itemsize + N_SYMBOLS // 2  # bytes: the count, and four bits for each length


def pack_huffman(symbols: Symbols) -> Bytes:
    """Count the symbols, make the best code of 12 bits at most, and write both.

    136 bytes say how many symbols there are and how long each one's code is; the streams follow.

    Args:
        symbols: What to write.

    Raises:
        BadKind: The symbols are not bytes.

    >>> len(pack_huffman(np.zeros(80_000, np.uint8)))
    10152

    Source: Collet and Kucherawy, "Zstandard Compression", RFC 8878, 2021, section 4.2, for a table
    of lengths before the streams; lab 13.
    """
    demand_bytes("pack_huffman", "symbols", symbols)
    symbols, counts = np.require(symbols, None, OWN), np.empty(N_SYMBOLS, np.int64)
    count_symbols(symbols, counts)
    lengths = code_lengths(counts, longest=LONGEST)
    count = np.array([len(symbols)], COUNT).view(np.uint8)
    pairs = lengths[0::2] | lengths[1::2] << np.uint8(4)
    return np.concatenate([count, pairs, encode_streams(symbols, lengths)])


def unpack_huffman(data: Bytes) -> Symbols:
    """Read what `pack_huffman` wrote.

    Raises:
        BadKind: The data are not bytes.
        BadValue: They are not what `pack_huffman` writes.

    >>> unpack_huffman(pack_huffman(np.array([3, 3, 0, 3], np.uint8)))
    array([3, 3, 0, 3], dtype=uint8)
    """
    demand_bytes("unpack_huffman", "data", data)
    if len(data) < HEADER:
        rule = f"must begin with {HEADER} bytes of count and code"
        _check.fail("unpack_huffman", "data", rule, f"{len(data)} bytes")
    data = np.require(data, None, OWN)
    count, pairs = int(data[: COUNT.itemsize].view(COUNT)[0]), data[COUNT.itemsize : HEADER]
    lengths = np.stack([pairs & np.uint8(15), pairs >> np.uint8(4)], axis=1).ravel()
    return decode_streams(data[HEADER:], lengths, count)
