"""Labels break between words and find room."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.viz.lettering import place, width, wrapped


@settings(deadline=None)
@given(st.text("abcdefg ", max_size=80), st.integers(30, 300))
def test_wrapping_loses_no_word(text, room):
    lines = wrapped(text, 12, room)
    assert " ".join(lines).split() == text.split()
    assert all(width(line, 12) <= room or " " not in line for line in lines)


def test_labels_keep_off_points_and_each_other():
    points = [(100.0, 100.0, 5.0), (110.0, 100.0, 5.0)]
    left, right = place(points, ["left one", "right one"], 11, (0, 0, 400, 400))
    # The neighbour stands to the right of the first point, so its label goes elsewhere.
    assert left.side != "right"
    assert right.side == "right"


def test_labels_stay_in_the_picture():
    (spot,) = place([(395.0, 200.0, 5.0)], ["a long label"], 11, (0, 0, 400, 400))
    assert spot.side == "left"


def test_labels_keep_off_obstacles():
    wall = [(100.0 + 2 * i, 100.0, 2.0) for i in range(40)]
    (spot,) = place([(100.0, 100.0, 5.0)], ["label"], 11, (0, 0, 400, 400), wall)
    assert spot.side == "left"


def test_wider_letters_make_wider_text():
    assert width("mmm", 10) > width("nnn", 10) > width("iii", 10)
    np.testing.assert_allclose(width("abc", 20), 2 * width("abc", 10))
