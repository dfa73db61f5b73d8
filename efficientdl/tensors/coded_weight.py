"""A sparse weight's codes as two Huffman streams: which value each weight has, and how far on it
stands. What a file holds, so that the size that is counted is the size that is written."""

from functools import cached_property
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Integer
from torch import Tensor

from efficientdl import _check
from efficientdl.kernels.huffman import (
    N_SYMBOLS,
    Bytes,
    Lengths,
    code_lengths,
    coded_bits,
    huffman_decode,
    huffman_encode,
)

INDEX_BITS = (4, 5, 8)  # of a distance; the one that takes the least is taken


class Stream:
    """Symbols as a Huffman stream with its table: four bits for each length.

    Args:
        symbols: What is coded, whole numbers in 0..255.
    """

    def __init__(self, symbols: Integer[Tensor, "n"]) -> None:
        self.symbols = symbols.to(torch.uint8).cpu().numpy()
        counts = np.bincount(self.symbols, minlength=N_SYMBOLS)
        self.lengths: Lengths = code_lengths(counts)
        # symbols beyond the last that occurs are not in the table
        self.alphabet = int(np.flatnonzero(counts).max(initial=-1)) + 1
        self._bits = coded_bits(counts, self.lengths)

    @property
    def bits(self) -> int:
        """Bits of stream and table, each in whole bytes."""
        return 8 * (ceil(self._bits / 8) + ceil(self.alphabet / 2))

    @cached_property
    def data(self) -> Bytes:
        """The stream."""
        return huffman_encode(self.symbols, self.lengths)

    @property
    def table(self) -> Bytes:
        """The lengths of the codes, two in a byte, the first one in its lower half."""
        pairs = self.lengths[: 2 * ceil(self.alphabet / 2)].reshape(-1, 2)
        return pairs[:, 0] | pairs[:, 1] << 4


def read_stream(data: Bytes, table: Bytes, *, count: int) -> Integer[Tensor, "n"]:
    """The symbols of a stream.

    Args:
        data: The stream.
        table: Its lengths, two in a byte.
        count: How many symbols it has.

    Raises:
        BadValue: They do not fit together.

    >>> stream = Stream(torch.tensor([3, 3, 0, 3]))
    >>> read_stream(stream.data, stream.table, count=4)
    tensor([3, 3, 0, 3], dtype=torch.uint8)
    """
    _check.whole("read_stream", "bytes of the table", len(table), 0, N_SYMBOLS // 2)
    lengths = np.zeros(N_SYMBOLS, np.uint8)
    lengths[0 : 2 * len(table) : 2] = table & 15
    lengths[1 : 2 * len(table) : 2] = table >> 4
    return torch.from_numpy(huffman_decode(data, lengths, count))


class CodedWeight(NamedTuple):
    """The streams of a weight.

    Attributes:
        codes: The codes of what is kept.
        gaps: Where that stands; None where everything is kept.
        index_bits: Bits of a distance before Huffman coding; 0 where there are none.
    """

    codes: Stream
    gaps: Stream | None
    index_bits: int


def code_weight(codes: Integer[Tensor, "n"], kept: Bool[Tensor, "places"] | None) -> CodedWeight:
    """Code what is kept of a weight, with the width of distances that takes the fewest bytes.

    Args:
        codes: What is coded.
        kept: Which places are kept; None for all.

    >>> streams = code_weight(torch.tensor([1, 2]), torch.arange(64) % 32 == 5)
    >>> streams.index_bits, streams.gaps.symbols
    (4, array([ 5, 15, 15,  1], dtype=uint8))
    """
    if kept is None:
        return CodedWeight(Stream(codes), None, 0)
    made = [(Stream(gaps_of(kept, index_bits=bits)), bits) for bits in INDEX_BITS]
    gaps, bits = min(made, key=lambda each: each[0].bits)
    return CodedWeight(Stream(codes), gaps, bits)


def gaps_of(kept: Bool[Tensor, "places"], *, index_bits: int) -> Integer[Tensor, "n"]:
    """How many places are skipped before each place that is kept.

    The largest number of `index_bits` stands for a padding zero: so many places are skipped and
    none of them is kept. Its value is known, so unlike the paper's it has no code in the codebook.

    Args:
        kept: Which places are kept.
        index_bits: Bits of a number, 1..8.

    >>> gaps_of(torch.tensor([0, 1, 0, 0, 0, 0, 1, 1]).bool(), index_bits=2)
    tensor([1, 3, 1, 0])

    Source: Han, Mao and Dally, "Deep Compression", ICLR 2016, section 2 and figure 2; lab 04.
    """
    _check.whole("gaps_of", "index_bits", index_bits, 1, 8)
    jump = 2**index_bits - 1
    places = kept.nonzero().flatten()
    skipped = places.diff(prepend=places.new_full((1,), -1)) - 1
    jumps = skipped // jump
    gaps = torch.full((len(places) + int(jumps.sum()),), jump)
    gaps[(jumps + 1).cumsum(0) - 1] = skipped % jump
    return gaps


def places_of(gaps: Integer[Tensor, "n"], *, index_bits: int, n_places: int) -> Bool[Tensor, "_"]:
    """Which places are kept, from the gaps before them.

    Args:
        gaps: What `gaps_of` gave.
        index_bits: Bits of a number, 1..8.
        n_places: How many places there are.

    Raises:
        BadValue: A gap is too large for its bits, or leads beyond the last place.

    >>> places_of(torch.tensor([1, 3, 1, 0]), index_bits=2, n_places=8).int()
    tensor([0, 1, 0, 0, 0, 0, 1, 1], dtype=torch.int32)
    """
    _check.whole("places_of", "index_bits", index_bits, 1, 8)
    jump = 2**index_bits - 1
    if len(gaps) and int(gaps.max()) > jump:
        _check.fail("places_of", "gaps", f"must be in [0, {jump}]", int(gaps.max()))
    wide = gaps.long()
    real = wide < jump
    after = (wide + real).cumsum(0)
    if len(gaps) and int(after[-1]) > n_places:
        _check.fail("places_of", "gaps", f"must stay within {n_places} places", int(after[-1]))
    kept = torch.zeros(n_places, dtype=torch.bool)
    kept[after[real] - 1] = True
    return kept
