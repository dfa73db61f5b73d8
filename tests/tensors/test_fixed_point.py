"""Fixed-point factors against exact fractions in Python's own integers."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.tensors.fixed_point import (
    FixedPoint,
    common_shift,
    fixed_point,
    rescale,
    saturate,
    sum_of_scaled,
)

FACTORS = st.floats(2.0**-40, 2.0**28)
SUMS = st.integers(-(2**31), 2**31 - 1)


def one(factor):
    return fixed_point(torch.tensor(factor, dtype=torch.float64))


def as_fraction(factor: FixedPoint) -> Fraction:
    return Fraction(int(factor.multiplier), 2 ** int(factor.shift))


def test_a_factor_of_one_changes_nothing():
    x = torch.tensor([-(2**31), -1, 0, 1, 2**31 - 1], dtype=torch.int32)
    np.testing.assert_array_equal(rescale(x, one(1.0)), x)


@given(FACTORS)
def test_a_factor_is_right_to_one_part_in_two_to_the_31(value):
    factor = one(value)
    assert 1 <= int(factor.shift) <= 62
    assert int(factor.multiplier) < 2**31
    if value >= 2.0**-32:
        assert int(factor.multiplier) >= 2**30
        assert abs(as_fraction(factor) - Fraction(value)) <= Fraction(value) / 2**31
    assert float(factor.value) == float(as_fraction(factor))


@given(SUMS, FACTORS)
def test_rescaling_is_the_exact_product_rounded_once(total, value):
    factor = one(value)
    exact = total * as_fraction(factor)
    ours = int(rescale(torch.tensor(total, dtype=torch.int32), factor))
    assert ours == floor(exact + Fraction(1, 2))


@pytest.mark.parametrize("value", [0.0, 2.0**-80, 1 - 2.0**-33, 1.0, 0.5, 2.0**29 - 1])
def test_ends_of_the_range(value):
    factor = one(value)
    assert abs(float(factor.value) - value) <= max(value * 2.0**-31, 2.0**-63)
    assert int(rescale(torch.tensor(2**31 - 1, dtype=torch.int32), factor)) == floor(
        (2**31 - 1) * as_fraction(factor) + Fraction(1, 2)
    )


@pytest.mark.parametrize("value", [-0.5, 2.0**29, float("nan"), float("inf")])
def test_a_factor_outside_is_named(value):
    with pytest.raises(ValueError, match=r"fixed_point: factor must be in \[0, 2\*\*29\), got"):
        fixed_point(torch.tensor([0.5, value]))


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(-255, 255), st.floats(2.0**-10, 2.0**10)), min_size=1, max_size=4
    )
)
def test_a_sum_of_scaled_codes_is_rounded_once(pairs):
    steps, factors = zip(*pairs, strict=True)
    terms = tuple(torch.tensor([s], dtype=torch.int32) for s in steps)
    multipliers, shift = common_shift(torch.tensor(factors, dtype=torch.float64))
    written = [Fraction(m, 2**shift) for m in multipliers]
    for m, factor in zip(written, factors, strict=True):
        assert abs(m - Fraction(factor)) <= Fraction(1, 2 ** (shift + 1))
    exact = sum(s * m for s, m in zip(steps, written, strict=True))
    assert int(sum_of_scaled(terms, multipliers, shift)) == floor(exact + Fraction(1, 2))


@given(st.integers(-(2**40), 2**40), st.integers(-128, 127), st.integers(-128, 127))
def test_codes_saturate(steps, zero_point, lowest):
    code = saturate(torch.tensor(steps), zero_point, lowest=lowest, highest=127)
    assert int(code) == min(max(steps + zero_point, lowest), 127)
    assert code.dtype == torch.int8
