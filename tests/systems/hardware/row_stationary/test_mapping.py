"""Where units lie, what fits, and what does not."""

import pytest
from hypothesis import given, settings

from efficientdl.systems.hardware.arch import Arch, Array, Buffer
from efficientdl.systems.hardware.layer import Conv
from efficientdl.systems.hardware.row_stationary.formula import row_stationary
from efficientdl.systems.hardware.row_stationary.mapping import (
    RowMapping,
    RowUnit,
    held,
    lines,
    n_active,
    places,
    window,
)
from tests.systems.hardware.row_stationary.drawn import mapped

quick = settings(deadline=None, max_examples=100, database=None, derandomize=True)


@quick
@given(drawn=mapped())
def test_every_unit_has_a_place_of_its_own_and_its_neighbour_below(drawn):
    conv, arch, _, mapping = drawn
    found = places(conv, mapping, arch.array.cols)
    at = {(place.row, place.col): place for place in found}
    assert len(at) == len(found) == n_active(conv, mapping)
    assert all(0 <= row < arch.array.rows and 0 <= col < arch.array.cols for row, col in at)
    for place in found:
        if place.chain:
            below = at[place.row + 1, place.col]
            same = ("filter_set", "line")
            assert below.chain == place.chain - 1
            assert all(getattr(below, name) == getattr(place, name) for name in same)


@quick
@given(drawn=mapped())
def test_rows_and_words_of_the_input_are_those_that_windows_see(drawn):
    conv, _, _, mapping = drawn
    (r, s), (down, right), _, (dr, ds) = conv.pairs
    strip = range(mapping.strip)
    assert lines(conv, mapping.strip) == len({j * down + i * dr for j in strip for i in range(r)})
    first, further = window(conv)
    spans = [range(j * right, j * right + ds * (s - 1) + 1) for j in range(4)]
    assert len(set().union(*spans)) == first + 3 * further


def test_a_set_of_eleven_rows_stands_twice_beside_itself():
    conv = Conv(3, 227, 227, 96, kernel=11, stride=4)
    mapping = RowMapping(strip=7, filters=16, filter_sets=2)
    found = places(conv, mapping, 14)
    assert {place.col // 7 for place in found if place.filter_set == 1} == {1}
    assert max(place.row for place in found) == 10


def test_two_folded_sets_lie_below_each_other():
    found = places(Conv(1, 6, 6, 2), RowMapping(strip=6, filter_sets=2), 4)
    where = {(place.filter_set, place.line): (place.row, place.col) for place in found}
    assert len(set(where.values())) == 12
    assert (where[0, 0], where[0, 4], where[1, 0], where[1, 4]) == ((0, 0), (1, 0), (2, 0), (3, 0))


# The buffer as Table III of JSSC 2017 shares it out, in KiB with one digit: m, images and strips
# of the five layers of AlexNet.
TABLE_III = [
    (Conv(3, 227, 227, 96, 11, 4), 96, RowMapping(7, 16, 1, 1, 2), 15.5, 72.2),
    (Conv(96, 27, 27, 256, 5, padding=2, groups=2), 64, RowMapping(27, 16, 2), 3.8, 91.1),
    (Conv(256, 13, 13, 384, 3, padding=1), 64, RowMapping(13, 16, 4, 1, 4, 4), 7.0, 84.5),
    (
        Conv(384, 13, 13, 384, 3, padding=1, groups=2),
        64,
        RowMapping(13, 16, 3, 2, 2, 4),
        10.5,
        84.5,
    ),
]


@pytest.mark.parametrize(("conv", "kept", "mapping", "x_kib", "psum_kib"), TABLE_III)
def test_the_buffer_holds_what_the_paper_says(conv, kept, mapping, x_kib, psum_kib):
    words = held(conv, mapping, kept=kept)  # 8-bit inputs, 32-bit sums; the chip has 16 for both
    assert round(words.x * 2 / 1024, 1) == x_kib
    assert round(words.psum / 2 / 1024, 1) == psum_kib


CONV, ARCH = Conv(4, 8, 8, 6, kernel=3, batch=2), Arch("small", Array(7, 5), buffer=Buffer(900))


@pytest.mark.parametrize(
    ("mapping", "unit", "error"),
    [
        (RowMapping(7), RowUnit(), "strip must be at most the rows of the output, 6, got 7"),
        (RowMapping(2, images=3), RowUnit(), "images must be at most the images of the batch, 2"),
        (
            RowMapping(2, filter_sets=5),
            RowUnit(),
            r"filter_sets must be at most the sets in 7 x 5 ",
        ),
        (RowMapping(2, channel_sets=3), RowUnit(), "filter_sets must be at most .*, 0, got 1"),
        (RowMapping(2, 4), RowUnit(psum_words=3), "filters must be at most the psum_words of a u"),
        (RowMapping(2, 1, 4), RowUnit(x_words=11), r"channels \* span must be .*, 11, got 12"),
        (RowMapping(2, 2, 2), RowUnit(weight_words=11), r"filters \* channels \* s .*, 11, got 12"),
        (RowMapping(6, 6, 1), RowUnit(), "held must be at most the bytes of the buffer, 900, got"),
        (
            RowMapping(1, 3, filter_sets=3),
            RowUnit(),
            r"filters \* .filter_sets - 1. must be at most .*, 5, got 6",
        ),
        (RowMapping(1, 1, 4, 2), RowUnit(), r"channels \* .channel_sets - 1. must be .*, 3, got 4"),
    ],
)
def test_what_does_not_fit(mapping, unit, error):
    with pytest.raises(ValueError, match=rf"row_stationary: mapping.{error}"):
        row_stationary(CONV, ARCH, mapping=mapping, unit=unit)


def test_what_is_not_a_mapping():
    with pytest.raises(
        ValueError, match="RowMapping: strip must be a whole number, 1 or more, got"
    ):
        RowMapping(0)
    with pytest.raises(ValueError, match="RowUnit: psum_bus must be a whole number, 1 or more"):
        RowUnit(psum_bus=0)
    with pytest.raises(TypeError, match="row_stationary: mapping must be a RowMapping, got 3"):
        row_stationary(CONV, ARCH, mapping=3)
    with pytest.raises(
        ValueError, match=r"layer\.kernel must have at most array\.rows = 2 rows, got 3"
    ):
        row_stationary(CONV, Arch("low", Array(2, 5)))
