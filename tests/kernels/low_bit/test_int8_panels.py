"""Panels hold every weight where a tile looks for it, and only what fits them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.low_bit import Int8Panels, pack_int8, unpack_int8
from efficientdl.kernels.low_bit.int8_panels import room_for_rows


@settings(deadline=None, max_examples=30)
@given(k=st.integers(1, 20), n=st.integers(1, 140), seed=st.integers(0, 99))
def test_what_was_packed_is_there_by_the_definition(k, n, seed):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-128, 128, (k, n), np.int8)
    zeros = rng.integers(-128, 128, n).astype(np.int32)
    packed = pack_int8(weight, zeros)
    np.testing.assert_array_equal(unpack_int8(packed), weight)
    for i, j in zip(rng.integers(0, k, 9), rng.integers(0, n, 9), strict=True):
        assert packed.panels[j // 64, i // 4, j % 64, i % 4] == weight[i, j]
    np.testing.assert_array_equal(packed.columns[0, :n], (weight.astype(int) - zeros).sum(axis=0))
    np.testing.assert_array_equal(packed.columns[1, :n], zeros)
    assert np.count_nonzero(packed.panels) == np.count_nonzero(weight)


def test_what_was_packed_cannot_be_written():
    packed = pack_int8(np.ones((2, 2), np.int8))
    with pytest.raises(ValueError, match="read-only"):
        packed.panels[0] = 0


@pytest.mark.parametrize(("m", "k"), [(1, 1), (3, 64), (2, 4096), (0, 5)])
def test_rows_have_room_and_do_not_fall_onto_each_other(m, k):
    room = room_for_rows(m, k)
    assert room.shape[0] % 2 == 0
    assert room.shape[0] >= m
    assert room.shape[1] >= k
    assert room.shape[1] % 64 == 0
    assert room.shape[1] % 1024


def test_sums_that_could_overflow_are_refused():
    k = (2**31 - 1) // (255 * 128)
    pack_int8(np.full((k, 1), -128, np.int8))
    rule = r"pack_int8: weight must be so small that 255 times .* below 2\*\*31, got 2147"
    with pytest.raises(ValueError, match=rule):
        pack_int8(np.full((k + 1, 1), -128, np.int8))


def test_bad_weights_are_named():
    good = np.zeros((2, 3), np.int8)
    with pytest.raises(TypeError, match=r"pack_int8: weight must be an array of int8, got uint8"):
        pack_int8(good.astype(np.uint8))
    with pytest.raises(ValueError, match=r"shape of weight must be k n, not empty, got \(0, 3\)"):
        pack_int8(good[:0])
    with pytest.raises(TypeError, match=r"zero_points must be an array of int32, got int64"):
        pack_int8(good, np.zeros(3, np.int64))
    with pytest.raises(ValueError, match=r"zero_points must be one for each of 3 columns, got"):
        pack_int8(good, np.zeros(2, np.int32))
    with pytest.raises(ValueError, match=r"zero_points must be in \[-128, 127\], got \(0, 128\)"):
        pack_int8(good, np.int32([0, 0, 128]))


def test_panels_of_another_shape_are_refused():
    columns = np.zeros((2, 64), np.int32)
    rule = r"Int8Panels: panels must be int8 of shape \(1, 2, 64, 4\), in one piece"
    with pytest.raises(ValueError, match=rule):
        Int8Panels(np.zeros((1, 1, 64, 4), np.int8), columns, 5, 3)
    with pytest.raises(ValueError, match=rule):
        Int8Panels(np.zeros((1, 2, 64, 8), np.int8)[..., ::2], columns, 5, 3)
    with pytest.raises(ValueError, match=r"columns must be int32 of shape \(2, 64\)"):
        Int8Panels(np.zeros((1, 2, 64, 4), np.int8), columns[:1], 5, 3)
