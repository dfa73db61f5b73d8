"""Huffman streams: references that go bit by bit, and data that lie in every way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.entropy import decode_streams, encode_streams
from efficientdl.kernels.entropy.stream_loops import (
    BLOCK,
    LONGEST,
    decode_blocks,
    encode_blocks,
    fill_table,
)
from efficientdl.kernels.entropy.streams import (
    _spans,
    _starts,
    _words,
    decode_streams_cost,
    decode_streams_reference,
    encode_streams_cost,
    encode_streams_reference,
)
from efficientdl.kernels.huffman import code_lengths, huffman_encode
from efficientdl.kernels.threads import threads
from efficientdl.report import Cost
from tests.kernels import modes

SEVERAL = [0, 1, 2, 3, 4, 5, 63, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]


def bytes_of(text):
    return np.frombuffer(text, dtype=np.uint8)


def fitting(symbols, *, longest=LONGEST):
    return code_lengths(np.bincount(symbols, minlength=256), longest=longest)


def skewed(n, seed):
    """Symbols of codes from 1 to 12 bits."""
    rng = np.random.default_rng(seed)
    return np.minimum(rng.geometric(rng.uniform(0.02, 0.9), n) - 1, 255).astype(np.uint8)


def test_equal_lengths_are_the_symbols_themselves():
    """The identity: where each of 256 symbols keeps its eight bits, only their order is turned."""
    symbols = np.arange(256, dtype=np.uint8)
    data = encode_streams(symbols, fitting(symbols))
    np.testing.assert_array_equal(data[:8].view("<u2"), 64)
    turned = np.packbits(np.unpackbits(data[8:]).reshape(-1, 8)[:, ::-1])
    np.testing.assert_array_equal(turned, symbols)


@pytest.mark.parametrize("n", SEVERAL)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_is_written_is_read_again(n, n_threads):
    symbols = skewed(n, n)
    lengths = fitting(symbols)
    with threads(n_threads):
        data = encode_streams(symbols, lengths)
        np.testing.assert_array_equal(decode_streams(data, lengths, n), symbols)
    if n <= BLOCK + 1:
        np.testing.assert_array_equal(data, encode_streams_reference(symbols, lengths))
        np.testing.assert_array_equal(decode_streams_reference(data, lengths, n), symbols)


@settings(deadline=None, max_examples=100, database=None)
@given(st.binary(max_size=700), st.binary(max_size=20), st.integers(8, LONGEST))
def test_any_bytes_equal_the_reference(text, more, longest):
    symbols = bytes_of(text)
    lengths = fitting(bytes_of(text + more), longest=longest)  # and codes that do not occur
    data = encode_streams(symbols, lengths)
    np.testing.assert_array_equal(data, encode_streams_reference(symbols, lengths))
    np.testing.assert_array_equal(decode_streams(data, lengths, len(symbols)), symbols)
    np.testing.assert_array_equal(decode_streams_reference(data, lengths, len(text)), symbols)


def test_codes_are_those_of_the_simple_form():
    """One stream of a block: the bits of `huffman_encode`, in another order within a byte."""
    symbols = skewed(4003, 7)
    lengths = fitting(symbols)
    data = encode_streams(symbols, lengths)
    start = 8
    for size, (first, end) in zip(data[:8].view("<u2"), _spans(4003), strict=True):
        bits = np.unpackbits(data[start : start + size], bitorder="little")
        np.testing.assert_array_equal(
            np.packbits(bits), huffman_encode(symbols[first:end], lengths)
        )
        start += int(size)


def test_streams_of_unequal_symbols_run_apart_and_end_right():
    """A quarter of ones of one bit beside quarters of long codes."""
    rng = np.random.default_rng(0)
    n = BLOCK // 4
    rare = rng.integers(1, 256, n).astype(np.uint8)
    symbols = np.concatenate([rare, np.zeros(2 * n, np.uint8), rare[::-1]])
    lengths = fitting(symbols)
    assert lengths[0] == 1
    data = encode_streams(symbols, lengths)
    np.testing.assert_array_equal(decode_streams(data, lengths, len(symbols)), symbols)


def test_nothing_and_a_single_symbol():
    nothing, none = bytes_of(b""), np.zeros(256, np.uint8)
    assert len(encode_streams(nothing, none)) == 0
    assert len(decode_streams(nothing, none, 0)) == 0
    alone = np.full(1000, 77, np.uint8)
    data = encode_streams(alone, fitting(alone))
    assert len(data) == 8 + 4 * 32  # 250 bits each
    np.testing.assert_array_equal(decode_streams(data, fitting(alone), 1000), alone)


def test_arrays_of_any_layout():
    symbols = skewed(5000, 3)
    lengths = fitting(symbols)
    data = encode_streams(symbols, lengths)
    wide = np.repeat(symbols, 2)
    np.testing.assert_array_equal(encode_streams(wide[::2], np.repeat(lengths, 3)[::3]), data)
    found = decode_streams(np.repeat(data, 2)[::2], lengths, np.int64(5000))
    np.testing.assert_array_equal(found, symbols)
    symbols.flags.writeable = data.flags.writeable = lengths.flags.writeable = False
    np.testing.assert_array_equal(encode_streams(symbols, lengths), data)
    np.testing.assert_array_equal(decode_streams(data, lengths, 5000), symbols)


def read_or_said(data, lengths, count):
    """The symbols, or what was said instead of giving them."""
    try:
        return decode_streams(data, lengths, count), ""
    except ValueError as error:
        return None, str(error)


def damage(data, draw):
    """Some of its bytes other ones, or fewer, or more."""
    data = data.copy()
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(-3, 3))
    return data[:cut] if cut < 0 else np.append(data, np.zeros(cut, np.uint8))


@settings(deadline=None, max_examples=200, database=None)
@given(st.integers(1, 2000), st.integers(0, 2**16), st.booleans(), st.data())
def test_damaged_data_are_refused_or_are_the_code_of_other_symbols(n, seed, whole, draw):
    """Never a crash, and never symbols that would be written otherwise."""
    symbols = skewed(n, seed)
    lengths = fitting(symbols)
    if not whole and (lengths > 0).sum() > 1:  # some bits begin no code
        lengths[int(np.flatnonzero(lengths)[-1])] = 0
        symbols = symbols[lengths[symbols] > 0]
    data = encode_streams(symbols, lengths)
    if not len(data):
        return
    data = damage(data, draw)
    count = max(0, len(symbols) + draw.draw(st.integers(-2, 2)))
    found, said = read_or_said(data, lengths, count)
    if found is None:
        assert said.startswith("decode_streams: ")
    else:
        np.testing.assert_array_equal(encode_streams(found, lengths), data)


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(max_size=300), st.binary(min_size=256, max_size=256), st.integers(0, 2500))
def test_bytes_of_chance_are_refused_or_read(data, table, count):
    lengths = bytes_of(table) % 16
    found, said = read_or_said(bytes_of(data), lengths, count)
    assert said.startswith("decode_streams: ") if found is None else len(found) == count


def test_bits_that_begin_no_code_are_met_wherever_they_are():
    """Only the code `0` is there: in the middle, where four look-ups go at once, a one is none."""
    lengths = np.zeros(256, np.uint8)
    lengths[5] = 1
    data = encode_streams(np.full(4000, 5, np.uint8), lengths)
    for byte in (8, 8 + 125, len(data) - 1, len(data) // 2):
        wrong = data.copy()
        wrong[byte] = 1 << 7
        with pytest.raises(ValueError, match=r"decode_streams: stream \d of data must be codes"):
            decode_streams(wrong, lengths, 4000)


def test_what_does_not_fit_is_named():
    symbols = skewed(1001, 1)
    lengths = fitting(symbols)
    data = encode_streams(symbols, lengths)
    with pytest.raises(ValueError, match=r"data must have the \d+ bytes that its sizes say"):
        decode_streams(data[:-1], lengths, 1001)
    with pytest.raises(ValueError, match=r"decode_streams: data must begin with 8 bytes of sizes"):
        decode_streams(data[:7], lengths, 3)
    with pytest.raises(ValueError, match=r"stream 0 of data must be as long as its symbols' codes"):
        decode_streams(data, lengths, 1101)
    with pytest.raises(ValueError, match=r"count must be a whole number in \[0, .* got 100000000"):
        decode_streams(data, lengths, 10**8)
    with pytest.raises(ValueError, match=r"decode_streams: count must be a whole number"):
        decode_streams(data, lengths, -1)
    with pytest.raises(ValueError, match=r"encode_streams: longest code must be .*12\], got 13"):
        encode_streams(symbols, np.array([13] + 255 * [0], np.uint8))
    with pytest.raises(ValueError, match=r"lengths must be those of a prefix code.* got 1\.5"):
        decode_streams(data, np.array([1, 1, 1] + 253 * [0], np.uint8), 3)
    with pytest.raises(TypeError, match=r"encode_streams: symbols must be an array of uint8"):
        encode_streams(symbols.astype(np.int8), lengths)
    with pytest.raises(TypeError, match=r"decode_streams: data must be a ndarray"):
        decode_streams(b"abc", lengths, 1)
    alone = np.zeros(256, np.uint8)
    alone[1] = 1
    filled = encode_streams(np.full(4, 1, np.uint8), alone)
    filled[-1] = 2
    with pytest.raises(ValueError, match=r"stream 3 of data must be filled up with zeros"):
        decode_streams(filled, alone, 4)


@pytest.mark.parametrize("place", [0, 17, 16384, 40000, 65535, 65536, 70001])
def test_a_symbol_without_a_code_is_found_wherever_it_is(place):
    lengths = np.zeros(256, np.uint8)
    lengths[[3, 9]] = 1
    symbols = np.where(np.arange(70002) % 3 == 0, 3, 9).astype(np.uint8)
    symbols[place] = 5
    with pytest.raises(ValueError, match="encode_streams: symbols must each have a code, got 5"):
        encode_streams(symbols, lengths)


def test_the_longest_codes_there_can_be_stay_in_their_room():
    """Every symbol takes 12 bits: no other data fill the streams' room as far."""
    lengths = np.full(256, 12, np.uint8)
    symbols = np.random.default_rng(0).integers(0, 256, BLOCK + 3).astype(np.uint8)
    data = encode_streams(symbols, lengths)
    assert data[:8].view("<u2").tolist() == [16384 * 12 // 8] * 4
    np.testing.assert_array_equal(decode_streams(data, lengths, len(symbols)), symbols)


GUARD = 64


def guarded(array):
    """A copy in the middle of a larger array of a pattern, and the whole of it."""
    whole = np.full(array.nbytes + 2 * GUARD, 0xA5, np.uint8)
    inside = whole[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
    inside[...] = array
    return inside, whole


def assert_guards_stand(whole):
    np.testing.assert_array_equal(whole[:GUARD], 0xA5)
    np.testing.assert_array_equal(whole[-GUARD:], 0xA5)


@settings(deadline=None, max_examples=100, database=None)
@given(st.integers(1, 3000), st.integers(0, 2**16), st.booleans(), st.data())
def test_nothing_is_written_beside_what_is_given(n, seed, damaged, draw):
    """Compiled, between bytes of a pattern: true data, and data that lie."""
    symbols = skewed(n, seed)
    lengths = fitting(symbols)
    words = _words("test", lengths)
    room = -(-(n // 4 + 3) * LONGEST // 8) + 8
    out, whole = guarded(np.zeros(4 * room, np.uint8))
    encode_blocks(0, 1, symbols, words, room, out, np.empty((1, 4), np.int64))
    assert_guards_stand(whole)
    data = encode_streams(symbols, lengths)
    starts = _starts(data, 1)
    if damaged:
        data[8:] = bytes_of(draw.draw(st.binary(min_size=len(data) - 8, max_size=len(data) - 8)))
        cuts = draw.draw(st.lists(st.integers(8, len(data)), min_size=3, max_size=3))
        starts = np.array([8, *sorted(cuts), len(data)])
    table = np.empty(1 << LONGEST, np.uint64)
    fill_table(words, table)
    found, whole = guarded(np.zeros(n, np.uint8))
    decode_blocks(0, 1, data, table, starts, found, np.zeros(4, np.int64))
    assert_guards_stand(whole)


WITHOUT = """
import numpy as np
from hypothesis import given, settings, strategies as st
from efficientdl.kernels.entropy import decode_streams, encode_streams
from efficientdl.kernels.entropy.streams import encode_streams_reference
from efficientdl.kernels.huffman import code_lengths

@settings(deadline=None, max_examples=20, database=None, derandomize=True)
@given(st.integers(1, 400), st.integers(0, 99), st.integers(0, 255), st.integers(0, 9999))
def check(n, seed, byte, place):
    rng = np.random.default_rng(seed)
    symbols = np.minimum(rng.geometric(rng.uniform(0.02, 0.9), n) - 1, 255).astype(np.uint8)
    lengths = code_lengths(np.bincount(symbols, minlength=256), longest=12)
    if seed % 3 == 0:  # some bits begin no code
        lengths[lengths > 0] = np.minimum(lengths[lengths > 0] + 1, 12)
    data = encode_streams(symbols, lengths)
    np.testing.assert_array_equal(data, encode_streams_reference(symbols, lengths))
    np.testing.assert_array_equal(decode_streams(data, lengths, n), symbols)
    data[place % len(data)] = byte
    for count in (n, n + seed):
        try:
            decode_streams(data, lengths, count)
        except ValueError as error:
            assert str(error).startswith("decode_streams: "), error

check()
"""


@pytest.mark.slow
def test_without_the_compiler_numpy_finds_no_place_out_of_bounds():
    """What is written is read again, and what is damaged ends in the one sentence."""
    modes.run(WITHOUT, modes.NO_COMPILER)


def test_costs_are_bytes_and_no_macs():
    assert encode_streams_cost((80,), (256,)) == Cost(macs=0, traffic_bytes=80 + 256 + 8 + 10)
    assert decode_streams_cost((10,), (256,), 80) == Cost(macs=0, traffic_bytes=10 + 256 + 80)
