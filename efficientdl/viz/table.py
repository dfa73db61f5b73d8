"""The text twin of a figure: its numbers as a table that a screen reader can walk through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from efficientdl import _check
from efficientdl.viz.series import Bars, Heatmap, Histogram, HLine, Line, Points, Series, VLine
from efficientdl.viz.ticks import number_text

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

Cell: TypeAlias = str | int | float | None
S = TypeVar("S")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of exact values under a caption; rounded only when they are printed.

    Attributes:
        caption: What the table holds.
        head: The heading of each column.
        rows: As many cells as headings; `None` where there is no figure.

    >>> print(Table("Size", ("bits", "KiB"), ((32, 40.0), (8, 10.0))))
    Size
    bits  KiB
    ----  ---
    32     40
    8      10
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "head", tuple(self.head))
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        for row in self.rows:
            if len(row) != len(self.head):
                _check.fail("Table", "rows", f"must have {len(self.head)} cells each", row)

    def __str__(self) -> str:
        lines = [list(self.head), *([cell_text(c) for c in row] for row in self.rows[:_SHOWN])]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        lines.insert(1, ["-" * width for width in widths])
        left = self._texts()
        printed = [
            "  ".join(
                cell.ljust(width) if flush else cell.rjust(width)
                for cell, width, flush in zip(line, widths, left, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self._caption(), *printed])

    def html(self) -> str:
        """The table as HTML, with a caption and headings that name their row or column."""
        head = "".join(f'<th scope="col">{escape(h)}</th>' for h in self.head)
        body = "".join(
            f'<tr><th scope="row">{escape(cell_text(row[0]))}</th>'
            + "".join(f"<td>{escape(cell_text(cell))}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows[:_SHOWN]
        )
        return (
            f"<table><caption>{escape(self._caption())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _caption(self) -> str:
        """The caption, honest about what is left out of a page."""
        left = len(self.rows) - _SHOWN
        return (
            f"{self.caption} (first {_SHOWN} of {len(self.rows)} rows)"
            if left > 0
            else self.caption
        )

    def _texts(self) -> list[bool]:
        """Which columns are set flush left: the first, and those that hold words."""
        return [
            i == 0 or any(isinstance(row[i], str) for row in self.rows)
            for i in range(len(self.head))
        ]


def cell_text(cell: Cell) -> str:
    """How a cell is printed; a dash where there is nothing."""
    if cell is None:
        return "-"
    return cell if isinstance(cell, str) else number_text(cell)


def of_figure(figure: "Figure") -> Table:
    """The numbers that a figure shows.

    Bars become a row for each category, histograms one for each bin, heat maps one for each
    category of y; anything else a row for each point.
    """
    kinds = {type(series) for series in figure.series} - {HLine, VLine}
    if kinds == {Bars}:
        return _of_bars(figure)
    if kinds == {Histogram} and len({tuple(h.edges) for h in _of_kind(figure, Histogram)}) == 1:
        return _of_histograms(figure)
    if kinds == {Heatmap}:
        return _of_heatmap(figure)
    return _of_points(figure)


def _of_kind(figure: "Figure", kind: type[S]) -> list[S]:
    return [series for series in figure.series if isinstance(series, kind)]


def _columns(series: Sequence[Bars | Histogram], axis_text: str) -> list[str]:
    """Headings of one column for each series: its name, and what is measured."""
    if len(series) == 1:
        return [axis_text]
    return [f"{one.name}: {axis_text}" for one in series]


def _caption_of(figure: "Figure") -> str:
    """The figure's title, and the lines of reference for which a table has no row."""
    lines = [
        f"{line.name}: {number_text(line.y if isinstance(line, HLine) else line.x)}"
        for line in figure.series
        if isinstance(line, HLine | VLine)
    ]
    return f"{figure.title} (lines at {', '.join(lines)})" if lines else figure.title


def _of_bars(figure: "Figure") -> Table:
    names, values = (figure.y, figure.x) if figure.horizontal else (figure.x, figure.y)
    bars = _of_kind(figure, Bars)
    noted = [b for b in bars if b.labels]
    columns: list[Sequence[Cell]] = [names.categories, *(tuple(b.values) for b in bars)]
    columns += [b.labels for b in noted]
    notes = [f"{b.name}: label" if len(bars) > 1 else "label" for b in noted]
    head = (names.text, *_columns(bars, values.text), *notes)
    return Table(_caption_of(figure), head, tuple(zip(*columns, strict=True)))


def _of_histograms(figure: "Figure") -> Table:
    parts = _of_kind(figure, Histogram)
    edges = parts[0].edges
    columns = [edges[:-1], edges[1:], *(part.counts for part in parts)]
    head = (f"{figure.x.text} from", "to", *_columns(parts, figure.y.text))
    return Table(_caption_of(figure), head, tuple(zip(*columns, strict=True)))


def _of_heatmap(figure: "Figure") -> Table:
    heatmap = _of_kind(figure, Heatmap)[0]
    rows = zip(figure.y.categories, heatmap.values, strict=True)
    head = (f"{figure.y.text} \\ {figure.x.text}", *figure.x.categories)
    return Table(f"{figure.title}: {heatmap.name}", head, tuple((n, *row) for n, row in rows))


def _of_points(figure: "Figure") -> Table:
    """One row a point; the columns that no series fills are left out."""
    area = next((s.area_label for s in figure.series if isinstance(s, Points) and s.area_label), "")
    head = ("series", "label", figure.x.text, figure.y.text, area)
    rows = [row for series in figure.series for row in _point_rows(figure, series)]
    kept = [i for i in range(5) if i in (0, 2, 3) or any(row[i] is not None for row in rows)]
    return Table(
        figure.title,
        tuple(head[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in rows),
    )


def _point_rows(figure: "Figure", series: Series) -> Iterator[tuple[Cell, ...]]:
    """Series, label, x, y and area of each point, as far as there is one."""
    if isinstance(series, HLine | VLine):
        x, y = (None, series.y) if isinstance(series, HLine) else (series.x, None)
        yield series.name, None, x, y, None
        return
    for label, x, y, area in _marks(figure, series):
        yield series.name, label, x, y, area


def _marks(figure: "Figure", series: Series) -> Iterator[tuple[Cell, Cell, Cell, Cell]]:
    if isinstance(series, Line):
        for x, y in zip(series.x, series.y, strict=True):
            yield None, x, y, None
    elif isinstance(series, Points):
        labels = series.labels or [None] * len(series.x)
        areas = series.areas if len(series.areas) else [None] * len(series.x)
        yield from zip(labels, series.x, series.y, areas, strict=True)
    elif isinstance(series, Histogram):
        for left, count in zip(series.edges, series.counts, strict=False):
            yield "bin starts", left, count, None
    elif isinstance(series, Bars):
        names = figure.x.categories or figure.y.categories
        for name, value in zip(names, series.values, strict=True):
            x, y = (value, name) if figure.horizontal else (name, value)
            yield None, x, y, None
