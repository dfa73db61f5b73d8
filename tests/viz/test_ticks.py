"""Ticks are round, inside and evenly spaced; printed numbers mean what they say."""

from math import floor, log10

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from efficientdl.viz.ticks import linear_ticks, log_ticks, number_text, tick_texts

ends = st.floats(-1e9, 1e9, allow_nan=False)


@settings(deadline=None)
@given(ends, st.floats(1e-6, 1e9), st.integers(2, 12))
def test_linear_ticks_are_round_and_inside(low, width, count):
    high = low + width
    assume((high - low) > 1e-6 * max(abs(low), abs(high)))
    ticks = np.array(linear_ticks(low, high, count))
    assert 2 <= len(ticks) <= max(count + 1, 5)
    step = np.diff(ticks)
    np.testing.assert_allclose(step, step[:1].repeat(len(step)), rtol=1e-6)
    slack = 1e-6 * width
    assert ticks.min() >= low - slack
    assert ticks.max() <= high + slack
    mantissa = step[0] / 10.0 ** floor(log10(step[0]) + 1e-6)
    assert min(abs(mantissa - m) for m in (1, 2, 5)) < 1e-3


@settings(deadline=None)
@given(st.floats(-8, 8), st.floats(0.1, 10), st.integers(2, 10))
def test_log_ticks_rise_inside(power, decades, count):
    low, high = 10.0**power, 10.0 ** (power + decades)
    ticks = np.array(log_ticks(low, high, count))
    assert np.all(np.diff(ticks) > 0)
    assert ticks.min() >= low * (1 - 1e-6)
    assert ticks.max() <= high * (1 + 1e-6)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (61_000_000, "61,000,000"),
        (0.99949, "0.999"),
        (-3.14159, "-3.14"),
        (99.96, "100"),
        (2.5e-9, "2.5 \N{MULTIPLICATION SIGN} 10\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT NINE}"),
    ],
)
def test_number_text(value, text):
    assert number_text(value) == text


@settings(deadline=None)
@given(st.floats(1e-4, 1e12))
def test_number_text_is_right_to_three_digits(value):
    np.testing.assert_allclose(float(number_text(value).replace(",", "")), value, rtol=5.1e-3)


def test_tick_texts_share_a_prefix():
    assert tick_texts([0.0, 5e8, 1e9]) == ["0", "500 M", "1 G"]
    assert tick_texts([0.0, 5000.0]) == ["0", "5,000"]


def test_errors():
    with pytest.raises(ValueError, match="linear_ticks: high must be greater than low = 1, got 1"):
        linear_ticks(1, 1, 5)
    with pytest.raises(ValueError, match="log_ticks: low and high must be 0 < low < high"):
        log_ticks(0, 10, 5)
    with pytest.raises(TypeError, match="number_text: value must be a number"):
        number_text("3")
