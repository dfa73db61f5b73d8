"""Huffman codes against brute force, the entropy, a heap, and references that go bit by bit."""

import heapq
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.huffman import (
    canonical_codes,
    code_lengths,
    coded_bits,
    huffman_decode,
    huffman_decode_cost,
    huffman_decode_reference,
    huffman_encode,
    huffman_encode_cost,
    huffman_encode_reference,
)
from efficientdl.report import Cost

# Skewed on purpose: powers of ten make codes of very different lengths.
COUNTS = st.lists(st.integers(0, 6).map(lambda e: 10**e - 1), min_size=1, max_size=256)
FIBONACCI = np.array([1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584])


def entropy(counts):
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log2(p)).sum())


def bits_by_heap(counts):
    """Bits of Huffman's own code: the sum of the weights of all the inner nodes of his tree."""
    heap, bits = [int(c) for c in counts if c], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        bits += both
        heapq.heappush(heap, both)
    return bits


def bytes_of(text):
    return np.frombuffer(text, dtype=np.uint8)


def fitting(symbols):
    return code_lengths(np.bincount(symbols, minlength=256))


def test_equal_counts_are_plain_binary_numbers():
    """The identity: nothing is frequent, so each of 256 symbols keeps its eight bits."""
    symbols = np.arange(256, dtype=np.uint8)
    lengths = fitting(symbols)
    np.testing.assert_array_equal(lengths, 8)
    np.testing.assert_array_equal(huffman_encode(symbols, lengths), symbols)


@settings(deadline=None, max_examples=50)
@given(COUNTS.map(np.array).filter(lambda counts: (counts > 0).sum() > 1))
def test_codes_are_within_one_bit_of_the_entropy_and_no_shorter(counts):
    bits = coded_bits(counts, code_lengths(counts)) / counts.sum()
    # 1e-9: the entropy is rounded, and where it is a whole number the two are equal
    assert entropy(counts) - 1e-9 <= bits < entropy(counts) + 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 100), min_size=2, max_size=60).map(np.array))
def test_where_the_limit_does_not_bind_it_is_as_short_as_huffmans_tree(counts):
    if (counts > 0).sum() < 2:
        counts = counts + 1
    # counts up to 101 of 60 symbols: the smallest share is above 1/6060, so no code needs 20 bits,
    # and where one needs 15 or fewer the two agree
    unlimited = bits_by_heap(counts)
    lengths = code_lengths(counts)
    assert coded_bits(counts, lengths) >= unlimited
    if lengths.max() < 15:
        assert coded_bits(counts, lengths) == unlimited


@pytest.mark.parametrize("longest", [2, 3, 4])
@pytest.mark.parametrize("counts", [[1, 1, 2, 3], [9, 3, 1, 1], [1, 100, 10, 50], [5, 0, 7, 7]])
def test_no_code_with_this_limit_is_shorter_by_brute_force(counts, longest):
    counts = np.array(counts)
    used = counts[counts > 0]
    legal = (
        lengths
        for lengths in product(range(1, longest + 1), repeat=len(used))
        if sum(2.0**-length for length in lengths) <= 1
    )
    best = min(int(used @ np.array(lengths)) for lengths in legal)
    lengths = code_lengths(counts, longest=longest)
    assert lengths.max() <= longest
    assert coded_bits(counts, lengths) == best


def test_codes_that_would_be_too_long_are_limited_and_decode():
    """Fibonacci's counts make the deepest tree there is."""
    lengths = code_lengths(FIBONACCI)
    assert lengths.max() == 15
    assert bits_by_heap(FIBONACCI) < coded_bits(FIBONACCI, lengths)
    symbols = np.repeat(np.arange(len(FIBONACCI)), FIBONACCI).astype(np.uint8)
    data = huffman_encode(symbols, lengths)
    np.testing.assert_array_equal(huffman_decode(data, lengths, len(symbols)), symbols)


