"""Gaps against a plain walk, streams against what went in, and the bits against the bytes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors.coded_weight import (
    Stream,
    code_weight,
    gaps_of,
    places_of,
    read_stream,
)
from efficientdl.tensors.storage import relative_index_bits

MASKS = st.lists(st.integers(0, 20).map(lambda n: n == 0), max_size=300).map(
    lambda kept: torch.tensor(kept, dtype=torch.bool)
)


def walked(mask, index_bits):
    """The gaps, place by place."""
    gaps, skipped, jump = [], 0, 2**index_bits - 1
    pending = []
    for kept in mask.tolist():
        if kept:
            gaps += [*pending, skipped]
            skipped, pending = 0, []
        else:
            skipped += 1
            if skipped == jump:
                pending.append(jump)
                skipped = 0
    return gaps


def test_everything_kept_has_no_gaps():
    """The identity, and its opposite."""
    np.testing.assert_array_equal(gaps_of(torch.ones(9, dtype=torch.bool), index_bits=4), 0)
    assert gaps_of(torch.zeros(9, dtype=torch.bool), index_bits=4).numel() == 0
    assert code_weight(torch.tensor([3, 1]), None).gaps is None


@settings(deadline=None, max_examples=60)
@given(mask=MASKS, index_bits=st.integers(1, 8))
def test_gaps_are_those_of_a_plain_walk_and_lead_back(mask, index_bits):
    gaps = gaps_of(mask, index_bits=index_bits)
    assert gaps.tolist() == walked(mask, index_bits)
    np.testing.assert_array_equal(places_of(gaps, index_bits=index_bits, n_places=len(mask)), mask)


def test_the_papers_figure_2():
    """Values at 1, 4 and 15 of 16; three bits; between the last two a padding zero."""
    mask = torch.zeros(16, dtype=torch.bool)
    mask[[1, 4, 15]] = True
    gaps = gaps_of(mask, index_bits=3)
    assert gaps.tolist() == [1, 2, 7, 3]
    # as many entries as the count of `storage`, which gives a padding zero a value too
    assert len(gaps) == relative_index_bits(mask, index_bits=3)[0]


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=300))
def test_a_stream_gives_back_its_symbols_in_the_bytes_that_it_counts(text):
    symbols = torch.from_numpy(np.frombuffer(text, np.uint8).copy())
    stream = Stream(symbols)
    assert stream.bits == 8 * (len(stream.data) + len(stream.table))
    np.testing.assert_array_equal(read_stream(stream.data, stream.table, count=len(text)), symbols)


def test_the_width_of_gaps_that_takes_the_fewest_bytes_is_taken():
    rng = torch.Generator().manual_seed(0)
    taken = {}
    for share in (0.3, 0.1, 0.02, 0.004):
        kept = torch.rand(200_000, generator=rng) < share
        coded = code_weight(torch.zeros(int(kept.sum()), dtype=torch.uint8), kept)
        every = {b: Stream(gaps_of(kept, index_bits=b)).bits for b in (4, 5, 8)}
        assert coded.gaps.bits == every[coded.index_bits] == min(every.values())
        taken[share] = coded.index_bits
    assert taken[0.004] == 8
    assert len(set(taken.values())) > 1


def test_gaps_and_tables_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"places_of: gaps must stay within 3 places, got 4"):
        places_of(torch.tensor([3]), index_bits=4, n_places=3)
    with pytest.raises(ValueError, match=r"places_of: gaps must be in \[0, 15\], got 16"):
        places_of(torch.tensor([16]), index_bits=4, n_places=99)
    with pytest.raises(ValueError, match=r"gaps_of: index_bits must be .* \[1, 8\], got 9"):
        gaps_of(torch.ones(1, dtype=torch.bool), index_bits=9)
    with pytest.raises(ValueError, match=r"read_stream: bytes of the table must be .* got 129"):
        read_stream(np.zeros(0, np.uint8), np.zeros(129, np.uint8), count=0)
