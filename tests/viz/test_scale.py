"""Scales are linear or logarithmic, and axes hold all of the data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.viz import Axis, Bars, Figure, Line
from efficientdl.viz.scale import Scale, domain
from tests.viz import samples


def test_scale_is_linear():
    got = [Scale(0, 10, 100, 300).px(v) for v in (0, 2.5, 10)]
    np.testing.assert_allclose(got, np.interp([0, 2.5, 10], [0, 10], [100, 300]))


def test_log_scale_makes_equal_ratios_equal_steps():
    scale = Scale(1, 10_000, 0, 400, log=True)
    np.testing.assert_allclose(np.diff([scale.px(10.0**k) for k in range(5)]), 100)


def test_outside_ends_at_the_edge():
    assert Scale(0, 10, 0, 100).px(1e9) == 100


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("axis", ["x", "y"])
def test_domain_holds_the_data(name, axis):
    figure = samples.ALL[name]
    low, high = domain(figure, axis)
    for series in figure.series:
        for value in figure.along(series, axis):
            assert low <= value <= high


def test_bars_start_at_zero():
    # A bar that starts elsewhere has a length that is not its value.
    assert domain(samples.BARS, "x")[0] == 0
    assert domain(samples.STACK, "y")[0] == 0
    assert domain(samples.STACK, "y")[1] >= 300  # the sum of the tallest stack


def test_fixed_ends_hold_still():
    axis = Axis("Loss", low=0, high=7)
    for values in ([1, 2], [5, 6]):
        figure = Figure("t", Axis("x"), axis, (Line("l", [0, 1], values),), alt="a")
        assert domain(figure, "y") == (0, 7)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.booleans())
def test_every_figure_can_be_drawn(values, stacked):
    values = [abs(v) for v in values] if stacked else values
    names = Axis("", categories=tuple(map(str, range(len(values)))))
    figure = Figure("t", names, Axis("y"), (Bars("b", values),), alt="a", stacked=stacked)
    low, high = domain(figure, "y")
    assert low <= min(0, *values)
    assert high >= max(0, *values)
    assert low < high


def test_empty_scale():
    with pytest.raises(ValueError, match="Scale: low must be below high = 1, got 1"):
        Scale(1, 1, 0, 10)


def test_ends_that_leave_no_room():
    figure = Figure("t", Axis("x"), Axis("y", low=10), (Line("l", [0, 1], [1, 2]),), alt="a")
    with pytest.raises(ValueError, match=r"y.low and y.high must leave room on the axis 'y'"):
        figure.svg()
