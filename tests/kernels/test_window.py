"""Where a window reads, against NumPy's own windows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from efficientdl.kernels.window import Window, places

PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(stride=PAIRS, dilation=PAIRS, kernel=PAIRS, words=st.integers(1, 3), more=st.integers(0, 2))
def test_places_are_those_of_numpy_s_windows(stride, dilation, kernel, words, more):
    size, pixel = (8, 9), words + more
    memory = np.arange(size[0] * size[1] * pixel).reshape(*size, pixel)[..., :words]
    (d, e), (r, s) = dilation, kernel
    seen = sliding_window_view(memory, (d * (r - 1) + 1, e * (s - 1) + 1), axis=(0, 1))
    seen = seen[:: stride[0], :: stride[1], :, ::d, ::e]
    window = Window(stride, (0, 0), dilation)
    outputs = window.outputs("test", size, kernel)
    assert outputs == seen.shape[:2]
    found = places(window, outputs, kernel, pixel=pixel, row=9 * pixel, channel_words=words)
    runs = found.pixels[:, None, None] + found.taps[:, None] + np.arange(found.run)
    wanted = seen.transpose(0, 1, 3, 4, 2).reshape(len(found.pixels), -1)
    np.testing.assert_array_equal(runs.reshape(len(found.pixels), -1), wanted)


def test_taps_side_by_side_are_one_run():
    found = places(Window(), (3, 3), (2, 3), pixel=4, row=20, channel_words=4)
    assert (found.run, len(found.taps)) == (12, 2)
