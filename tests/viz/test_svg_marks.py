"""Marks: each marker has its own outline, centred on its point."""

import re

import numpy as np
import pytest

from efficientdl.viz.palette import STYLES
from efficientdl.viz.svg_marks import _shape
from tests.viz import samples


@pytest.mark.parametrize("look", STYLES, ids=lambda look: look.marker)
def test_marker_surrounds_its_point(look):
    path = _shape(look.marker, 50, 80, 5)
    if look.marker == "circle":
        assert path.startswith("M45 80a5 5 0 1 0 10 0")
        return
    corners = np.array(re.findall(r"-?[\d.]+", path), dtype=float).reshape(-1, 2)
    assert len(corners) >= 3
    np.testing.assert_allclose(corners.mean(0), [50, 80], atol=0.1)
    assert np.abs(corners - [50, 80]).max() < 9


def test_markers_differ():
    assert len({_shape(look.marker, 0, 0, 5) for look in STYLES}) == len(STYLES)


def test_lines_of_reference_carry_their_name():
    assert ">goal</text>" in samples.LINES.svg()
    assert ">threshold</text>" in samples.HISTOGRAM.svg()
