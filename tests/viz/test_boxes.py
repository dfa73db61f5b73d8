"""Bars keep their values, do not overlap side by side, and stand on each other when stacked."""

import numpy as np

from efficientdl.viz.boxes import boxes, styles
from tests.viz import samples


def test_bars_side_by_side_do_not_overlap():
    dense, pruned = boxes(samples.BARS, 0), boxes(samples.BARS, 1)
    assert [box.value for box in dense] == [240, 528, 14]
    assert all(box.start == 0 and box.end == box.value for box in dense + pruned)
    for i, (a, b) in enumerate(zip(dense, pruned, strict=True)):
        assert i - 0.5 < a.left < a.right <= b.left + 1e-9 < b.right < i + 0.5


def test_stacked_bars_stand_on_each_other():
    ends = np.array([[box.end for box in boxes(samples.STACK, i)] for i in range(2)])
    parts = np.array([series.values for series in samples.STACK.series])
    np.testing.assert_array_equal(ends, parts.cumsum(0))
    assert [box.start for box in boxes(samples.STACK, 1)] == [100, 100, 100]


def test_bins_are_as_wide_as_their_edges():
    assert boxes(samples.HISTOGRAM, 1)[0][:2] == (-2, -1)
    assert [b.start for b in boxes(samples.HISTOGRAM, 1)] == [3, 0, 1, 4]
    assert boxes(samples.LINES, 0) == []


def test_lines_of_reference_take_no_style():
    looks = styles(samples.LINES)
    assert looks[2] is None
    assert looks[0] != looks[1]
