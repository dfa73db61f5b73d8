"""Packed codes are NumPy's packed bits, and come back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors.packing import pack, packed_bytes, unpack


@settings(deadline=None)
@given(data=st.data(), bits=st.integers(1, 32))
def test_what_is_packed_comes_back_and_takes_no_more_than_it_must(data, bits):
    codes = data.draw(st.lists(st.integers(0, 2**bits - 1), max_size=40))
    packed = pack(torch.tensor(codes, dtype=torch.int64), bits=bits)
    assert len(packed) == packed_bytes(len(codes), bits=bits) == -(-len(codes) * bits // 8)
    assert unpack(packed, bits=bits, count=len(codes)).tolist() == codes


@settings(deadline=None)
@given(codes=st.lists(st.integers(0, 2**5 - 1), min_size=1, max_size=30))
def test_bits_stand_where_numpy_puts_them(codes):
    each = np.array([[code >> place & 1 for place in range(5)] for code in codes], dtype=np.uint8)
    expected = np.packbits(each, bitorder="little")
    np.testing.assert_array_equal(pack(torch.tensor(codes), bits=5).numpy(), expected)


def test_eight_bits_are_the_bytes_themselves():
    codes = torch.arange(256, dtype=torch.uint8).reshape(16, 16)
    assert torch.equal(pack(codes, bits=8), codes.flatten())


def test_bad_values_are_named():
    with pytest.raises(ValueError, match=r"pack: codes must be in \[0, 7\], got 8"):
        pack(torch.tensor([1, 8]), bits=3)
    with pytest.raises(ValueError, match=r"pack: codes must be in \[0, 7\], got -1"):
        pack(torch.tensor([-1]), bits=3)
    with pytest.raises(ValueError, match=r"pack: bits must be .* \[1, 32\], got 0"):
        pack(torch.tensor([1]), bits=0)
    with pytest.raises(
        ValueError, match=r"unpack: packed must be the 2 bytes of 5 codes of 3 bits"
    ):
        unpack(torch.zeros(3, dtype=torch.uint8), bits=3, count=5)
