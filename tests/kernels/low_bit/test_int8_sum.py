"""Codes of several scales in one scale, against Python's fractions."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.catalogue import Kernel
from efficientdl.kernels.low_bit.int8_sum import ScaledSum, int8_look_up, int8_sum
from efficientdl.kernels.threads import threads
from tests.promises import kernel
from tests.promises.toys import toy

X = np.zeros(3, np.int8)
# nothing is multiplied: that MACs grow with the size cannot hold
PROMISES = [p for p in kernel.PROMISES if p is not kernel.knows_its_cost_from_shapes]


def codes(rng, shape):
    return rng.integers(-128, 128, shape, dtype=np.int8)


def drawn_sum(rng, n_terms):
    numbers = rng.integers(0, 2**31, n_terms).tolist(), rng.integers(-128, 128, n_terms).tolist()
    return ScaledSum(*map(tuple, numbers), int(rng.integers(30, 36)), 3, -120, 110)


def inputs_of_look_up(rng, size):
    return codes(rng, (size, 7)), codes(rng, 256)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_a_look_up_keeps_the_promises_of_a_kernel(promise):
    promise(toy(int8_look_up, Kernel(inputs=inputs_of_look_up)))


@settings(deadline=None, max_examples=40)
@given(n_terms=st.integers(1, 3), seed=st.integers(0, 999))
def test_a_sum_is_exact_and_rounded_once(n_terms, seed):
    rng = np.random.default_rng(seed)
    xs, by = tuple(codes(rng, (3, 5)) for _ in range(n_terms)), drawn_sum(rng, n_terms)
    factors = [Fraction(m, 2**by.shift) for m in by.multipliers]
    wanted = np.empty((3, 5), np.int8)
    for place in np.ndindex(3, 5):
        steps = [int(x[place]) - zero for x, zero in zip(xs, by.zero_points, strict=True)]
        exact = sum(step * factor for step, factor in zip(steps, factors, strict=True))
        wanted[place] = min(max(floor(exact + Fraction(1, 2)) + 3, -120), 110)
    np.testing.assert_array_equal(int8_sum(xs, by), wanted)
    reversed_ = tuple(np.asfortranarray(x) for x in xs)
    np.testing.assert_array_equal(int8_sum(reversed_, by), wanted)


def test_one_term_in_its_own_scale_is_that_term_on_several_threads():
    x = codes(np.random.default_rng(0), (3, 5001))
    with threads(3):
        np.testing.assert_array_equal(int8_sum((x,), ScaledSum((2**30,), (9,), 30, 9)), x)
        same = np.arange(-128, 128).astype(np.int8)
        np.testing.assert_array_equal(int8_look_up(x, same), x)


@pytest.mark.parametrize(
    ("xs", "change", "error"),
    [
        ((X, X.astype(int)), {}, "each of xs must be an array of int8, got int64"),
        ((X, X[:2]), {}, r"shapes of xs must be one, got \[\(3,\), \(2,\)\]"),
        ((X,), {}, "xs and multipliers and zero_points must be equally long"),
        ((X, X), {"multipliers": (1, -1)}, "multiplier must be a whole number in"),
        ((X, X), {"zero_points": (1, 128)}, "zero point must be a whole number in"),
        ((X, X), {"shift": 63}, r"shift must be a whole number in \[1, 62\], got 63"),
        ((X, X), {"lowest": -129}, "lowest must be a whole number in"),
    ],
)
def test_a_bad_sum_is_named(xs, change, error):
    good = ScaledSum((1, 1), (0, 0), 1)
    with pytest.raises((ValueError, TypeError), match=f"int8_sum: {error}"):
        int8_sum(xs, good._replace(**change))


def test_a_bad_table_is_named():
    with pytest.raises(ValueError, match=r"int8_look_up: table must have 256 codes, got \(255,\)"):
        int8_look_up(X, np.zeros(255, np.int8))
    with pytest.raises(TypeError, match=r"int8_look_up: x must be an array of int8, got uint8"):
        int8_look_up(X.view(np.uint8), np.zeros(256, np.int8))
