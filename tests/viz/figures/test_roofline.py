"""The roof is min(peak, bandwidth x intensity), everywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.viz.figures import roofline


@settings(deadline=None)
@given(
    st.floats(1, 1000),
    st.floats(1, 100),
    st.lists(st.floats(1e-2, 1e3), min_size=1, max_size=5),
)
def test_roof_is_the_lesser_of_the_two_limits(peak, bandwidth, intensities):
    layers = {str(i): (x, 1.0) for i, x in enumerate(intensities)}
    roof, points = roofline(layers, peak=peak, bandwidth=bandwidth).series
    # On log axes both limits are straight, so the corners say it all.
    np.testing.assert_allclose(roof.y, np.minimum(peak, bandwidth * np.array(roof.x)))
    assert roof.x[0] < min(intensities)
    assert roof.x[-1] > max(intensities)
    assert points.x == tuple(intensities)


def test_sentence_names_the_layers_that_memory_holds_up():
    layers = {"head": (0.25, 2.0), "conv": (60.0, 38.0)}
    said = roofline(layers, peak=40, bandwidth=10).alt
    assert said.endswith("Memory holds up head.")
    assert "4 MACs per byte" in said


def test_a_machine_without_layers():
    assert len(roofline({}, peak=40, bandwidth=10).series) == 1


def test_errors():
    with pytest.raises(ValueError, match="roofline: peak must be above 0, got 0"):
        roofline({}, peak=0, bandwidth=1)
