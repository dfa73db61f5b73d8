"""Which taps of a window lie inside, and when an output may go where the input lies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.models.layers.integer import Geometry
from efficientdl.systems.compiler.codegen.window import Axis, axes_of, may_overwrite

AXES = st.builds(
    Axis,
    size=st.integers(1, 7),
    taps=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
).filter(lambda axis: axis.places > 0)


def places_by_hand(axis):
    """The pixel under each tap at each place, None outside: the padded line, walked through."""
    line = [None] * axis.padding + list(range(axis.size)) + [None] * axis.padding
    extent = (axis.taps - 1) * axis.dilation + 1
    return [
        line[at : at + extent : axis.dilation]
        for at in range(0, len(line) - extent + 1, axis.stride)
    ]


@given(axis=AXES)
def test_places_and_taps_inside(axis):
    windows = places_by_hand(axis)
    assert axis.places == len(windows)
    for place, window in enumerate(windows):
        assert list(axis.inside(place)) == [pixel for pixel in window if pixel is not None]
    assert list(axis.whole) == [p for p, window in enumerate(windows) if None not in window]


def mixed(pixels):
    """A number that any other pixel would have made another."""
    return (3 * pixels.sum() + 1) % (2**31 - 1)


def in_place(axes):
    """Whether a function of each window may be put where it is read, by trying it."""
    rows, columns = axes
    x = np.random.default_rng(0).integers(0, 2**31, (rows.size, columns.size))
    apart, memory = [], x.ravel().copy()
    for p in range(rows.places):
        for q in range(columns.places):
            at = [r * columns.size + c for r in rows.inside(p) for c in columns.inside(q)]
            apart.append(mixed(x.ravel()[at]))
            memory[len(apart) - 1 : len(apart)] = mixed(memory[at])
    return np.array_equal(memory[: len(apart)], apart)


@given(axes=st.tuples(AXES, AXES))
def test_an_output_may_go_where_the_input_lies_just_when_nothing_is_lost(axes):
    assert may_overwrite(axes) == in_place(axes)


@pytest.mark.parametrize(
    ("geometry", "may"),
    [
        (Geometry((2, 2), (2, 2)), True),
        (Geometry((3, 3), (2, 2)), True),
        (Geometry((3, 3), (2, 2), (1, 1)), True),
        (Geometry((3, 3), (1, 1), (1, 1)), False),
        (Geometry((1, 1)), True),
        (Geometry((1, 1), padding=(1, 1)), False),
    ],
    ids=["halves", "overlaps", "strided with a border", "same", "points", "larger"],
)
def test_usual_windows(geometry, may):
    assert may_overwrite(axes_of(geometry, (8, 8))) is may
