"""Every schedule on every kind of processor, and without the compiler.

Without the compiler, a place outside an array raises or gives a register that is too short: so
these runs also show that nothing is read or written out of bounds.
"""

import numpy as np
import pytest

from efficientdl.kernels.scheduled import Schedule, pack_columns, scheduled_matmul
from efficientdl.systems.compiler.autotune.spaces import inner_tiles
from tests.kernels import modes
from tests.kernels.scheduled.drawn import whole

CODE = """
from itertools import product

import numpy as np

from efficientdl.kernels.scheduled import *
from tests.kernels.scheduled.drawn import INNER, whole

SHAPES = (1, 1, 1), (7, 9, 33), (13, 6, 50)
for order, (inner, unroll), (m, k, n) in product(ORDERS, INNER, SHAPES):
    schedule = Schedule(order, 5, 20, 4, inner, unroll)
    x, w = whole((m, k), 0), whole((k, n), 1)
    np.testing.assert_array_equal(scheduled_matmul(x, pack_columns(w, schedule), schedule), x @ w)
    x, w = whole((2, 3, 5, 4), 0), whole((n, 3, 3, 2), 1)
    how = {"stride": 2, "padding": 1}
    weight = pack_filters(w, schedule)
    np.testing.assert_array_equal(
        scheduled_conv2d(x, weight, schedule, **how),
        scheduled_conv2d_reference(x, weight, schedule, **how),
    )
"""


@pytest.mark.slow
@modes.EACH
def test_other_machines(environment):
    modes.run(CODE, environment)


@pytest.mark.slow
@pytest.mark.parametrize("inner", inner_tiles(100, 100))
@pytest.mark.parametrize("unroll", [1, 4])
def test_every_inner_tile_of_the_space(inner, unroll):
    schedule = Schedule("nkm", 20, 70, 11, inner, unroll)
    x, w = whole((29, 43), 0), whole((43, 75), 1)
    np.testing.assert_array_equal(scheduled_matmul(x, pack_columns(w, schedule), schedule), x @ w)
