"""Unpacking is what references read: a worked case; round trips are in test_packed_codes."""

import numpy as np

from efficientdl.kernels.low_bit import CodedWeights, PackedCodes, unpack_codes
from efficientdl.kernels.simd import aligned


def test_a_register_by_hand():
    """Word 3 of the one register: weights 3, 19, 35, 51 of the first run, then others."""
    words, table = aligned(32, np.uint32), np.arange(16, dtype=np.float32)
    words[3] = 0xFEDCBA98  # bytes 98, BA, DC, FE: lower halves are the first run's codes
    scales = aligned(16, np.float32)
    scales[0] = 1
    plain = unpack_codes(PackedCodes(words, table, scales, aligned(0, np.float32), 4, 128, 128, 1))
    assert isinstance(plain, CodedWeights)
    np.testing.assert_array_equal(plain.codes[0, [3, 19, 35, 51]], [0x8, 0xA, 0xC, 0xE])
    np.testing.assert_array_equal(plain.codes[0, [67, 83, 99, 115]], [0x9, 0xB, 0xD, 0xF])
    assert plain.codes.sum() == sum(range(8, 16))
    assert plain.offsets is None
    np.testing.assert_array_equal(plain.scales, [[1]])
