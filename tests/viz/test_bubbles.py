"""A bubble's area, not its radius, tells its value, by one measure for the whole figure."""

from dataclasses import replace

import numpy as np

from efficientdl.viz import Points
from efficientdl.viz.bubbles import POINT_PX, places, radii, spots
from efficientdl.viz.frame import frame
from tests.viz import samples


def test_areas_tell_the_values():
    small = Points("s", [400], [60], areas=[15.25], area_label="parameters (M)")
    figure = replace(samples.BUBBLES, series=(*samples.BUBBLES.series, small))
    (large, _), (quarter,) = radii(figure, 0), radii(figure, 1)
    np.testing.assert_allclose((large / quarter) ** 2, 61 / 15.25)


def test_points_without_areas_are_alike():
    plain = replace(samples.BUBBLES, series=(Points("p", [300, 900], [1, 2]),))
    assert radii(plain, 0) == [POINT_PX, POINT_PX]


def test_places_follow_the_scales():
    layout = frame(samples.BUBBLES)
    (x, y, _), _ = places(samples.BUBBLES, 0, layout)
    assert (x, y) == (layout.x.px(720), layout.y.px(57.2))
    assert len(spots(samples.BUBBLES, 0, layout)) == 2
