"""The layout leaves room for the data and keeps everything inside the picture."""

from dataclasses import replace

import pytest

from efficientdl.viz import Axis, Bars, Figure
from efficientdl.viz.frame import frame
from tests.viz import samples


@pytest.mark.parametrize("name", samples.ALL)
@pytest.mark.parametrize("size", [(210, 260), (640, 360), (1200, 300)])
def test_data_has_room_inside_the_picture(name, size):
    figure = replace(samples.ALL[name], width=size[0], height=size[1])
    left, top, right, bottom = frame(figure).room
    assert 0 < left < right < size[0]
    assert 0 < top < bottom < size[1]
    assert (right - left) * (bottom - top) > 0.15 * size[0] * size[1]


def test_legend_stands_where_there_is_something_to_tell_apart():
    assert [key.series.name for key in frame(samples.BARS).keys] == ["dense", "pruned"]
    assert frame(samples.LOG_BARS).keys == []


def test_first_name_of_the_y_axis_stands_at_the_top():
    layout = frame(samples.BARS)
    assert layout.y.px(0) < layout.y.px(2)
    assert frame(samples.LINES).y.px(1.0) < frame(samples.LINES).y.px(0.01)


def test_endless_names_are_cut_not_the_picture():
    names = ("a name that goes on " * 20, "short")
    figure = Figure(
        "t", Axis("x"), Axis("", categories=names), (Bars("b", [1, 2]),), alt="a", width=300
    )
    left, _, right, _ = frame(figure).room
    assert right - left > 100
    assert frame(figure).y.categories[0].endswith("...")
    assert frame(figure).y.categories[1] == "short"


def test_long_names_are_tilted():
    names = tuple(f"a network with a long name {i}" for i in range(8))
    bars = (Bars("b", range(8)),)
    figure = Figure("t", Axis("", categories=names), Axis("y"), bars, alt="a")
    assert frame(figure).tilted
    assert not frame(samples.STACK).tilted
