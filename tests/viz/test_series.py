"""Series take arrays of any kind and refuse what cannot be drawn."""

import numpy as np
import pytest
import torch

from efficientdl.viz import Bars, Heatmap, Histogram, HLine, Line, Points, VLine


def test_arrays_of_any_kind_make_equal_series():
    lists = Line("loss", [0, 1], [0.5, 0.25])
    arrays = Line("loss", np.array([0, 1]), np.array([0.5, 0.25], dtype=np.float32))
    tensors = Line("loss", torch.tensor([0, 1]), torch.tensor([0.5, 0.25]))
    assert lists == arrays == tensors
    assert hash(lists) == hash(tensors)


def test_whole_numbers_stay_whole():
    (value,) = Bars("macs", np.array([4_089_184_256])).values
    assert type(value) is int
    assert value == 4_089_184_256


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Line("l", [0, 1], [1]), "Line: x and y must be equally long"),
        (lambda: Line("l", [0], [float("nan")]), "Line: y must be finite"),
        (lambda: Bars("b", [[1]]), "Bars: values must be a flat list"),
        (lambda: Bars("b", [1], labels=["a", "b"]), "Bars: labels must be empty or one for each"),
        (lambda: Points("p", [1], [1], areas=[-1], area_label="size"), "Points: areas must be at"),
        (lambda: Points("p", [1], [1], areas=[1]), "Points: area_label must say what"),
        (lambda: Histogram("h", [0, 1], [1, 2]), "Histogram: edges must be one more than the 2"),
        (lambda: Histogram("h", [1, 0], [1]), "Histogram: edges must rise"),
        (lambda: Histogram("h", [0, 1], [-1]), "Histogram: counts must be at least 0"),
        (lambda: Heatmap("h", [[1], [1, 2]]), "Heatmap: values must be rows of one length"),
        (lambda: Heatmap("h", [[1]], labels=[["a"], ["b"]]), "Heatmap: labels must be 1 rows"),
        (lambda: HLine("goal", float("inf")), "HLine: y must be finite"),
        (lambda: VLine("goal", float("nan")), "VLine: x must be finite"),
    ],
)
def test_bad_values(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_words_are_no_numbers():
    with pytest.raises(TypeError, match="Bars: values must be numbers"):
        Bars("b", ["a"])
