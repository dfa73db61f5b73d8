"""A lane is up exactly while it works."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efficientdl.systems.hardware import Arch, Array, Dram, Gemm
from efficientdl.systems.hardware.memory.schedule import schedule
from efficientdl.systems.hardware.memory.tiling import Tiling
from efficientdl.viz.hardware import Span, timing

quick = settings(deadline=None, max_examples=30, database=None, derandomize=True)


def time_up(line, height):
    """How long a drawn line is in the upper half of its lane."""
    x, y = np.array(line.x), np.array(line.y)
    return float((np.diff(x) * ((y[1:] < height) & (y[:-1] < height))).sum())


def test_one_span_that_takes_all_the_time_is_a_line_that_is_up():
    figure = timing("t", [Span("compute", 0, 8)])
    assert time_up(figure.series[0], 0) == 8
    assert figure.alt == "Of 8 cycles, compute works in 100 %."


@quick
@given(
    pieces=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 9)),
        min_size=1,
        max_size=20,
    ).filter(lambda pieces: any(length for *_, length in pieces))
)
def test_the_time_that_a_lane_is_up_is_its_work(pieces):
    free, spans = dict.fromkeys("abc", 0), []
    for lane, wait, length in pieces:
        start = free[lane] + wait
        free[lane] = start + length
        spans.append(Span(lane, start, free[lane]))
    figure = timing("t", spans)
    for height, lane in enumerate(figure.y.categories):
        work = sum(s.end - s.start for s in spans if s.lane == lane)
        assert time_up(figure.series[height], height) == work


def test_tiles_are_named_in_their_middle():
    figure = timing("t", [Span("load", 0, 4, "0"), Span("load", 6, 8, "1")])
    names = figure.series[-1]
    assert (names.x, names.labels) == ((2.0, 7.0), ("0", "1"))
    many = [Span("load", i, i + 1, str(i)) for i in range(13)]
    assert len(timing("t", many).series) == 1  # too many to be read


def test_errors():
    with pytest.raises(ValueError, match="timing: spans must not be empty"):
        timing("t", [])
    with pytest.raises(ValueError, match="timing: load 1 must start when the lane is free, at 4"):
        timing("t", [Span("load", 0, 4, "0"), Span("load", 3, 5, "1")])
    with pytest.raises(ValueError, match="timing: load must end after its start at 4, got 3"):
        timing("t", [Span("load", 4, 3), Span("load", 6, 8)])
    with pytest.raises(ValueError, match="timing: spans must take time"):
        timing("t", [Span("load", 4, 4)])
    with pytest.raises(ValueError, match="timing: spans must be of at most 6 lanes, got 7"):
        timing("t", [Span(str(i), 0, 1) for i in range(7)])


def test_the_events_of_a_schedule_are_drawn_as_they_are():
    layer, tiling = Gemm(24, 8, 8), Tiling(8, 8, 8)
    machine = Arch("toy", Array(4, 4), dram=Dram(bits_per_cycle=16))
    found = schedule(layer, machine, tiling)
    spans = [Span(e.kind.value, e.start, e.end, str(e.tile)) for e in found.events()]
    figure = timing("Tiles", spans)
    up = {
        lane: time_up(figure.series[height], height)
        for height, lane in enumerate(figure.y.categories)
    }
    assert up["compute"] == found.compute_cycles
    assert up["load"] + up["store"] == found.bus_cycles
    assert figure.x.high == found.run.cycles
