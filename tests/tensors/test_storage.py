"""Index bits are counted; the counts equal those of real encoders."""

from math import ceil, log2

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.sparse import csr_matrix

from efficientdl.tensors import (
    bitmap_bits,
    csr_bits,
    group_bitmap_bits,
    pattern_bits,
    relative_index_bits,
    storage_bits,
)

MASKS = arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 40)))


def encode(mask, index_bits):
    """The entries that a decoder would read: distance minus one, and whether it is a value."""
    entries, place = [], -1
    for index in np.flatnonzero(mask):
        distance = index - place
        while distance > 2**index_bits:
            entries.append((2**index_bits - 1, False))
            distance -= 2**index_bits
        entries.append((distance - 1, True))
        place = index
    return entries


@settings(deadline=None, max_examples=60)
@given(mask=MASKS, index_bits=st.integers(1, 8))
def test_relative_index_equals_an_encoder_that_decodes(mask, index_bits):
    entries = encode(mask.ravel(), index_bits)
    places = np.cumsum([distance + 1 for distance, _ in entries]) - 1
    decoded = [place for place, (_, value) in zip(places, entries, strict=True) if value]
    np.testing.assert_array_equal(decoded, np.flatnonzero(mask))
    count, bits = relative_index_bits(torch.from_numpy(mask), index_bits=index_bits)
    assert (count, bits) == (len(entries), len(entries) * index_bits)


def test_deep_compression_figure_2():
    """Weights 3.4, 0.9 and 1.7 at distances 1, 3 and 11, three bits: one zero is stored at 8."""
    mask = torch.zeros(16, dtype=torch.bool)
    mask[[0, 3, 14]] = True
    assert relative_index_bits(mask, index_bits=3) == (4, 12)


@settings(deadline=None, max_examples=40)
@given(mask=MASKS)
def test_csr_equals_scipys_arrays(mask):
    rows = csr_matrix(mask)

    def bits(values):
        return ceil(log2(values)) if values > 1 else 0

    expected = len(rows.indices) * bits(mask.shape[1]) + len(rows.indptr) * bits(rows.nnz + 1)
    assert csr_bits(torch.from_numpy(mask)) == expected


@settings(deadline=None, max_examples=60)
@given(mask=MASKS, value_bits=st.sampled_from([1, 2, 4, 8, 32]))
def test_the_smallest_form_is_named_and_fits_its_values(mask, value_bits):
    mask = torch.from_numpy(mask)
    storage = storage_bits(mask, value_bits=value_bits)
    n_kept = int(mask.sum())
    alternatives = {
        "dense": mask.numel() * value_bits,
        "bitmap": mask.numel() + n_kept * value_bits,
        "csr": csr_bits(mask) + n_kept * value_bits,
        "relative index": min(
            relative_index_bits(mask, index_bits=b)[0] * (b + value_bits) for b in range(1, 17)
        ),
    }
    if all(len(set(row)) == 1 for row in mask.tolist()):
        alternatives["group bitmap"] = len(mask) + n_kept * value_bits
    assert storage.bits == alternatives[storage.form] == min(alternatives.values())
    assert storage.bits >= n_kept * value_bits + storage.index_bits


def test_a_full_tensor_is_dense_and_an_empty_one_is_free():
    full = storage_bits(torch.ones(4, 4, dtype=torch.bool), value_bits=8)
    assert tuple(full) == ("dense", 128, 0)
    assert storage_bits(torch.zeros(4, 4, dtype=torch.bool), value_bits=8).bits == 0
    assert bitmap_bits(torch.ones(2, 3, 4, dtype=torch.bool)) == 24


GROUPS = {"filters": (5, 1, 1, 1), "kernels": (5, 4, 1, 1), "rows": (5, 4, 3, 1)}


@settings(deadline=None, max_examples=30)
@given(data=st.data(), name=st.sampled_from(list(GROUPS)))
def test_one_bit_tells_of_a_group_that_stays_or_goes_as_a_whole(data, name):
    shape = GROUPS[name]
    stays = torch.from_numpy(data.draw(arrays(bool, shape)))
    mask = stays.expand(5, 4, 3, 3)
    coarser = [
        part
        for part in ((5, 1, 1, 1), (5, 4, 1, 1), (5, 4, 3, 1))
        if torch.equal(_first_of(mask, part).expand(5, 4, 3, 3), mask)
    ]
    assert group_bitmap_bits(mask) == np.prod(coarser[0])
    decoded = _first_of(mask, coarser[0]).expand(5, 4, 3, 3)  # what a decoder would read
    assert torch.equal(decoded, mask)


def _first_of(mask, shape):
    """The first weight of each group."""
    return mask[tuple(slice(None, n) for n in shape)]


def test_single_zeros_have_no_groups():
    mask = torch.ones(2, 2, 3, 3, dtype=torch.bool)
    mask[0, 0, 0, 0] = False
    assert group_bitmap_bits(mask) is None
    assert group_bitmap_bits(mask.flatten()) is None


@settings(deadline=None, max_examples=30)
@given(n_patterns=st.integers(1, 6), seed=st.integers(0, 99))
def test_patterns_are_listed_once_and_numbered_for_each_kernel(n_patterns, seed):
    rng = np.random.default_rng(seed)
    patterns = rng.random((n_patterns, 3, 3)) < 0.5
    mask = patterns[rng.integers(0, n_patterns, (4, 6))]
    listed = {kernel.tobytes() for row in mask for kernel in row}
    number = ceil(log2(len(listed))) if len(listed) > 1 else 0
    assert pattern_bits(torch.from_numpy(mask)) == 9 * len(listed) + 24 * number
    for shape in ((4, 6), (4, 6, 1, 1), (4, 6, 8, 8), (0, 6, 3, 3)):
        assert pattern_bits(torch.ones(shape, dtype=torch.bool)) is None


def test_the_more_regular_the_zeros_the_fewer_bits_tell_their_places():
    fine = torch.rand(16, 16, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.5
    shapes = [fine, fine[..., :1], fine[..., :1, :1], fine[:, :1, :1, :1]]
    stored = [storage_bits(s.expand(16, 16, 3, 3).contiguous(), value_bits=32) for s in shapes]
    assert [s.form for s in stored] == ["bitmap", *["group bitmap"] * 3]
    assert [s.index_bits for s in stored] == [16 * 16 * 9, 16 * 16 * 3, 16 * 16, 16]


def test_half_of_one_bit_weights_are_not_worth_an_index():
    mask = torch.arange(64).reshape(8, 8) % 2 == 0
    assert storage_bits(mask, value_bits=1).form == "dense"


def test_filters_are_rows_by_the_rest():
    mask = torch.rand(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)) < 0.3
    assert csr_bits(mask) == csr_bits(mask.reshape(4, 18))
    assert csr_bits(mask.flatten()) == csr_bits(mask.reshape(1, 72))


def test_bad_values_are_named():
    mask = torch.ones(4, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"storage_bits: value_bits must be a whole number, 1"):
        storage_bits(mask, value_bits=0)
    with pytest.raises(ValueError, match=r"relative_index_bits: index_bits must be .*\[1, 16\]"):
        relative_index_bits(mask, index_bits=17)
