"""The picture of an arena: each cell belongs to the tensor that has the byte in its middle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from efficientdl.viz.figures import arena

TENSORS = {"x": (16, 0, 1), "y": (8, 1, 2), "z": (24, 2, 2)}
APART = {"x": 0, "y": 16, "z": 24}


def cells(figure):
    """Shades from the lowest address up: one row for each part of the arena."""
    return np.array(figure.series[0].values)[::-1]


def test_a_cell_is_that_of_the_tensor_at_its_middle():
    shades = cells(arena("Three", TENSORS, APART))  # 48 bytes in 24 rows: two bytes a row
    wanted = np.zeros((24, 3))
    wanted[0:8, 0:2] = 1
    wanted[8:12, 1:3] = 2
    wanted[12:24, 2] = 3
    np.testing.assert_array_equal(shades, wanted)


def test_an_edge_within_a_row_is_where_the_middle_of_the_row_is():
    shades = cells(arena("Two", {"x": (3, 0, 0), "y": (45, 0, 0)}, {"x": 0, "y": 3}))
    np.testing.assert_array_equal(shades[:3, 0], [1, 2, 2])  # bytes 0..2, 2..4: the middle is 3


@given(st.permutations(list(TENSORS)), st.integers(0, 3))
def test_no_tensor_is_larger_than_its_bytes_and_steps(order, gap):
    addresses, at = {}, 0
    for name in order:
        addresses[name] = at
        at += TENSORS[name][0] + gap
    figure = arena("Three", TENSORS, addresses)
    end = max(addresses[name] + TENSORS[name][0] for name in TENSORS)
    for number, (size, first, last) in enumerate(TENSORS.values(), start=1):
        drawn = (cells(figure) == number).sum(axis=0)
        assert not drawn[:first].any()
        assert not drawn[last + 1 :].any()
        # Both edges are right to half a row.
        np.testing.assert_allclose(drawn[first : last + 1] * end / 24, size, atol=end / 24)


def test_one_top_for_two_figures_gives_them_one_height():
    figure = arena("Three", TENSORS, APART, top=96)
    assert not cells(figure)[12:].any()
    assert cells(figure)[:12].any()
    assert figure.alt == "Three take 48 bytes of arena in 3 steps; z lies highest."


def test_numbers_stand_in_their_own_tensor():
    figure = arena("Three", TENSORS, APART)
    for shades, labels in zip(figure.series[0].values, figure.series[0].labels, strict=True):
        assert all(int(label) == shade for shade, label in zip(shades, labels) if label)  # noqa: B905
    said = sorted(label for row in figure.series[0].labels for label in row if label)
    assert said == ["1", "2", "3"]


@pytest.mark.parametrize("addresses", [{}, {"x": 0}, {**APART, "w": 3}])
def test_addresses_of_other_tensors_are_refused(addresses):
    with pytest.raises(ValueError, match=r"arena: addresses must be those of the tensors"):
        arena("Three", TENSORS, addresses)


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match=r"arena: addresses must be .* one or more"):
        arena("None", {}, {})
