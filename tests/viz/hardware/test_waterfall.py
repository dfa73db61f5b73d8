"""Parts end where the next begins, and the last bar is their sum."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.viz import Axis
from efficientdl.viz.hardware import by_level, waterfall

CYCLES = Axis("Cycles")
quick = settings(deadline=None, max_examples=30, database=None, derandomize=True)


def test_one_part_is_the_whole():
    figure = waterfall("One", {"conv": 7}, measure=CYCLES)
    assert [bars.values for bars in figure.series] == [(0, 0), (7, 7)]
    assert figure.alt == "conv takes 7 of 7, 100 %."


@quick
@given(values=st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(any))
def test_each_begins_where_the_one_before_ended(values):
    figure = waterfall("t", {f"l{i}": v for i, v in enumerate(values)}, measure=CYCLES)
    before, own = (bars.values for bars in figure.series)
    ends = [a + b for a, b in zip(before, own, strict=True)]
    assert list(before[:-1]) == [0, *ends[:-2]]
    assert (before[-1], own[-1], ends[-2]) == (0, sum(values), sum(values))
    assert figure.y.categories[-1] == "total"


def test_levels_add_up_in_each_layer():
    parts = {"conv1": {"mac": 1.0, "dram": 3.0}, "conv2": {"mac": 2.0, "buffer": 2.5}}
    figure = by_level("Energy", parts, measure=Axis("Energy", "pJ"))
    assert figure.x.categories == ("conv1", "conv2")
    assert figure.series[-1].labels == ("4", "4.5")
    for i, taken in enumerate(parts.values()):
        assert sum(bars.values[i] for bars in figure.series) == sum(taken.values())


def test_errors():
    with pytest.raises(ValueError, match=r"waterfall: parts must be 1 to 40"):
        waterfall("t", {}, measure=CYCLES)
    with pytest.raises(ValueError, match=r"waterfall: parts\['a'\] must be .*0.*got -1"):
        waterfall("t", {"a": -1}, measure=CYCLES)
    with pytest.raises(ValueError, match=r"waterfall: parts\['a'\] must be .*nan"):
        waterfall("t", {"a": float("nan")}, measure=CYCLES)
    with pytest.raises(ValueError, match="waterfall: parts must sum to more than 0"):
        waterfall("t", {"a": 0}, measure=CYCLES)
    with pytest.raises(ValueError, match="by_level: parts must not be empty"):
        by_level("t", {}, measure=CYCLES)
    with pytest.raises(ValueError, match=r"by_level: parts\['a'\]\['mac'\] must be .*got -2"):
        by_level("t", {"a": {"mac": -2}}, measure=CYCLES)
