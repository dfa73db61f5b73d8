"""Huffman coding of bytes: frequent symbols get short codes, and a table decodes them.

The codes are canonical: whoever knows their lengths knows the codes, so lengths alone are stored.
No code is longer than 15 bits, so the decoder looks the next bits up in a table, not in a tree.
"""

import numpy as np
from jaxtyping import Integer, UInt8
from numba import njit

from efficientdl import _check
from efficientdl.catalogue import Kernel, technique
from efficientdl.report import Cost

MAX_LENGTH = 15  # bits of the longest code
N_SYMBOLS = 256  # what a byte tells apart

Symbols = UInt8[np.ndarray, "symbols"]
Lengths = UInt8[np.ndarray, "256"]
Bytes = UInt8[np.ndarray, "_"]
Shape = tuple[int, ...]
Item = tuple[int, tuple[int, ...]]  # a coin or a package: what it costs, the symbols in it


def code_lengths(counts: Integer[np.ndarray, "symbols"], *, longest: int = MAX_LENGTH) -> Lengths:
    """The lengths of the best prefix code of which no word is longer than `longest` bits.

    Package-merge: each symbol that occurs has a coin on each of `longest` levels; two coins of one
    level make a package, which competes with the coins of the next. The cheapest `2n - 2` of the
    last level say how long each code is. Where the limit does not bind this is Huffman's code.
    A symbol that occurs alone has one bit; one that never occurs has none.

    Args:
        counts: How often each symbol occurs, at most 256 symbols.
        longest: Bits of the longest code, 1..15.

    Raises:
        BadValue: There are more symbols than codes so short, or a count is negative.

    >>> code_lengths(np.array([4, 2, 1, 1]))[:4]
    array([1, 2, 3, 3], dtype=uint8)

    Source: Larmore and Hirschberg, "A Fast Algorithm for Optimal Length-Limited Huffman Codes",
    1990; Huffman, "A Method for the Construction of Minimum-Redundancy Codes", 1952; lab 04.
    """
    _check.whole("code_lengths", "longest", longest, 1, MAX_LENGTH)
    _check.whole("code_lengths", "number of symbols", len(counts), 0, N_SYMBOLS)
    if len(counts) and counts.min() < 0:
        _check.fail("code_lengths", "counts", "must not be negative", int(counts.min()))
    lengths = np.zeros(N_SYMBOLS, np.uint8)
    used = [int(symbol) for symbol in np.flatnonzero(counts)]
    if len(used) > 2**longest:
        rule = f"must be at most 2**longest = {2**longest}"
        _check.fail("code_lengths", "number of symbols that occur", rule, len(used))
    if len(used) == 1:
        lengths[used] = 1
        return lengths
    coins: list[Item] = sorted((int(counts[symbol]), (symbol,)) for symbol in used)
    level = coins
    for _ in range(longest - 1):
        pairs = zip(level[::2], level[1::2], strict=False)
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in pairs]
        level = sorted(coins + packages, key=lambda item: item[0])
    for _, symbols in level[: max(2 * len(used) - 2, 0)]:
        for symbol in symbols:
            lengths[symbol] += 1
    return lengths


def canonical_codes(lengths: Lengths) -> Integer[np.ndarray, "256"]:
    """The code of each symbol: counted upwards by length, and by symbol within a length.

    Raises:
        BadValue: No prefix code has these lengths.

    >>> [format(code, "b") for code in canonical_codes(code_lengths(np.array([4, 2, 1, 1])))[:4]]
    ['0', '10', '110', '111']

    Source: Schwartz and Kallick, "Generating a Canonical Prefix Encoding", 1964; lab 04.
    """
    demand_lengths("canonical_codes", lengths)
    codes = np.zeros(N_SYMBOLS, np.int64)
    code = at = 0
    for symbol in np.argsort(lengths, kind="stable"):
        if lengths[symbol]:
            code <<= int(lengths[symbol]) - at
            at = int(lengths[symbol])
            codes[symbol] = code
            code += 1
    return codes


def coded_bits(counts: Integer[np.ndarray, "symbols"], lengths: Lengths) -> int:
    """Bits of a text in which each symbol occurs so often; the table is not counted.

    >>> counts = np.array([4, 2, 1, 1])
    >>> coded_bits(counts, code_lengths(counts))
    14
    """
    return int(counts.astype(np.int64) @ lengths[: len(counts)].astype(np.int64))


