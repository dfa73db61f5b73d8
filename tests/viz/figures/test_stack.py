"""Stacked parts sum to the whole that is written above them."""

import pytest

from efficientdl.viz import Axis
from efficientdl.viz.figures import stack

BATCHES = Axis("Batch", categories=("1", "2", "4"))
MEMORY = Axis("Memory", "MB")


def test_wholes_are_written_above():
    parts = {"parameters": (100, 100, 100), "activations": (50, 100, 200)}
    figure = stack("Memory", parts, settings=BATCHES, measure=MEMORY)
    assert figure.stacked
    assert figure.series[-1].labels == ("150", "200", "300")
    assert figure.alt == "At 1 activations are 33 % of the whole; at 4 they are 67 %."


def test_errors():
    with pytest.raises(ValueError, match="stack: parts must not be empty"):
        stack("t", {}, settings=BATCHES, measure=MEMORY)
    with pytest.raises(ValueError, match=r"stack: .*must be equally long"):
        stack("t", {"a": (1,)}, settings=BATCHES, measure=MEMORY)
    with pytest.raises(ValueError, match="stack: parts must sum to more than 0"):
        stack("t", {"a": (1, 0, 1)}, settings=BATCHES, measure=MEMORY)
