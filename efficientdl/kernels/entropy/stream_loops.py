"""The loops behind Huffman streams: four streams side by side, several symbols at a step.

What follows one code waits for its length, so that a single stream leaves the processor idle most
of the time. Four streams that know nothing of one another keep it busy. Codes stand with their
first bit lowest: what comes next is always at the lower end of a word.
"""

import numpy as np

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.entropy.words import load_word, store_word
from efficientdl.kernels.simd import at

BLOCK = 1 << 16  # symbols of four streams, which one thread takes in turn
N_STREAMS = 4
LONGEST = 12  # bits of the longest code: four of them, and seven that wait, fit into a word
STEP = 4  # codes that a word takes before it is written, and look-ups that a word is read for
MOST = 4  # symbols that one look-up gives
_BYTES = np.uint64(7 << 3)  # of a number of bits
NO_WORD = np.uint64(1 << 20)  # in place of a length: far above the bits that can wait
FINE, NO_CODE, NOT_ITS_LENGTH, NOT_FILLED = 0, 1, 2, 3

_0, _3, _7, _8, _12, _15, _16, _32 = (np.uint64(n) for n in (0, 3, 7, 8, 12, 15, 16, 32))
_63, _BYTE, _LOW = np.uint64(63), np.uint64(255), np.uint64(0xFFFFFFFF)
_MASK = np.uint64((1 << LONGEST) - 1)


@compiled
def count_symbols(symbols, counts) -> None:
    """How often each byte occurs: four counts of each, as the next may be the same byte."""
    end = len(symbols) - len(symbols) % 4
    four = np.zeros((4, 256), np.int64)
    for i in range(0, end, 4):
        four[0, np.uint64(at(symbols, i))] += 1
        four[1, np.uint64(at(symbols, i + 1))] += 1
        four[2, np.uint64(at(symbols, i + 2))] += 1
        four[3, np.uint64(at(symbols, i + 3))] += 1
    for i in range(end, len(symbols)):
        four[0, symbols[i]] += 1
    for symbol in range(256):
        counts[symbol] = four[0, symbol] + four[1, symbol] + four[2, symbol] + four[3, symbol]


@compiled
def _more(words, symbols, i, n, waiting, n_waiting):
    """Some symbols' codes behind those that wait."""
    for each in range(n):
        word = at(words, np.int64(at(symbols, i + each)))
        waiting |= (word & _LOW) << (n_waiting & _63)
        n_waiting += word >> _32
    return waiting, n_waiting


@compiled
def _write(out, place, waiting, n_waiting):
    """Write the word, and keep the bits that fill no byte, and `NO_WORD` if it was among them."""
    store_word(out, place, waiting)
    n_bytes = (n_waiting >> _3) & _7
    return place + np.int64(n_bytes), waiting >> (n_bytes << _3), n_waiting & ~_BYTES


@compiled
def encode_blocks(first, last, symbols, words, room, out, sizes) -> None:
    """Blocks of symbols, each as four streams: stream `s` is written from `s * room` on.

    The size of a stream is negative where a symbol has no code: it has written nothing.
    """
    for block in range(first, last):
        begin, end = block * BLOCK, min((block + 1) * BLOCK, len(symbols))
        quarter, o = (end - begin) // N_STREAMS, block * N_STREAMS * room
        i1, i2, i3 = begin + quarter, begin + 2 * quarter, begin + 3 * quarter
        o0, o1, o2, o3 = o, o + room, o + 2 * room, o + 3 * room
        w0 = w1 = w2 = w3 = n0 = n1 = n2 = n3 = _0
        done = 0
        while done + STEP <= quarter:
            w0, n0 = _more(words, symbols, begin + done, STEP, w0, n0)
            w1, n1 = _more(words, symbols, i1 + done, STEP, w1, n1)
            w2, n2 = _more(words, symbols, i2 + done, STEP, w2, n2)
            w3, n3 = _more(words, symbols, i3 + done, STEP, w3, n3)
            o0, w0, n0 = _write(out, o0, w0, n0)
            o1, w1, n1 = _write(out, o1, w1, n1)
            o2, w2, n2 = _write(out, o2, w2, n2)
            o3, w3, n3 = _write(out, o3, w3, n3)
            done += STEP
        given = symbols, words, out
        sizes[block, 0] = _encode_rest(given, begin + done, i1, (o0, w0, n0), o)
        sizes[block, 1] = _encode_rest(given, i1 + done, i2, (o1, w1, n1), o + room)
        sizes[block, 2] = _encode_rest(given, i2 + done, i3, (o2, w2, n2), o + 2 * room)
        sizes[block, 3] = _encode_rest(given, i3 + done, end, (o3, w3, n3), o + 3 * room)


@compiled
def _encode_rest(given, i, end, stream, start):
    """The last symbols of a stream, and the bits that fill no byte. Gives the stream's size."""
    (symbols, words, out), (place, waiting, n_waiting) = given, stream
    while i < end:
        waiting, n_waiting = _more(words, symbols, i, 1, waiting, n_waiting)
        place, waiting, n_waiting = _write(out, place, waiting, n_waiting)
        i += 1
    store_word(out, place, waiting)
    return -1 if n_waiting >= NO_WORD else place + np.int64((n_waiting + _7) >> _3) - start


