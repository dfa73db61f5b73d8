"""A figure as data: what is drawn, said once, for every face that can show it.

Arrays go in, a frozen `Figure` comes out. It knows no library that draws: `svg()` is its static
face, `plotly()` its live one, `table()` its text twin, and all three show the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from efficientdl import _check
from efficientdl.viz.palette import STYLES
from efficientdl.viz.series import Bars, Heatmap, Histogram, HLine, Series, VLine

if TYPE_CHECKING:
    from efficientdl.viz.table import Table


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a figure.

    Attributes:
        label: What is measured along it.
        unit: In what; empty for a plain number.
        log: Equal distances are equal ratios.
        categories: Names, where the axis counts things rather than measuring them.
        low: Where the axis starts; where it is None, the data decide. Fix both ends of a figure
            that a slider moves, and the eye can compare.
        high: Where it ends.
    """

    label: str
    unit: str = ""
    log: bool = False
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(map(str, self.categories)))
        if self.low is not None and self.high is not None and not self.low < self.high:
            _check.fail("Axis", "low", f"must be below high = {self.high}", self.low)
        if self.log and self.low is not None and self.low <= 0:
            _check.fail("Axis", "low", "must be above 0 on a log axis", self.low)

    @property
    def text(self) -> str:
        """Label and unit.

        >>> Axis("Energy", "pJ").text
        'Energy (pJ)'
        """
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture: two axes, at most seven series, and a sentence that says what it shows.

    Bars lie along the axis that has no categories. A figure never changes; a slider that moves
    makes a new one.

    Attributes:
        title: What the figure is about.
        x: The horizontal axis.
        y: The vertical axis.
        series: What is drawn, in order.
        alt: What the picture tells, in a sentence, for whoever cannot see it.
        stacked: Bars and histograms stand on each other rather than side by side.
        width: In pixels.
        height: In pixels.

    >>> figure = Figure(
    ...     "Weights", Axis("Bits", categories=("32", "8")), Axis("Size", "KiB"),
    ...     (Bars("size", (40, 10)),), alt="With 8 bits the weights are 4 times smaller.")
    >>> figure.table().rows
    (('32', 40), ('8', 10))
    """

    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    alt: str
    stacked: bool = False
    width: int = 640
    height: int = 360

    def __post_init__(self) -> None:
        object.__setattr__(self, "series", tuple(self.series))
        for name in ("title", "alt"):
            if not getattr(self, name).strip():
                _check.fail("Figure", name, "must say something", getattr(self, name))
        for name in ("width", "height"):
            _check.whole("Figure", name, getattr(self, name), 120, 4000)
        if len(self.styled()) > len(STYLES):
            rule = f"must be at most {len(STYLES)}: more cannot be told apart"
            _check.fail("Figure", "series", rule, len(self.styled()))
        for series in self.series:
            _check_fits(self, series)

    def styled(self) -> list[Series]:
        """The series that take a style from the palette: all but the reference lines."""
        return [s for s in self.series if not isinstance(s, HLine | VLine)]

    @property
    def horizontal(self) -> bool:
        """Do bars lie along the x axis, their names on the y axis?"""
        return bool(self.y.categories) and not self.x.categories

    def along(self, series: Series, name: str) -> Sequence[float]:
        """The values of a series along an axis, `x` or `y`; none along names."""
        if isinstance(series, Bars):
            return tuple(series.values) if (name == "x") == self.horizontal else ()
        return () if isinstance(series, Heatmap) else series.along(name)

    def table(self) -> "Table":
        """The figure's numbers, exactly."""
        from efficientdl.viz.table import of_figure

        return of_figure(self)

    def svg(self) -> str:
        """The figure as an SVG document: the same bytes for the same figure."""
        from efficientdl.viz.svg import draw

        return draw(self)

    def plotly(self) -> Any:  # noqa: ANN401  # naming the type would import plotly
        """The figure as a `plotly.graph_objects.Figure`."""
        from efficientdl.viz.plotly_face import plotly_figure

        return plotly_figure(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        from efficientdl.viz.view import View

        return View(self, None, self.alt)._repr_mimebundle_()


def _check_fits(figure: Figure, series: Series) -> None:
    """Demand that a series can stand on the figure's axes."""
    if isinstance(series, Bars):
        _check_bars(figure, series)
    if isinstance(series, Heatmap):
        _check_heatmap(figure, series)
    along = figure.x if figure.horizontal else figure.y
    if figure.stacked and along.log and isinstance(series, Bars | Histogram):
        _check.fail("Figure", "stacked", "must be False on a log axis: logs do not add up", True)
    for name in ("x", "y"):
        axis: Axis = getattr(figure, name)
        least = min(figure.along(series, name), default=1) if axis.log else 1
        if least <= 0:
            rule = f"must be above 0 on the log axis {axis.label!r}"
            _check.fail("Figure", f"{name} of {series.name!r}", rule, least)


def _check_bars(figure: Figure, series: Bars) -> None:
    named = (figure.x.categories, figure.y.categories)
    if bool(named[0]) == bool(named[1]):
        rule = "must name the categories of exactly one axis where there are bars"
        _check.fail("Figure", "x and y", rule, named)
    count = len(named[0] or named[1])
    if len(series.values) != count:
        rule = f"must be one for each of the {count} categories"
        _check.fail("Figure", f"values of {series.name!r}", rule, len(series.values))
    if figure.stacked and min(series.values, default=0) < 0:
        rule = "must be 0 or more where they are stacked"
        _check.fail("Figure", f"values of {series.name!r}", rule, min(series.values))


def _check_heatmap(figure: Figure, series: Heatmap) -> None:
    wanted = (len(figure.y.categories), len(figure.x.categories))
    shape = (len(series.values), len(series.values[0]))
    if shape != wanted:
        rule = f"must be a row for each category of y, a value for each of x: {wanted}"
        _check.fail("Figure", f"values of {series.name!r}", rule, shape)
