"""The scheduled convolution equals torch's under every schedule, and checks all it is given."""

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from efficientdl.kernels.scheduled import (
    PackedFilters,
    Schedule,
    pack_columns,
    pack_filters,
    scheduled_conv2d,
    scheduled_conv2d_cost,
    scheduled_conv2d_reference,
    scheduled_matmul,
)
from tests.kernels.scheduled.drawn import SCHEDULES, whole

PHASES = (Phase.explicit, Phase.generate, Phase.shrink)
PLAIN = Schedule("mnk", 16, 64, 32, (1, 1), 1)


def by_torch(x, weight, stride, padding):
    x, weight = (torch.from_numpy(a).double() for a in (x, weight))
    return torch.nn.functional.conv2d(x, weight, stride=stride, padding=padding).numpy()


@settings(deadline=None, max_examples=100, database=None, phases=PHASES)
@given(
    schedule=SCHEDULES,
    shape=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(4, 12), st.integers(4, 12)),
    c_out=st.integers(1, 50),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)
def test_every_schedule_equals_torch(schedule, shape, c_out, kernel, stride, padding):
    x, weight = whole(shape, 0), whole((c_out, shape[1], *kernel), 1)
    packed = pack_filters(weight, schedule)
    wanted = by_torch(x, weight, stride, padding)
    for convolve in (scheduled_conv2d, scheduled_conv2d_reference):
        y = convolve(x, packed, schedule, stride=stride, padding=padding)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, wanted)


def test_a_convolution_of_one_tap_is_a_product():
    x, weight = whole((1, 20, 5, 7), 0), whole((30, 20, 1, 1), 1)
    y = scheduled_conv2d(x, pack_filters(weight, PLAIN), PLAIN)
    columns = pack_columns(weight.reshape(30, 20).T, PLAIN)
    product = scheduled_matmul(x.reshape(20, 35).T, columns, PLAIN)
    np.testing.assert_array_equal(y.reshape(30, 35), product.T)


def test_cost_is_the_products():
    packed = pack_filters(whole((16, 3, 3, 3), 0), PLAIN)
    cost = scheduled_conv2d_cost((2, 3, 8, 8), packed, PLAIN, padding=1)
    assert (cost.params, cost.macs) == (16 * 27, 2 * 64 * 27 * 16)
    strided = scheduled_conv2d_cost((2, 3, 8, 8), packed, PLAIN, stride=2, padding=1)
    assert strided.macs == 2 * 16 * 27 * 16


def test_it_refuses_what_does_not_fit():
    packed = pack_filters(whole((4, 3, 3, 3), 0), PLAIN)
    x = whole((1, 3, 5, 5), 0)
    with pytest.raises(ValueError, match="channels of x must be the weight's 3, got 2"):
        scheduled_conv2d(x[:, :2], packed, PLAIN)
    with pytest.raises(ValueError, match="x with its padding must have room for filters of 3 x 3"):
        scheduled_conv2d(x[:, :, :2], packed, PLAIN)
    with pytest.raises(ValueError, match="stride must be a whole number, 1 or more, got 0"):
        scheduled_conv2d(x, packed, PLAIN, stride=0)
    with pytest.raises(ValueError, match="padding must be a whole number, 0 or more, got -1"):
        scheduled_conv2d(x, packed, PLAIN, padding=-1)
    with pytest.raises(ValueError, match="panels must be 32, as the schedule's are, got 16"):
        scheduled_conv2d(x, packed, Schedule("mnk", 1, 1, 1, (1, 2), 1))
    with pytest.raises(ValueError, match="PackedFilters: rows of columns must be 3 x 3 x 2"):
        PackedFilters(packed.columns, 3, 3, 2)
    with pytest.raises(TypeError, match="weight must be a PackedFilters"):
        scheduled_conv2d(x, packed.columns, PLAIN)
