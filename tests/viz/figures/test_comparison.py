"""Bars with their ratio to one of them."""

import numpy as np
import pytest

from efficientdl.viz.figures import comparison

SIZES = {"AlexNet": 240, "VGG-16": 528, "SqueezeNet": 4.8}


def test_ratios_are_to_the_smallest():
    (bars,) = comparison("Sizes", SIZES, measure="Size", unit="MB").series
    ratios = [float(label.split()[0]) for label in bars.labels]
    np.testing.assert_allclose(ratios, np.array([240, 528, 4.8]) / 4.8)


def test_ratios_to_a_named_one():
    figure = comparison("Sizes", SIZES, measure="Size", baseline="AlexNet", log=True)
    assert figure.series[0].labels[1].startswith("2.2 ")
    assert figure.x.log
    assert figure.alt == "VGG-16 has the largest size, 528: 2.2 times that of AlexNet."


def test_names_of_measures_stay_whole_in_the_sentence():
    assert "the largest MACs, 2" in comparison("t", {"a": 1, "b": 2}, measure="MACs").alt
    assert "the largest energy, 2" in comparison("t", {"a": 1, "b": 2}, measure="Energy").alt


def test_errors():
    with pytest.raises(ValueError, match="comparison: values must not be empty"):
        comparison("t", {}, measure="m")
    with pytest.raises(ValueError, match="comparison: baseline must be one of"):
        comparison("t", SIZES, measure="m", baseline="vgg")
    with pytest.raises(ValueError, match="comparison: the value of 'a' must be above 0"):
        comparison("t", {"a": 0, "b": 1}, measure="m")
