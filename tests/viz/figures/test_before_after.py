"""Two bars for each measure, from zero, with the ratio in words."""

import pytest

from efficientdl.viz import Axis
from efficientdl.viz.figures import before_after
from efficientdl.viz.scale import domain


def test_ratio_is_said():
    smaller, larger, equal, gone = before_after({
        Axis("Size", "KiB"): (40, 16),
        Axis("Latency", "ms"): (2.0, 3.0),
        Axis("MACs", "M"): (8, 8),
        Axis("Energy", "uJ"): (5, 0),
    })
    assert smaller.title == "Size: 2.5 times smaller"
    assert larger.title == "Latency: 1.5 times larger"
    assert equal.title == "MACs"
    assert gone.alt == "Energy: 5 uJ before, 0 uJ after."


def test_bars_start_at_zero_and_carry_their_value():
    (figure,) = before_after({Axis("Size", "KiB"): (40, 16)}, names=("dense", "pruned"))
    assert domain(figure, "y")[0] == 0
    assert figure.series[0].labels == ("40", "16")
    assert figure.x.categories == ("dense", "pruned")


def test_errors():
    with pytest.raises(ValueError, match="before_after: measures must not be empty"):
        before_after({})
    with pytest.raises(ValueError, match="before_after: Size must be at least 0, got -1"):
        before_after({Axis("Size"): (1, -1)})
