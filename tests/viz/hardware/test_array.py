"""The animation shows the frames that it is given, unit by unit."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from efficientdl.systems.hardware import Arch, Array, Dataflow, Gemm
from efficientdl.systems.hardware.simulate import State, snapshots
from efficientdl.viz.hardware import array_figure, array_panel
from efficientdl.viz.hardware.array import DOES


def frame(state, **words):
    state = np.array(state)
    grids = {name: np.array(words.get(name, 0 * state)) for name in ("x", "weight", "psum")}
    share = float((state == 3).sum() / max(state.size, 1))
    return SimpleNamespace(cycle=words.get("cycle", 0), state=state, utilisation=share, **grids)


@pytest.fixture(scope="module")
def frames():
    rng = np.random.default_rng(0)
    x, weight = rng.integers(1, 9, (3, 4)), rng.integers(1, 9, (4, 3))
    arch = Arch("small", Array(3, 3), Dataflow.WEIGHT_STATIONARY)
    return snapshots(Gemm(3, 4, 3), arch, x, weight)


def test_an_array_without_work_is_empty():
    figure = array_figure(frame([[0, 0], [0, 0]]))
    assert [len(points.x) for points in figure.series] == [4, 0, 0, 0]
    assert figure.alt == "In cycle 0, 0 of 4 units multiply."


def test_the_names_are_those_of_the_simulators_states():
    assert list(DOES).index("empty") == State.EMPTY
    assert list(DOES).index("waits") == State.HOLDS
    assert list(DOES).index("passes on") == State.PASSES
    assert list(DOES).index("multiplies") == State.MULTIPLIES


def test_each_unit_stands_where_it_is_and_says_what_it_holds():
    given = frame([[3, 1], [2, 0]], x=[[5, 0], [0, 0]], weight=[[-2, 7], [0, 0]],
                  psum=[[14, 0], [9, 0]])  # fmt: skip
    empty, waits, passes, busy = array_figure(given).series
    assert (busy.x, busy.y, busy.labels) == ((0,), (0,), ("5 x -2: 14",))
    assert (waits.x, waits.y, waits.labels) == ((1,), (0,), ("7",))
    assert (passes.x, passes.y, passes.labels) == ((0,), (1,), ("9",))
    assert (empty.x, empty.y, empty.labels) == ((1,), (1,), ())


def test_every_frame_of_a_simulation_is_drawn_as_it_is(frames):
    panel = array_panel(frames)
    for cycle, one in enumerate(frames):
        view = panel.set(cycle=cycle)
        drawn = {p.name: len(p.x) for p in view.figures[0].series}
        counted = Counter(list(DOES)[does] for does in one.state.ravel())
        assert {name: n for name, n in drawn.items() if n} == counted
        assert view.figures[1].series[0].y[cycle] == pytest.approx(100 * one.utilisation)
        assert view.figures[1].series[1].x == cycle
        table = {row[0]: row for row in view.tables[0].rows}
        assert table["1, 2"][2:] == (one.x[1, 2], one.weight[1, 2], one.psum[1, 2])


def test_it_starts_where_most_multiply_and_has_both_faces(frames):
    panel = array_panel(frames)
    assert frames[panel.state["cycle"]].utilisation == max(f.utilisation for f in frames)
    assert panel.html().count("<img") == 2 + 5
    assert "<svg" in panel.view.figures[0].svg()
    assert len(panel.view.figures[0].plotly().data) >= 4


def test_it_plays_live_and_not_on_a_static_page(frames):
    panel = array_panel(frames)
    assert panel.live().controls["cycle"].get_state()["play_s"] > 0
    assert "Play" not in panel.html()
    assert "button" not in panel.html()


def test_errors(frames):
    with pytest.raises(ValueError, match="array_panel: frames must be at least 2 cycles, got 1"):
        array_panel(frames[:1])
    with pytest.raises(ValueError, match="array_figure: state must be a grid of 1 to 16 rows"):
        array_figure(frame(np.zeros((17, 2), int)))
    with pytest.raises(ValueError, match="array_figure: state must be a grid"):
        array_figure(frame(np.zeros((0, 2), int)))
    with pytest.raises(ValueError, match="array_figure: state must be 0 to 3"):
        array_figure(frame([[4]]))
