"""The scheduled product equals NumPy's under every schedule, and checks all it is given."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from efficientdl.kernels.scheduled import (
    PackedColumns,
    Schedule,
    matmul,
    pack_columns,
    scheduled_matmul,
    scheduled_matmul_cost,
    scheduled_matmul_reference,
)
from tests.kernels.scheduled.drawn import SCHEDULES, SIZES, whole

PHASES = (Phase.explicit, Phase.generate, Phase.shrink)
PLAIN = Schedule("mnk", 16, 64, 32, (1, 1), 1)


@settings(deadline=None, max_examples=120, database=None, phases=PHASES)
@given(schedule=SCHEDULES, m=SIZES, k=SIZES, n=SIZES, seed=st.integers(0, 2**16))
def test_every_schedule_equals_numpy(schedule, m, k, n, seed):
    x, w = whole((m, k), seed), whole((k, n), seed + 1)
    weight = pack_columns(w, schedule)
    y = scheduled_matmul(x, weight, schedule)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, x @ w)
    np.testing.assert_array_equal(scheduled_matmul_reference(x, weight, schedule), x @ w)


def test_the_identity_gives_its_argument():
    x = np.random.default_rng(0).standard_normal((37, 70)).astype(np.float32)
    weight = pack_columns(np.eye(70, dtype=np.float32), PLAIN)
    np.testing.assert_array_equal(scheduled_matmul(x, weight, PLAIN), x)


def test_fractions_are_as_near_as_float32_is():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((50, 300), (300, 40)))
    wanted = x.astype(np.float64) @ w
    schedule = Schedule("knm", 16, 64, 70, (6, 2), 1)
    y = scheduled_matmul(x, pack_columns(w, schedule), schedule)
    # 300 roundings of 2**-24 each, of sums of products whose sizes add up to |x| |w|
    bound = 300 * 2.0**-24 * (np.abs(x).astype(np.float64) @ np.abs(w))
    assert (np.abs(y - wanted) <= bound).all()


def test_operands_of_any_layout_and_left_alone():
    x, w = whole((40, 60), 0), whole((60, 50), 1)
    weight = pack_columns(np.asfortranarray(w), PLAIN)
    wide = np.zeros((40, 120), np.float32)
    wide[:, ::2] = x
    kept = wide.copy()
    np.testing.assert_array_equal(scheduled_matmul(wide[:, ::2], weight, PLAIN), x @ w)
    np.testing.assert_array_equal(wide, kept)
    np.testing.assert_array_equal(weight.matrix(), w)


def test_an_infinity_stays_in_its_row():
    x = np.ones((5, 3), np.float32)
    x[4, 1] = np.inf
    schedule = Schedule("mnk", 16, 64, 32, (6, 2), 1)
    y = scheduled_matmul(x, pack_columns(np.ones((3, 20), np.float32), schedule), schedule)
    np.testing.assert_array_equal(y[:4], 3)
    np.testing.assert_array_equal(y[4], np.inf)


def test_cost_counts_what_is_rounded_up():
    weight = pack_columns(np.ones((10, 20), np.float32), Schedule("mnk", 1, 1, 1, (6, 2), 1))
    cost = scheduled_matmul_cost((7, 10), weight, Schedule("mnk", 1, 1, 1, (6, 2), 1))
    assert (cost.params, cost.macs) == (200, 12 * 10 * 32)
    fitting = pack_columns(np.ones((10, 16), np.float32), PLAIN)
    assert scheduled_matmul_cost((7, 10), fitting, PLAIN).macs == 7 * 10 * 16


def test_it_refuses_what_does_not_fit():
    weight = pack_columns(whole((4, 20), 0), PLAIN)
    with pytest.raises(ValueError, match=r"columns of x must be the weight's 4 rows, got 5"):
        scheduled_matmul(whole((2, 5), 0), weight, PLAIN)
    with pytest.raises(TypeError, match="scheduled_matmul: x must"):
        scheduled_matmul(np.ones((2, 4)), weight, PLAIN)
    with pytest.raises(ValueError, match="shape of x must have 2 axes, none empty"):
        scheduled_matmul(np.ones((0, 4), np.float32), weight, PLAIN)
    with pytest.raises(TypeError, match="weight must be a PackedColumns"):
        scheduled_matmul(whole((2, 4), 0), whole((4, 20), 0), PLAIN)
    with pytest.raises(TypeError, match="schedule must be a Schedule"):
        scheduled_matmul(whole((2, 4), 0), weight, "mnk")
    with pytest.raises(ValueError, match="panels must be 32, as the schedule's are, got 16"):
        scheduled_matmul(whole((2, 4), 0), weight, Schedule("mnk", 1, 1, 1, (1, 2), 1))


@pytest.mark.parametrize(("shape", "n"), [((1, 3, 17), 17), ((2, 3, 16), 16), ((0, 3, 16), 1)])
def test_panels_that_do_not_fit_are_refused(shape, n):
    with pytest.raises(ValueError, match="PackedColumns: shape of panels must have panels"):
        PackedColumns(np.zeros(shape, np.float32), n)


def test_the_loops_get_what_the_schedule_says(monkeypatch):
    got = []
    monkeypatch.setattr(matmul, "tiles", lambda *args: got.append((args[:2], *args[3:])))
    monkeypatch.setattr(matmul, "deal", lambda kernel, n, *args: kernel(0, n, *args))
    schedule = Schedule("knm", 10, 70, 9, (4, 2), 3)
    scheduled_matmul(whole((30, 20), 0), pack_columns(whole((20, 100), 1), schedule), schedule)
    ends, tile, order = (32, 4, 20), (12, 3, 9), (2, 1, 0)  # whole strips, whole panels, steps
    [(share, cut, inner)] = got
    assert cut == (ends, tile, order)
    assert share == (0, 2)  # threads share two tiles of panels, since steps are outermost
    assert tuple(map(len, inner)) == (4, 2, 3)
