"""Operations on registers against NumPy, compiled and not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from efficientdl.kernels.compiled import compiled
from efficientdl.kernels.low_bit.int8_operations import load_spread, rescaled
from efficientdl.kernels.simd import aligned, load, store
from efficientdl.kernels.simd.register import TWINS

WHOLE = st.integers(-(2**31), 2**31 - 1)


@compiled
def _rescale_all(sums, numbers, y):
    multiplier, shift, low, high = (
        load(numbers, 0),
        load(numbers, 16),
        load(numbers, 32),
        load(numbers, 48),
    )
    store(y, 0, rescaled(load(sums, 0), multiplier, shift, low, high))


@compiled
def _spread_all(x, place, y):
    store(y, 0, load_spread(x, place))


@settings(deadline=None, max_examples=60)
@given(
    sums=arrays(np.int32, 16, elements=WHOLE),
    multiplier=arrays(np.int32, 16, elements=st.integers(0, 2**31 - 1)),
    shift=arrays(np.int32, 16, elements=st.integers(1, 62)),
)
def test_rescaled_is_python_s_whole_numbers(sums, multiplier, shift):
    numbers, y = aligned(64, np.int32), aligned(16, np.int32)
    numbers[:16], numbers[16:32], numbers[32:48], numbers[48:] = multiplier, shift, -200, 190
    whole = zip(sums.tolist(), multiplier.tolist(), shift.tolist(), strict=True)
    wanted = [min(max((s * m + 2 ** (n - 1)) >> n, -200), 190) for s, m, n in whole]
    _rescale_all(sums, numbers, y)
    np.testing.assert_array_equal(y, wanted)
    ends = np.full(16, -200, np.int32), np.full(16, 190, np.int32)
    twin = TWINS.get("rescaled", (None, rescaled))[1]
    np.testing.assert_array_equal(twin(sums, multiplier, shift, *ends), wanted)


def test_bytes_are_spread_over_lanes():
    x, y = np.arange(200, 240, dtype=np.uint8), aligned(16, np.int32)
    _spread_all(x, 7, y)
    np.testing.assert_array_equal(y, np.arange(207, 223))
