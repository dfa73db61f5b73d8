"""Distances lead back to places."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware.sparse.jumps import jumps


@settings(deadline=None, max_examples=60, database=None, derandomize=True)
@given(lines=st.lists(st.sets(st.integers(0, 30), max_size=8), max_size=6))
def test_adding_the_jumps_up_gives_the_places(lines):
    line = np.array([i for i, places in enumerate(lines) for _ in places], int)
    place = np.array([p for places in lines for p in sorted(places)], int)
    jumped = jumps(line, place)
    assert (jumped >= 0).all()
    for i, places in enumerate(lines):
        np.testing.assert_array_equal(np.cumsum(jumped[line == i] + 1) - 1, sorted(places))


def test_full_lines_have_no_jumps():
    assert not jumps(np.repeat([0, 1], 3), np.tile([0, 1, 2], 2)).any()
