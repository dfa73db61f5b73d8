"""Pruned filters in lists of taps: nothing is lost, alike ones share, and no list lies."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.pattern_weight import PatternWeight, pack_pattern, unpack_pattern
from tests.kernels.test_pattern_conv import patterned


@settings(deadline=None, max_examples=60, database=None)
@given(
    channels=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    kernel=st.sampled_from([(3, 3), (1, 1), (5, 2)]),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_unpacking_gives_the_filters_back(channels, kernel, density, seed):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((*channels, *kernel)).astype(np.float32)
    weight *= rng.random(weight.shape) < density
    np.testing.assert_array_equal(unpack_pattern(pack_pattern(weight)), weight)


def test_alike_filters_find_each_other_whatever_their_order(monkeypatch):
    monkeypatch.setattr("efficientdl.kernels.cpu.has", lambda *_: True)
    rng = np.random.default_rng(0)
    order = rng.permutation(32)
    packed = pack_pattern(patterned(32, 16, 0, alike=4)[order])
    assert packed.group == 4
    assert packed.values.shape == (8 * 16 * 4, 4)  # each tap stored once for its four filters
    assert (packed.values != 0).all()
    families = (order // 4)[packed.order].reshape(8, 4)
    np.testing.assert_array_equal(families, families[:, :1].repeat(4, axis=1))


def test_filters_that_share_little_stay_alone():
    weight = patterned(32, 16, 0, alike=1)
    packed = pack_pattern(weight)
    assert packed.group == 1
    assert packed.values.size == np.count_nonzero(weight)


def test_what_was_packed_cannot_be_written_to():
    packed = pack_pattern(np.ones((4, 2, 3, 3), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        packed.channels[0] = 1000


@pytest.mark.parametrize(
    "change",
    [
        {"channels": np.full(4, 2, np.int32)},
        {"channels": np.full(4, -1, np.int32)},
        {"taps": np.full(4, 9, np.int32)},
        {"taps": np.full(4, -1, np.int32)},
        {"taps": np.zeros(3, np.int32)},
        {"starts": np.array([0, 5, 4])},
        {"starts": np.array([0, 1, 5])},
        {"starts": np.array([1, 2, 4])},
        {"starts": np.array([0, 4])},
        {"order": np.int32([0, 2])},
        {"order": np.int32([0, 0])},
        {"order": np.int32([0])},
        {"values": np.zeros((4, 2), np.float32)},
        {"shape": (3, 2)},
        {"shape": (2, 0)},
        {"kernel": (2, 2)},
        {"kernel": (-1, -9)},
    ],
    ids=str,
)
def test_lists_that_lead_out_are_refused(change):
    weight = np.zeros((2, 2, 3, 3), np.float32)
    weight[:, :, 1, 1] = 1
    good = PatternWeight(
        np.ones((4, 1), np.float32),
        np.int32([0, 1, 0, 1]),
        np.full(4, 4, np.int32),
        np.array([0, 2, 4]),
        np.int32([0, 1]),
        (2, 2),
    )
    np.testing.assert_array_equal(unpack_pattern(good), weight)
    with pytest.raises(ValueError, match="PatternWeight: lists must be as pack_pattern makes them"):
        replace(good, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taps": np.zeros(9)}, "taps must be a list of int32, got float64"),
        ({"starts": np.zeros(2, np.int32)}, "starts must be a list of int64, got int32"),
        ({"values": np.zeros(9, np.float32)}, "values must be a list of float32, got .* 1 axes"),
        ({"order": [0]}, "order must be a ndarray"),
    ],
)
def test_another_kind_is_named(change, message):
    good = pack_pattern(np.ones((1, 1, 3, 3), np.float32))
    with pytest.raises(TypeError, match=f"PatternWeight: {message}"):
        replace(good, **change)


@pytest.mark.parametrize("shape", [(2, 3, 3), (2, 3, 0, 5), (0, 2, 3, 3), (2, 0, 3, 3)])
def test_other_filters_are_refused(shape):
    with pytest.raises(ValueError, match="pack_pattern: shape of weight must be c_out c_in r s"):
        pack_pattern(np.zeros(shape, np.float32))
    with pytest.raises(TypeError, match="pack_pattern: weight must be float32"):
        pack_pattern(np.zeros(shape))
