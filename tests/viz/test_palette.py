"""The palette is readable: on white, in grey, and for eyes that see fewer colours."""

from itertools import combinations

import numpy as np
import pytest

from efficientdl.viz.palette import INK, PAPER, STYLES, contrast, ink_on, shade, style

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009: severity 1.0, on linear RGB.
SIGHT = {
    "all cones": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour):
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear RGB, D65."""
    to_xyz = np.array([
        [0.4124, 0.3576, 0.1805],
        [0.2126, 0.7152, 0.0722],
        [0.0193, 0.1192, 0.9505],
    ])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_colours_differ_for_every_eye(sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(look.colour)) for look in STYLES]
    nearest = min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))
    # A difference of 2.3 is just noticeable; 12 is plain beside each other.
    assert nearest > 12


def test_no_two_styles_share_anything():
    for part in ("colour", "dash", "marker", "hatch"):
        assert len({getattr(look, part) for look in STYLES}) == len(STYLES)


def test_first_five_stand_out_from_paper():
    assert min(contrast(look.colour, PAPER) for look in STYLES[:5]) >= 3


def test_contrast_is_that_of_the_guidelines():
    np.testing.assert_allclose(contrast("#000000", "#ffffff"), 21)
    # The well-known grey that just passes 4.5:1 on white.
    np.testing.assert_allclose(contrast("#767676", "#ffffff"), 4.54, atol=0.005)


def test_shades_grow_lighter():
    light = [linear(shade(i / 20)) @ [0.2126, 0.7152, 0.0722] for i in range(21)]
    assert np.all(np.diff(light) > 0)


def test_text_is_readable_on_every_shade():
    # 3:1 is asked of large text; the mid greys of any scale from dark to light reach no more
    # than about 4.6 with black or white.
    worst = min(contrast(ink_on(shade(i / 50)), shade(i / 50)) for i in range(51))
    assert worst > 3.5
    assert contrast(INK, PAPER) > 7


def test_style_outside_the_palette():
    with pytest.raises(ValueError, match=r"style: index must be a whole number in \[0, 6\], got 7"):
        style(7)


def test_shade_outside_the_scale():
    with pytest.raises(ValueError, match=r"shade: share must be in \[0, 1\], got 1\.5"):
        shade(1.5)
