"""Packed bytes: read again, as small as their code and its table, refused where they are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.entropy import pack_huffman, unpack_huffman
from efficientdl.kernels.entropy.stream_loops import count_symbols
from efficientdl.kernels.huffman import code_lengths, coded_bits


def bytes_of(text):
    return np.frombuffer(text, dtype=np.uint8)


@settings(deadline=None, max_examples=100, database=None)
@given(st.binary(max_size=900))
def test_what_is_packed_is_unpacked(text):
    np.testing.assert_array_equal(unpack_huffman(pack_huffman(bytes_of(text))), bytes_of(text))


@settings(deadline=None, max_examples=50, database=None)
@given(st.binary(max_size=300))
def test_counts_are_numpys(text):
    counts = np.empty(256, np.int64)
    count_symbols(bytes_of(text).copy(), counts)
    np.testing.assert_array_equal(counts, np.bincount(bytes_of(text), minlength=256))


def test_the_size_is_that_of_the_code_and_little_more():
    symbols = np.random.default_rng(0).binomial(40, 0.3, 200_000).astype(np.uint8)
    counts = np.bincount(symbols, minlength=256)
    bits = coded_bits(counts, code_lengths(counts, longest=12))
    # the count, the code, and for each of the 16 streams its size and a last byte
    assert 0 <= 8 * (len(pack_huffman(symbols)) - 8 - 128 - 16 * 2) - bits <= 16 * 7


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(min_size=1, max_size=400), st.data())
def test_damaged_bytes_are_refused_or_unpacked_to_others(text, draw):
    data = pack_huffman(bytes_of(text))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    data = data[: draw.draw(st.integers(0, len(data)))] if draw.draw(st.booleans()) else data
    assert said_of(data).startswith(("decode_streams: ", "unpack_huffman: ", "nothing"))


def said_of(data):
    try:
        unpack_huffman(data)
    except ValueError as error:
        return str(error)
    return "nothing"


def test_what_is_not_packed_is_named():
    with pytest.raises(ValueError, match="unpack_huffman: data must begin with 136 bytes"):
        unpack_huffman(bytes_of(b"too short"))
    with pytest.raises(TypeError, match="pack_huffman: symbols must be an array of uint8"):
        pack_huffman(np.zeros(3))
    with pytest.raises(TypeError, match="unpack_huffman: data must be an array of uint8"):
        unpack_huffman(np.zeros((3, 3), np.uint8))
    lies = np.concatenate([np.full(8, 255, np.uint8), np.zeros(128, np.uint8)])
    with pytest.raises(ValueError, match=r"decode_streams: count must be .* got 18446744073709551"):
        unpack_huffman(lies)
