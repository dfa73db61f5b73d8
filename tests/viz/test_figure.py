"""Figures are values, and refuse what would mislead."""

from dataclasses import FrozenInstanceError, replace

import pytest

from efficientdl.viz import Axis, Bars, Figure, Heatmap, Histogram, Line, Points
from tests.viz import samples

NAMED = Axis("", categories=("a", "b"))
PLAIN = Axis("Size", "MB")


def figure(*series, x=NAMED, y=PLAIN, **options):
    return Figure("Title", x, y, series, alt="A sentence.", **options)


def test_a_figure_is_a_value():
    assert figure(Bars("b", [1, 2])) == figure(Bars("b", (1, 2)))
    assert len({figure(Bars("b", [1, 2])), figure(Bars("b", [1, 2]))}) == 1
    with pytest.raises(FrozenInstanceError):
        samples.BARS.title = "Another"


def test_bars_lie_along_the_axis_without_names():
    assert not figure(Bars("b", [1, 2])).horizontal
    assert figure(Bars("b", [1, 2]), x=PLAIN, y=NAMED).horizontal
    assert figure(Bars("b", [1, 2]), x=PLAIN, y=NAMED).along(Bars("b", [1, 2]), "x") == (1, 2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: figure(Bars("b", [1])), "values of 'b' must be one for each of the 2 categories"),
        (lambda: figure(Bars("b", [1, 2]), x=PLAIN), "must name the categories of exactly one"),
        (lambda: figure(Bars("b", [1, 2]), y=NAMED), "must name the categories of exactly one"),
        (
            lambda: figure(Bars("b", [0, 2]), y=Axis("", log=True)),
            "y of 'b' must be above 0 on the",
        ),
        (
            lambda: figure(Bars("b", [1, 2]), y=Axis("", log=True), stacked=True),
            "stacked must be False on a log axis",
        ),
        (lambda: figure(Bars("b", [-1, 2]), stacked=True), "must be 0 or more where they are"),
        (lambda: figure(Heatmap("h", [[1, 2]]), y=NAMED), "must be a row for each category of y"),
        (lambda: figure(*[Points(str(i), [0], [0]) for i in range(8)]), "must be at most 7: more"),
        (lambda: replace(samples.BARS, alt=" "), "alt must say something"),
        (lambda: replace(samples.BARS, title=""), "title must say something"),
        (lambda: replace(samples.BARS, width=5), r"width must be a whole number in \[120, 4000\]"),
    ],
)
def test_what_would_mislead_is_refused(make, said):
    with pytest.raises(ValueError, match=f"Figure: .*{said}"):
        make()


def test_empty_bins_may_stand_on_a_log_axis():
    made = figure(Histogram("h", [0, 1, 2], [0, 5]), x=PLAIN, y=Axis("Count", log=True))
    assert "NaN" not in made.svg()


def test_axis_ends():
    with pytest.raises(ValueError, match="Axis: low must be below high = 1, got 2"):
        Axis("Size", low=2, high=1)
    with pytest.raises(ValueError, match="Axis: low must be above 0 on a log axis, got 0"):
        Axis("Size", log=True, low=0)


def test_no_data_still_makes_axes():
    assert "<title>Title</title>" in figure(Line("l", [], []), x=Axis("x")).svg()