def _example(rng: np.random.Generator, size: int) -> tuple[Symbols, Lengths]:
    """Skewed symbols and the code that suits them: what the kernel is tried on."""
    symbols = np.minimum(rng.geometric(0.1, 40 * size) - 1, N_SYMBOLS - 1).astype(np.uint8)
    return symbols, code_lengths(np.bincount(symbols, minlength=N_SYMBOLS))


@technique(
    "huffman",
    paper="Huffman, A Method for the Construction of Minimum-Redundancy Codes, 1952",
    survey="2.3",
    lab="04_quantization",
    kind=Kernel(
        inputs=_example,
        exempt={"knows_its_cost_from_shapes": "coding multiplies nothing: it has zero MACs"},
    ),
)
def huffman_encode(symbols: Symbols, lengths: Lengths) -> Bytes:
    """Huffman coding: write each symbol as its code, the codes side by side in bytes.

    A symbol of probability `p` gets about `-log2 p` bits, so the mean is less than one bit above
    the entropy `-sum p log2 p`. Nothing is lost. The last byte is filled up with zeros.

    Args:
        symbols: What to write.
        lengths: Bits of each symbol's code, from `code_lengths`.

    Raises:
        BadKind: The symbols are not bytes.
        BadValue: No prefix code has these lengths, or a symbol has no code.

    >>> text = np.frombuffer(b"abracadabra", dtype=np.uint8)
    >>> lengths = code_lengths(np.bincount(text, minlength=256))
    >>> len(huffman_encode(text, lengths))
    3

    Source: Huffman, "A Method for the Construction of Minimum-Redundancy Codes", 1952; Han, Mao
    and Dally, "Deep Compression", ICLR 2016, section 4; the survey's section 2.3; lab 04.
    """
    counts = _demand_codable(symbols, lengths)
    out = np.zeros(-(-coded_bits(counts, lengths) // 8), np.uint8)
    codes = canonical_codes(lengths)
    _encode(np.ascontiguousarray(symbols), codes, lengths.astype(np.int64), out)
    return out


def huffman_encode_reference(symbols: Symbols, lengths: Lengths) -> Bytes:
    """The same bit by bit, as text of zeros and ones."""
    codes = canonical_codes(lengths)
    words = [format(codes[s], f"0{lengths[s]}b") for s in symbols]
    return np.packbits(np.array(list("".join(words)), dtype="U1") == "1")


def huffman_encode_cost(symbols: Shape, lengths: Shape) -> Cost:
    """No MAC; the symbols and the table read, and at least one bit of a symbol written.

    >>> huffman_encode_cost((80,), (256,))
    Cost(macs=0, traffic_bytes=346)
    """
    return Cost(macs=0, traffic_bytes=symbols[0] + lengths[0] + -(-symbols[0] // 8))


def huffman_decode(data: Bytes, lengths: Lengths, count: int) -> Symbols:
    """Read what `huffman_encode` wrote.

    The next bits, as many as the longest code has, are an index into a table that says which
    symbol starts there, and how many of the bits are its own.

    Args:
        data: The bytes.
        lengths: Bits of each symbol's code, as they were written with.
        count: How many symbols there are.

    Raises:
        BadValue: The bytes are not those of so many symbols, as `huffman_encode` writes them.

    >>> lengths = code_lengths(np.array([3, 1]))
    >>> huffman_decode(huffman_encode(np.array([0, 1, 0, 0], np.uint8), lengths), lengths, 4)
    array([0, 1, 0, 0], dtype=uint8)

    Source: Moffat and Turpin, "On the Implementation of Minimum Redundancy Prefix Codes", 1997;
    lab 04.
    """
    demand_bytes("huffman_decode", "data", data)
    demand_lengths("huffman_decode", lengths)
    # every code has a bit at least: no more is set aside than the bytes can hold
    _check.whole("huffman_decode", "count", count, 0, 8 * len(data))
    width = int(lengths.max())
    out = np.empty(count, np.uint8)
    data = np.ascontiguousarray(data)
    read = _decode(data, _table(lengths, width), width, out) if count else 0
    if read < 0:
        rule = f"must be codes, and bit {-read - 1} begins none"
        _check.fail("huffman_decode", "data", rule, f"{len(data)} bytes")
    if -(-read // 8) != len(data):
        rule = f"must be the {-(-read // 8)} bytes of {count} symbols"
        _check.fail("huffman_decode", "data", rule, f"{len(data)} bytes")
    if read % 8 and data[-1] & (0xFF >> read % 8):
        rule = "must be filled up with zeros in its last byte"
        _check.fail("huffman_decode", "data", rule, int(data[-1]))
    return out


def huffman_decode_reference(data: Bytes, lengths: Lengths, count: int) -> Symbols:
    """The same bit by bit: a symbol is there as soon as the bits since the last one are a code."""
    codes = canonical_codes(lengths)
    symbol_of = {(int(lengths[s]), int(codes[s])): s for s in np.flatnonzero(lengths)}
    out: list[int] = []
    length = code = 0
    for bit in np.unpackbits(data):
        if len(out) == count:
            break
        length, code = length + 1, 2 * code + int(bit)
        if (length, code) in symbol_of:
            out.append(int(symbol_of[length, code]))
            length = code = 0
    return np.array(out, np.uint8)


def huffman_decode_cost(data: Shape, lengths: Shape, count: int) -> Cost:
    """No MAC; the bytes and the lengths read, the symbols written."""
    return Cost(macs=0, traffic_bytes=data[0] + lengths[0] + count)


def _table(lengths: Lengths, width: int) -> Integer[np.ndarray, "entries"]:
    """By the next `width` bits: 256 times the length of the code there, plus its symbol, or 0."""
    codes = canonical_codes(lengths)
    table = np.zeros(2**width, np.int64)
    for symbol in np.flatnonzero(lengths):
        rest = width - int(lengths[symbol])
        first = int(codes[symbol]) << rest
        table[first : first + 2**rest] = int(lengths[symbol]) << 8 | int(symbol)
    return table


@njit(nogil=True)
def _encode(symbols, codes, lengths, out):
    waiting, n_waiting, place = 0, 0, 0
    for symbol in symbols:
        length = lengths[symbol]
        waiting = (waiting << length) | codes[symbol]
        n_waiting += length
        while n_waiting >= 8:
            n_waiting -= 8
            out[place] = waiting >> n_waiting
            waiting &= (1 << n_waiting) - 1
            place += 1
    if n_waiting:
        out[place] = waiting << (8 - n_waiting)


@njit(nogil=True)
def _decode(data, table, width, out):
    """The bits that were read; where some begin no code, minus one less their place."""
    waiting, n_waiting, place = 0, 0, 0
    for i in range(len(out)):
        while n_waiting < width:
            byte = np.int64(data[place]) if place < len(data) else np.int64(0)
            waiting = (waiting << 8) | byte
            n_waiting += 8
            place += 1
        entry = table[waiting >> (n_waiting - width)]
        length = entry >> 8
        if length == 0:
            return -(8 * place - n_waiting) - 1
        out[i] = entry & 255
        n_waiting -= length
        waiting &= (1 << n_waiting) - 1
    return 8 * place - n_waiting


def demand_bytes(caller: str, name: str, value: np.ndarray) -> None:
    """Demand a list of bytes."""
    _check.kind(caller, name, value, np.ndarray)
    if value.dtype != np.uint8 or value.ndim != 1:
        rule = f"{caller}: {name} must be an array of uint8 with one axis"
        raise _check.BadKind(f"{rule}, got {value.dtype} of {value.ndim} axes")


def demand_lengths(caller: str, lengths: np.ndarray) -> None:
    """Demand the lengths of a prefix code, one for each byte."""
    demand_bytes(caller, "lengths", lengths)
    _check.whole(caller, "number of lengths", len(lengths), N_SYMBOLS, N_SYMBOLS)
    _check.whole(caller, "longest code", int(lengths.max()), 0, MAX_LENGTH)
    taken = int((2 ** (MAX_LENGTH - lengths[lengths > 0].astype(np.int64))).sum())
    if taken > 2**MAX_LENGTH:  # Kraft's inequality
        rule = "must be those of a prefix code: sum of 2**-length at most 1"
        _check.fail(caller, "lengths", rule, taken / 2**MAX_LENGTH)


def _demand_codable(symbols: Symbols, lengths: Lengths) -> Integer[np.ndarray, "256"]:
    """How often each symbol occurs; every one of them has a code."""
    demand_bytes("huffman_encode", "symbols", symbols)
    demand_lengths("huffman_encode", lengths)
    counts = np.bincount(symbols, minlength=N_SYMBOLS)
    bare = np.flatnonzero((counts > 0) & (lengths == 0))
    if len(bare):
        _check.fail("huffman_encode", "symbols", "must each have a code", int(bare[0]))
    return counts
