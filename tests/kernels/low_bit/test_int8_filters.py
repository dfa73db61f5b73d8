"""Filters in panels: what was packed comes out again, and what does not fit is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.low_bit.int8_filters import Int8Filters, pack_filters, unpack_steps
from tests.kernels.low_bit.convolutions import drawn, filters_of


@settings(deadline=None, max_examples=60)
@given(size=st.integers(1, 20), seed=st.integers(0, 9999))
def test_steps_come_out_as_they_went_in(size, seed):
    _, weight, zeros, groups, _, _ = drawn(np.random.default_rng(seed), size)
    filters = pack_filters(weight, zeros, groups=groups)
    steps = weight.astype(int) - (0 if zeros is None else zeros[:, None, None, None])
    np.testing.assert_array_equal(unpack_steps(filters), steps)
    sums = filters.by_column(steps.sum(axis=(1, 2, 3)))
    np.testing.assert_array_equal(filters.columns, sums)


@pytest.mark.parametrize(
    ("weight", "zero", "copies"),
    [(127, 0, 1), (100, -27, 1), (100, -28, 2), (127, -127, 2), (127, -128, 3), (-128, 127, 2)],
)
def test_a_step_has_as_many_bytes_as_it_needs(weight, zero, copies):
    codes = np.full((1, 1, 1, 1), weight, np.int8)
    filters = pack_filters(codes, np.int32([zero]))
    assert filters.copies == copies
    np.testing.assert_array_equal(unpack_steps(filters), weight - zero)


def test_nothing_can_be_written_into_a_packed_weight():
    with pytest.raises(ValueError, match="read-only"):
        filters_of().codes[0] = 1


@pytest.mark.parametrize(
    ("weight", "zero_points", "options", "error"),
    [
        (np.ones((1, 1, 1, 1)), None, {}, "weight must be an array of int8, got float64"),
        (
            np.ones((1, 1, 1), np.int8),
            None,
            {},
            "shape of weight must be c_out c_in r s, not empty",
        ),
        (np.ones((0, 1, 1, 1), np.int8), None, {}, "shape of weight must be c_out c_in r s, not"),
        (
            np.ones((3, 1, 1, 1), np.int8),
            None,
            {"groups": 2},
            "groups must divide c_out = 3, got 2",
        ),
        (np.ones((1, 1, 1, 1), np.int8), [0], {}, "zero_points must be a ndarray"),
        (np.ones((1, 1, 1, 1), np.int8), np.zeros(1), {}, "zero_points must be an array of int32"),
        (np.ones((1, 1, 1, 1), np.int8), np.zeros(2, np.int32), {}, "zero_points must be one for"),
        (np.ones((1, 1, 1, 1), np.int8), np.int32([200]), {}, r"zero_points must be in \[-128"),
        (
            np.ones((1, 1, 1, 1), np.int8),
            None,
            {"farthest": 256},
            "farthest must be a whole number",
        ),
        (np.full((1, 70_000, 1, 1), -128, np.int8), None, {}, "weight must be so small that 255"),
    ],
)
def test_bad_filters_are_named(weight, zero_points, options, error):
    with pytest.raises((ValueError, TypeError), match=f"pack_filters: {error}"):
        pack_filters(weight, zero_points, **options)


def test_filters_made_by_hand_must_have_the_size_that_loops_expect():
    good = filters_of()
    with pytest.raises(ValueError, match=r"Int8Filters: codes must be int8 of shape \(512,\)"):
        Int8Filters(np.zeros(511, np.int8), good.columns, good.shape, 1, 1)
    with pytest.raises(ValueError, match=r"Int8Filters: columns must be int32 of shape \(32,\)"):
        Int8Filters(good.codes, np.zeros(32, np.int64), good.shape, 1, 1)
    with pytest.raises(ValueError, match=r"Int8Filters: shape, groups and copies must be a whole"):
        Int8Filters(good.codes, good.columns, good.shape, 0, 1)
