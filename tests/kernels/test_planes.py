"""Planes hold an image, each at a cache line of its own, and nothing else is asked of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.kernels.planes import (
    Finish,
    Planes,
    demand_apart,
    demand_planes,
    finish_for,
    finish_of,
    floats_of,
    place_for,
    planes_of,
    step_of,
)

SIZES = st.tuples(st.integers(1, 5), st.integers(1, 20), st.integers(1, 20))


@settings(deadline=None, max_examples=60, database=None)
@given(sizes=SIZES, turned=st.booleans())
def test_the_image_comes_back(sizes, turned):
    image = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
    image = image.transpose(0, 2, 1) if turned else image
    planes = planes_of(image)
    np.testing.assert_array_equal(planes.image, image)
    assert planes.pixels == image[0].size


@settings(deadline=None, max_examples=100, database=None)
@given(pixels=st.integers(1, 20_000))
def test_planes_are_an_odd_number_of_lines_apart_with_room_for_two_registers(pixels):
    lines, rest = divmod(step_of(pixels), 16)
    assert rest == 0
    assert lines % 2 == 1
    panels = -(-pixels // 16) * 16 if pixels % 64 <= 32 else -(-pixels // 64) * 64
    assert step_of(pixels) >= max(pixels + 31, panels)
    assert step_of(pixels) < max(pixels + 31, panels) + 3 * 16  # no more than that takes


def test_an_image_goes_where_it_is_told_to():
    place = place_for("test", None, floats_of(2, 6))
    assert place.ctypes.data % 64 == 0
    assert not place.any()
    demand_apart("test", x=place[:80], into=place[80:])
    assert planes_of(np.ones((2, 2, 3), np.float32), place).floats is place


def test_a_finish_is_filled_up_with_nothing():
    finish = finish_for("test", finish_of(np.ones(3, np.float32), (0, 6)), 5, 3)
    np.testing.assert_array_equal(finish.bias, [1, 1, 1, 0, 0])
    assert (finish.low, finish.high) == (0, 6)
    of_python = finish_for("test", Finish(np.ones(2, np.float32), 0.0, 6.0), 2, 2)
    assert [type(bound) for bound in of_python[1:]] == [np.float32, np.float32]
    none = finish_for("test", None, 2, 2)
    assert (none.low, none.high, none.bias.tolist()) == (-np.inf, np.inf, [0, 0])


GOOD = planes_of(np.ones((2, 3, 3), np.float32))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: planes_of(np.ones((2, 3, 3))), TypeError, "planes_of: image must be an array of"),
        (lambda: planes_of(np.ones((3, 3), np.float32)), ValueError, "shape of image must be c h"),
        (lambda: planes_of(np.ones((0, 3, 3), np.float32)), ValueError, "not empty, got"),
        (
            lambda: planes_of(np.ones((2, 3, 3), np.float32), np.zeros(9, np.float32)),
            ValueError,
            "planes_of: into must be 96 floats side by side",
        ),
        (lambda: demand_planes("it", np.ones(3), 2), TypeError, "it: x must be a Planes"),
        (lambda: demand_planes("it", GOOD, 3), ValueError, "it: x must be 3 planes, got 2"),
        (
            lambda: demand_planes("it", GOOD._replace(width=1.5), 2),
            TypeError,
            "it: width of x must",
        ),
        (
            lambda: demand_planes("it", GOOD._replace(height=9), 2),
            ValueError,
            "floats of x must be 160 floats side by side",
        ),
        (
            lambda: demand_planes("it", GOOD._replace(floats=GOOD.floats[::2]), 2),
            ValueError,
            "floats side by side",
        ),
        (
            lambda: demand_planes("it", Planes(GOOD.floats, 2, 0, 3), 2),
            ValueError,
            "it: height of x must be a whole number, 1 or more, got 0",
        ),
        (
            lambda: place_for("it", np.broadcast_to(np.float32(0), (1,)), 1),
            ValueError,
            "it: into must be writeable",
        ),
        (
            lambda: demand_apart("it", x=GOOD.floats[:20], into=GOOD.floats[19:]),
            ValueError,
            "it: into must not overlap x, got",
        ),
        (lambda: place_for("it", np.zeros(9), 9), TypeError, "it: into must be an array of float"),
        (lambda: finish_for("it", 3, 2, 2), TypeError, "it: finish must be a Finish"),
        (
            lambda: finish_for("it", Finish(np.zeros(1, np.float32)), 2, 2),
            ValueError,
            "it: bias must be 2 floats",
        ),
        (
            lambda: finish_for("it", finish_of(np.zeros(2, np.float32), (6, 0)), 2, 2),
            ValueError,
            r"it: bounds must rise, got \(6\.0, 0\.0\)",
        ),
        (
            lambda: finish_for("it", finish_of(np.zeros(2, np.float32), (0, np.nan)), 2, 2),
            ValueError,
            "it: bounds must rise",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
