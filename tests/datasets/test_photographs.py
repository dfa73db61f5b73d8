"""Crops of photographs: where they are cut, what is in them, and two parts that share nothing."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from efficientdl.datasets.photographs import (
    CALIBRATION,
    EVALUATION,
    PHOTOGRAPHS,
    SHARES,
    photograph_crops,
    squares,
)


def test_the_two_parts_are_all_photographs_and_share_none():
    assert sorted([*CALIBRATION, *EVALUATION]) == sorted(PHOTOGRAPHS)
    assert not set(CALIBRATION) & set(EVALUATION)


def test_the_first_crop_of_a_square_picture_is_the_picture():
    crops = photograph_crops(["astronaut"], side=512)  # as large as it is: nothing is resized
    whole = torch.from_numpy(data.astronaut()).permute(2, 0, 1).float() / 255
    torch.testing.assert_close(crops.x[0], whole, rtol=0, atol=0)


def test_a_smaller_crop_is_what_pillow_makes_of_that_part():
    crops = photograph_crops(["chelsea"], side=40)
    box = list(squares((451, 300)))[7]
    part = Image.fromarray(data.chelsea()).crop(box).resize((40, 40), Image.Resampling.BICUBIC)
    ours = (crops.x[7] * 255).round().numpy().transpose(1, 2, 0)
    inside = slice(4, -4)  # `crop` repeats its edge where `box` sees the pixels beside it
    difference = np.abs(ours - np.asarray(part, dtype=float))[inside, inside]
    np.testing.assert_array_less(difference, 1.5)  # a rounding to whole pixels


def test_grey_pictures_have_three_equal_channels():
    x = photograph_crops(["camera"], side=16).x
    torch.testing.assert_close(x[:, 0], x[:, 1], rtol=0, atol=0)
    torch.testing.assert_close(x[:, 0], x[:, 2], rtol=0, atol=0)


@pytest.mark.slow
def test_all_are_there_in_0_to_1_laid_out_plainly():
    for part in (CALIBRATION, EVALUATION):
        x, names = photograph_crops(part, side=32)
        assert list(Counter(names)) == list(part)
        assert x.dtype == torch.float32
        assert x.is_contiguous()
        assert len(x) == len(names) > 300
        assert 0 <= float(x.min()) < 0.01
        assert 0.99 < float(x.max()) <= 1
    again = photograph_crops(EVALUATION, side=32).x
    torch.testing.assert_close(again, x, rtol=0, atol=0)


@given(width=st.integers(8, 700), height=st.integers(8, 700))
def test_squares_cover_the_picture_and_overlap_by_half(width, height):
    short = min(width, height)
    boxes = list(squares((width, height)))
    for share in SHARES:
        side = round(share * short)
        mine = [b for b in boxes if b[2] - b[0] == side]
        assert all(b[3] - b[1] == side for b in mine)
        for axis, length in ((0, width), (1, height)):
            starts = np.unique([b[axis] for b in mine])
            assert starts[0] == 0
            assert starts[-1] == length - side
            assert (np.diff(starts) <= side / 2 + 1).all()  # a pixel for rounding


def test_a_name_that_is_none_suggests_the_nearest():
    with pytest.raises(
        ValueError, match=r"photograph_crops: name must be one of .* mean 'chelsea'"
    ):
        photograph_crops(["chelse"])


def test_no_name_and_no_side_are_refused():
    with pytest.raises(ValueError, match="photograph_crops: names must name photographs, got"):
        photograph_crops([])
    with pytest.raises(
        ValueError, match="photograph_crops: side must be a whole number, 8 or more"
    ):
        photograph_crops(["camera"], side=0)