def test_no_code_begins_another():
    lengths = fitting(bytes_of(b"a canonical code is told by its lengths alone"))
    codes = canonical_codes(lengths)
    words = [format(codes[s], f"0{lengths[s]}b") for s in np.flatnonzero(lengths)]
    assert not any(a != b and b.startswith(a) for a, b in product(words, words))
    assert sum(2.0 ** -len(word) for word in words) == 1


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=400), st.binary(max_size=20))
def test_what_is_written_is_read_again(text, more):
    symbols = bytes_of(text)
    lengths = fitting(bytes_of(text + more))  # a code for symbols too that do not occur
    data = huffman_encode(symbols, lengths)
    counts = np.bincount(symbols, minlength=256)
    assert len(data) == -(-coded_bits(counts, lengths) // 8)
    np.testing.assert_array_equal(huffman_decode(data, lengths, len(symbols)), symbols)
    np.testing.assert_array_equal(data, huffman_encode_reference(symbols, lengths))
    np.testing.assert_array_equal(huffman_decode_reference(data, lengths, len(symbols)), symbols)


def test_nothing_and_a_single_symbol():
    nothing, lengths = bytes_of(b""), np.zeros(256, np.uint8)
    np.testing.assert_array_equal(fitting(nothing), lengths)
    assert len(huffman_encode(nothing, lengths)) == 0
    assert len(huffman_decode(nothing, lengths, 0)) == 0
    alone = bytes_of(b"zzzzzzzzz")
    data = huffman_encode(alone, fitting(alone))
    assert len(data) == 2  # nine bits
    np.testing.assert_array_equal(huffman_decode(data, fitting(alone), 9), alone)


@settings(deadline=None, max_examples=100)
@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_damaged_stream_is_refused_or_is_the_code_of_other_symbols(text, draw):
    """Never a crash, and never symbols that would be written otherwise."""
    lengths = fitting(bytes_of(text))
    data = huffman_encode(bytes_of(text), lengths).copy()
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    symbols, said = read_or_said(data, lengths, len(text))
    if symbols is None:
        assert said.startswith("huffman_decode: data must be ")
    else:
        np.testing.assert_array_equal(huffman_encode(symbols, lengths), data)


def read_or_said(data, lengths, count):
    """The symbols, or what was said instead of giving them."""
    try:
        return huffman_decode(data, lengths, count), ""
    except ValueError as error:
        return None, str(error)


def test_streams_that_do_not_fit_are_refused():
    symbols = bytes_of(b"abracadabra")
    lengths = fitting(symbols)
    data = huffman_encode(symbols, lengths)
    with pytest.raises(ValueError, match=r"huffman_decode: data must be the \d+ bytes of 11"):
        huffman_decode(data[:-1], lengths, 11)
    with pytest.raises(ValueError, match=r"data must be the 3 bytes of 11 symbols, got '4 bytes'"):
        huffman_decode(np.append(data, np.uint8(0)), lengths, 11)
    alone = fitting(bytes_of(b"z"))
    with pytest.raises(ValueError, match=r"must be codes, and bit 2 begins none"):
        huffman_decode(bytes_of(b"\x20"), alone, 8)
    with pytest.raises(ValueError, match=r"must be filled up with zeros in its last byte, got 1"):
        huffman_decode(bytes_of(b"\x01"), alone, 7)
    with pytest.raises(
        ValueError, match=r"count must be a whole number in \[0, 24\], got 10000000"
    ):
        huffman_decode(data, lengths, 10**7)


def test_bad_tables_and_symbols_are_named():
    with pytest.raises(ValueError, match=r"lengths must be those of a prefix code.* got 1\.5"):
        canonical_codes(np.array([1, 1, 1] + 253 * [0], np.uint8))
    one_too_many = code_lengths(FIBONACCI)  # its codes are all there are
    one_too_many[255] = 15
    with pytest.raises(ValueError, match=r"lengths must be those of a prefix code.* got 1\.00003"):
        canonical_codes(one_too_many)
    with pytest.raises(ValueError, match=r"longest code must be .* \[0, 15\], got 16"):
        huffman_decode(bytes_of(b""), np.array([16] + 255 * [0], np.uint8), 0)
    with pytest.raises(ValueError, match=r"huffman_encode: symbols must each have a code, got 98"):
        huffman_encode(bytes_of(b"ab"), fitting(bytes_of(b"a")))
    with pytest.raises(TypeError, match=r"huffman_encode: symbols must be an array of uint8"):
        huffman_encode(np.array([1, 2]), fitting(bytes_of(b"a")))
    with pytest.raises(ValueError, match=r"code_lengths: counts must not be negative, got -1"):
        code_lengths(np.array([2, -1]))
    with pytest.raises(ValueError, match=r"that occur must be at most 2\*\*longest = 2, got 3"):
        code_lengths(np.array([1, 1, 1]), longest=1)


def test_costs_are_bytes_and_no_macs():
    assert huffman_encode_cost((80,), (256,)) == Cost(macs=0, traffic_bytes=80 + 256 + 10)
    assert huffman_decode_cost((10,), (256,), 80) == Cost(macs=0, traffic_bytes=10 + 256 + 80)