@compiled
def gather(written, room, sizes, out, end) -> int:
    """Copy streams, each from the start of its room, to where the last one ends. Gives the end.

    Whole words are copied: what is behind a stream is there, and written over by the next.
    """
    for stream in range(sizes.size):
        start, size = stream * room, sizes[stream // N_STREAMS, stream % N_STREAMS]
        for place in range(0, size, 8):
            store_word(out, end + place, load_word(written, start + place))
        end += size
    return end


@compiled
def fill_table(words, table) -> None:
    """What twelve bits say. From the lowest bit: the bits taken, in a byte; how many symbols, and
    the bits of the first of them, in four each; and up to four symbols.

    Bits that begin no code give one symbol and take nothing, so that they are met again.
    """
    single = np.zeros(len(table), np.int64)
    for symbol in range(256):
        code, length = np.int64(words[symbol] & _LOW), np.int64(words[symbol] >> _32)
        if length:
            for entry in range(code, len(table), 1 << length):
                single[entry] = length << 8 | symbol
    for entry in range(len(table)):
        bits, left, count, found = entry, LONGEST, 0, np.uint64(0)
        while count < MOST and 0 < single[bits] >> 8 <= left:
            found |= np.uint64(single[bits] & 255) << np.uint64(8 * count)
            length = single[bits] >> 8
            bits, left, count = bits >> length, left - length, count + 1
        taken, of_first = np.uint64(LONGEST - left), np.uint64(single[entry] >> 8)
        table[entry] = taken | np.uint64(max(count, 1)) << _8 | of_first << _12 | found << _16


@compiled
def _word(data, place):
    """The bits from a place on: 57 or more."""
    return load_word(data, place >> 3) >> np.uint64(place & 7)


@compiled
def _look_up(table, word, out, i, sums):
    """Write the symbols that a word begins with. Numbers of symbols and of bits are summed in one.

    Gives the rest of the word, where the next symbols belong, and the sums.
    """
    entry = np.uint64(at(table, np.int64(word & _MASK)))
    store_word(out, i, np.uint32((entry >> _16) & _LOW))
    return word >> (entry & _63), i + np.int64((entry >> _8) & _15), sums + entry


@compiled
def _step(data, table, out, i, place):
    """Four look-ups of one stream."""
    word, sums = _word(data, place), _0
    for _ in range(STEP):
        word, i, sums = _look_up(table, word, out, i, sums)
    return i, place + _bits(sums)


@compiled
def decode_blocks(first, last, data, table, starts, out, faults) -> None:
    """Blocks of four streams: four look-ups of each in turn, as long as no end is near."""
    for block in range(first, last):
        begin, end = block * BLOCK, min((block + 1) * BLOCK, len(out))
        quarter, s = (end - begin) // N_STREAMS, block * N_STREAMS
        e0, e1, e2 = begin + quarter, begin + 2 * quarter, begin + 3 * quarter
        i0, i1, i2, i3 = begin, e0, e1, e2
        p0, p1, p2, p3 = 8 * starts[s], 8 * starts[s + 1], 8 * starts[s + 2], 8 * starts[s + 3]
        steps = 1
        while steps > 0:
            left = min(e0 - i0, e1 - i1, e2 - i2, end - i3)
            steps = _steps(left, max(p0, p1, p2, p3), data)
            for _ in range(steps):
                w0, w1, w2, w3 = _word(data, p0), _word(data, p1), _word(data, p2), _word(data, p3)
                s0 = s1 = s2 = s3 = _0
                for _ in range(STEP):
                    w0, i0, s0 = _look_up(table, w0, out, i0, s0)
                    w1, i1, s1 = _look_up(table, w1, out, i1, s1)
                    w2, i2, s2 = _look_up(table, w2, out, i2, s2)
                    w3, i3, s3 = _look_up(table, w3, out, i3, s3)
                p0, p1, p2, p3 = p0 + _bits(s0), p1 + _bits(s1), p2 + _bits(s2), p3 + _bits(s3)
        faults[s] = _decode_rest(data, table, out, (i0, e0, p0), starts[s + 1])
        faults[s + 1] = _decode_rest(data, table, out, (i1, e1, p1), starts[s + 2])
        faults[s + 2] = _decode_rest(data, table, out, (i2, e2, p2), starts[s + 3])
        faults[s + 3] = _decode_rest(data, table, out, (i3, end, p3), starts[s + 4])


@compiled
def _bits(sums):
    """How many bits some look-ups have taken: at most 48, so that their sum fits its byte."""
    return np.int64(sums & _BYTE)


@compiled
def _steps(n_left, place, data):
    """How many steps neither write behind the symbols that are left, nor read behind the data.

    One symbol is left over, so that whatever is wrong is met once more, symbol by symbol.
    """
    n_bits = 8 * (len(data) - 8) - place  # a word is read where a step begins
    return min((n_left - 1) // (STEP * MOST), n_bits // (STEP * LONGEST) + 1 if n_bits >= 0 else 0)


@compiled
def _decode_rest(data, table, out, stream, end_byte):
    """The rest of one stream, at last symbol by symbol. Gives what is wrong with the stream."""
    i, end, place = stream
    while _steps(end - i, place, data) > 0:
        i, place = _step(data, table, out, i, place)
    while i < end:
        entry = np.uint64(table[_next_bits(data, place)])
        of_first = np.int64((entry >> _12) & _15)
        if of_first == 0:
            return NO_CODE
        out[i] = (entry >> _16) & _BYTE
        i, place = i + 1, place + of_first
        if place > 8 * end_byte:
            return NOT_ITS_LENGTH
    if (place + 7) >> 3 != end_byte:
        return NOT_ITS_LENGTH
    return NOT_FILLED if place & 7 and data[end_byte - 1] >> (place & 7) else FINE


@compiled
def _next_bits(data, place):
    """The next twelve bits, byte by byte; zeros behind the last stream."""
    bits = 0
    for byte in range(3):
        if (place >> 3) + byte < len(data):
            bits |= np.int64(data[(place >> 3) + byte]) << 8 * byte
    return (bits >> (place & 7)) & ((1 << LONGEST) - 1)
