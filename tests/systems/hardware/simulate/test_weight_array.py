"""Many cycles together are what one at a time is: registers, counts, moments and sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.arch import Array, Drain
from efficientdl.systems.hardware.gemm import Gemm
from efficientdl.systems.hardware.simulate.machines import moments, weight_machine
from efficientdl.systems.hardware.simulate.plan import DEEP, NEVER
from efficientdl.systems.hardware.simulate.weight_array import weight_array
from tests.systems.hardware.drawn import arrays, gemms, operands

HELD = {"weight": "owner", "loading": "coming"}  # words, and where there are any
quick = settings(deadline=None, max_examples=100, database=None, derandomize=True)


def ran(x, weight, array, **how):
    machine = weight_machine(x, weight, array, **how)
    return weight_array(*machine), machine


def demand_same(gemm, array, **how):
    x, weight = operands(gemm)
    deep = how.pop("deep")
    (plain, one), (counts, many) = (
        ran(x, weight, array, deep=cycles, **how) for cycles in (1, deep)
    )
    np.testing.assert_array_equal(counts, plain)
    np.testing.assert_array_equal(many.work.y, one.work.y)
    np.testing.assert_array_equal(many.units.port, one.units.port)
    for name, owners in HELD.items():
        mine, theirs = getattr(many.units, owners), getattr(one.units, owners)
        np.testing.assert_array_equal(mine, theirs, err_msg=owners)
        held = mine >= 0
        mine, theirs = (getattr(units, name)[held] for units in (many.units, one.units))
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
    for mine, theirs in zip(many.trace, one.trace, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@quick
@given(
    gemm=gemms(max_groups=1),
    array=arrays(),
    deep=st.integers(2, 2 * DEEP),
    until=st.one_of(st.just(NEVER), st.integers(1, 200)),
    hurry=st.integers(0, 2),
)
def test_cycles_together_are_cycles_one_by_one(gemm, array, deep, until, hurry):
    """Also when the clock is stopped on the way, and when folds start too early and collide."""
    demand_same(gemm, array, deep=deep, until=until, hurry=hurry)


@pytest.mark.parametrize("drain", [Drain.SHIFT, Drain.OVERLAP])
def test_so_it_is_on_an_array_wider_than_a_register(drain):
    array = Array(24, 40, drain, weight_registers=2)
    demand_same(Gemm(90, 60, 85), array, deep=DEEP)


def test_moments_are_those_of_a_cycle_for_each_diagonal():
    """Word m of column n leaves m + n cycles after the first, in each column of folds."""
    x, weight = operands(Gemm(4, 2, 5))
    array = Array(2, 3)
    written = moments(ran(x, weight, array)[1].trace.written, (4, 5), array.cols)
    m, n = np.indices((4, 3))
    np.testing.assert_array_equal(written[:, :3] - written[0, 0], m + n)
    np.testing.assert_array_equal(written[:, 3:] - written[0, 3], (m + n)[:, :2])
