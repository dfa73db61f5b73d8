"""Schedules: from nothing to all of it, along the curve of the paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.compression.pruning.schedules import (
    at_once,
    check_sparsity,
    cubic,
    geometric,
    linear,
    on_the_way,
)

SHARES = st.floats(0, 1)


@pytest.mark.parametrize("schedule", [at_once, linear, cubic, geometric(0.9), geometric(0)])
@given(a=SHARES, b=SHARES)
def test_each_starts_at_nothing_ends_at_all_and_never_goes_back(schedule, a, b):
    assert schedule(0) == 0
    np.testing.assert_allclose(schedule(1), 1, rtol=1e-12)
    low, high = sorted((a, b))
    assert schedule(low) <= schedule(high) + 1e-12  # floats round


@given(t=st.integers(0, 100), start=st.floats(0, 0.5), end=st.floats(0.5, 0.99))
def test_cubic_is_the_curve_of_zhu_and_gupta(t, start, end):
    """Their equation 1, from t_0 = 0 in n = 100 prunings."""
    theirs = end + (start - end) * (1 - t / 100) ** 3
    np.testing.assert_allclose(start + (end - start) * cubic(t / 100), theirs, atol=1e-12)


@given(sparsity=st.floats(0, 0.99), n=st.integers(1, 12))
def test_geometric_removes_the_same_share_of_the_rest_each_time(sparsity, n):
    left, rate = 1.0, (1 - sparsity) ** (1 / n)
    for k in range(1, n + 1):
        left *= rate
        np.testing.assert_allclose(1 - sparsity * geometric(sparsity)(k / n), left, rtol=1e-9)


def test_the_worked_example_of_the_lottery():
    """A fifth of what is left goes in every round: 100, 80, 64, 51.2 percent remain."""
    reach = 1 - 0.512
    remain = [1 - reach * geometric(reach)(k / 3) for k in range(4)]
    np.testing.assert_allclose(remain, [1, 0.8, 0.64, 0.512])


def test_a_policy_is_on_the_way_layer_by_layer():
    now = on_the_way({"a": 0.75, "b": 0.0}, geometric, 0.5)
    np.testing.assert_allclose([now["a"], now["b"]], [0.5, 0.0])
    assert on_the_way(0.8, lambda _: cubic, 0.5) == 0.8 * 0.875


@pytest.mark.parametrize("schedule", [at_once, linear, cubic, geometric(0.5)])
def test_progress_out_of_its_range_is_named(schedule):
    with pytest.raises(ValueError, match=r"progress must be in \[0, 1\], got 1.1"):
        schedule(1.1)


@pytest.mark.parametrize("bad", [1.0, -0.1, {"head": 1.5}])
def test_sparsity_out_of_its_range_is_named(bad):
    with pytest.raises(ValueError, match=r"caller: sparsity must be in \[0, 1\), got (1|-0.1)"):
        check_sparsity("caller", bad)
    with pytest.raises(ValueError, match="sparsity must be a number, got nan"):
        check_sparsity("caller", float("nan"))
    with pytest.raises(TypeError, match=r"sparsity must be a number, got 'half'|'sparsity'"):
        check_sparsity("caller", "half")
