"""A figure in plotly's words, as plain data: the same axes, places and words as the SVG."""

from collections.abc import Sequence
from html import escape
from math import log10
from typing import TYPE_CHECKING, Any

from efficientdl.viz.boxes import Box, boxes, styles
from efficientdl.viz.bubbles import POINT_PX, places, spots
from efficientdl.viz.cells import cell_labels
from efficientdl.viz.frame import LABEL_PX, TEXT_PX, TITLE_PX, Frame, frame
from efficientdl.viz.palette import GRID, INK, PAPER, Style, ink_on, shade
from efficientdl.viz.scale import Scale
from efficientdl.viz.series import Bars, Heatmap, Histogram, HLine, Line, Points, Series, VLine
from efficientdl.viz.ticks import number_text

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

_BESIDE = {
    "right": "middle right",
    "left": "middle left",
    "top": "top center",
    "bottom": "bottom center",
}


def spec(figure: "Figure") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The traces and the layout of a figure, as plotly's own words."""
    layout = frame(figure)
    looks = styles(figure)
    traces = [_trace(figure, i, look, layout) for i, look in enumerate(looks)]
    return traces, _layout(figure, layout)


def _text(text: str) -> str:
    """Plotly reads its texts as HTML."""
    return escape(text, quote=False)


_Row = tuple[str, float | str, float | str]


def _hover(figure: "Figure", series: Series, rows: Sequence[_Row]) -> list[str]:
    """What the pointer says of each row: its name, then both values with their units."""
    return [
        f"<b>{_text(label or series.name)}</b><br>"
        f"{_said(figure.x.text, x)}<br>{_said(figure.y.text, y)}"
        for label, x, y in rows
    ]


def _said(axis: str, value: float | str) -> str:
    text = value if isinstance(value, str) else number_text(value)
    return f"{_text(axis)}: {_text(text)}" if axis else _text(text)


def _trace(figure: "Figure", index: int, look: Style | None, layout: Frame) -> dict[str, Any]:
    series = figure.series[index]
    drawn: dict[str, Any]
    if isinstance(series, Heatmap):
        return _heatmap(figure, series)
    if isinstance(series, HLine | VLine):
        return _rule(series, layout)
    if look is None:
        raise AssertionError("every series but these has a style")
    if isinstance(series, Line):
        drawn = _line(figure, series, look)
    elif isinstance(series, Points):
        drawn = _points(figure, index, series, look, layout)
    else:
        drawn = _bars(figure, index, series, look, layout)
    return {"name": _text(series.name), "hoverinfo": "text", **drawn}


def _line(figure: "Figure", series: Line, look: Style) -> dict[str, Any]:
    rows = [("", x, y) for x, y in zip(series.x, series.y, strict=True)]
    return {
        "type": "scatter",
        "x": list(series.x),
        "y": list(series.y),
        "mode": "lines+markers" if series.markers else "lines",
        "line": {"color": look.colour, "width": 2, "dash": _dash(look)},
        "marker": _marker(look, 2.0 * POINT_PX),
        "hovertext": _hover(figure, series, rows),
        "cliponaxis": False,
    }


def _points(
    figure: "Figure", index: int, series: Points, look: Style, layout: Frame
) -> dict[str, Any]:
    labels = list(series.labels) or [""] * len(series.x)
    sides = [_BESIDE[spot.side] for spot in spots(figure, index, layout)]
    rows = list(zip(labels, series.x, series.y, strict=True))
    hover = _hover(figure, series, rows)
    if len(series.areas):
        hover = [
            f"{text}<br>{_said(series.area_label, area)}"
            for text, area in zip(hover, series.areas, strict=True)
        ]
    return {
        "type": "scatter",
        "x": list(series.x),
        "y": list(series.y),
        "mode": "markers+text",
        "text": [_text(label) for label in labels],
        "textposition": sides or "middle right",
        "textfont": {"size": LABEL_PX},
        "marker": _marker(look, [2 * r for _, _, r in places(figure, index, layout)]),
        "hovertext": hover,
        "cliponaxis": False,
    }


def _bars(
    figure: "Figure", index: int, series: Bars | Histogram, look: Style, layout: Frame
) -> dict[str, Any]:
    drawn = boxes(figure, index)
    across = [(box.left + box.right) / 2 for box in drawn]
    along = [box.value for box in drawn]
    hover = _hover(figure, series, _bar_rows(figure, series, drawn))
    faint = isinstance(series, Histogram) and not figure.stacked
    return {
        "type": "bar",
        "orientation": "h" if figure.horizontal else "v",
        "x": along if figure.horizontal else across,
        "y": across if figure.horizontal else along,
        # A base would move bars off the edge of a log axis, where no bar has a start.
        "base": [box.start for box in drawn] if figure.stacked else None,
        "width": [box.right - box.left for box in drawn],
        "text": [_text(box.label) for box in drawn],
        "textposition": [
            "inside" if layout.crowded(box, horizontal=figure.horizontal) else "outside"
            for box in drawn
        ],
        "insidetextanchor": "end",
        "textangle": 0,
        "textfont": {"size": LABEL_PX},
        "marker": {
            "color": look.colour,
            "line": {"color": INK, "width": 0.5},
            "pattern": {
                "shape": look.hatch,
                "fillmode": "overlay",
                "fgcolor": ink_on(look.colour),
                "fgopacity": 0.55,
                "size": 8,
                "solidity": 0.12,
            },
        },
        "opacity": 0.65 if faint else 1,
        "hovertext": hover,
        "cliponaxis": False,
    }


def _bar_rows(figure: "Figure", series: Bars | Histogram, drawn: Sequence[Box]) -> list[_Row]:
    """Name, x and y of each bar or bin, as its axes say them."""
    if isinstance(series, Histogram):
        edges = [f"{number_text(b.left)} to {number_text(b.right)}" for b in drawn]
        return [(series.name, edge, b.value) for edge, b in zip(edges, drawn, strict=True)]
    names = figure.x.categories or figure.y.categories
    if figure.horizontal:
        return [(series.name, b.value, name) for name, b in zip(names, drawn, strict=True)]
    return [(series.name, name, b.value) for name, b in zip(names, drawn, strict=True)]


def _heatmap(figure: "Figure", series: Heatmap) -> dict[str, Any]:
    rows, columns = range(len(figure.y.categories)), range(len(figure.x.categories))
    labels = cell_labels(series)
    return {
        "type": "heatmap",
        "name": _text(series.name),
        "x": list(columns),
        "y": list(rows),
        "z": [list(row) for row in series.values],
        "text": [[_text(label) for label in row] for row in labels],
        "texttemplate": "%{text}",
        "colorscale": [[i / 10, shade(i / 10)] for i in range(11)],
        "showscale": False,
        "hoverinfo": "text",
        "hovertext": [
            _hover(
                figure,
                series,
                [(labels[i][j], figure.x.categories[j], figure.y.categories[i]) for j in columns],
            )
            for i in rows
        ],
    }


def _rule(series: HLine | VLine, layout: Frame) -> dict[str, Any]:
    """A line across the data's rectangle, its name at the end."""
    upright = isinstance(series, VLine)
    if upright:
        x, y = [series.x] * 2, [layout.y.low, layout.y.high]
        right_half = layout.x.px(series.x) > (layout.x.start + layout.x.end) / 2
        side = "bottom left" if right_half else "bottom right"
    else:
        x, y, side = [layout.x.low, layout.x.high], [series.y] * 2, "top left"
    return {
        "type": "scatter",
        "name": _text(series.name),
        "x": x,
        "y": y,
        "mode": "lines+text",
        "line": {"color": INK, "width": 1.3, "dash": "dash"},
        "text": ["", _text(series.name)],
        "textposition": side,
        "textfont": {"size": LABEL_PX},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _dash(look: Style) -> str:
    return ",".join(f"{length}px" for length in look.dash) or "solid"


def _marker(look: Style, size: float | list[float]) -> dict[str, Any]:
    line = {"color": INK, "width": 1}
    return {
        "color": look.colour,
        "symbol": look.marker,
        "size": size,
        "line": line,
        "opacity": 0.85,
    }


def _layout(figure: "Figure", layout: Frame) -> dict[str, Any]:
    left, top, right, bottom = layout.room
    margin = {"l": left, "r": figure.width - right, "t": top, "b": figure.height - bottom, "pad": 0}
    return {
        "width": figure.width,
        "height": figure.height,
        "margin": margin,
        "title": {
            "text": "<b>" + "<br>".join(map(_text, layout.title)) + "</b>",
            "font": {"size": TITLE_PX},
            "x": 12 / figure.width,
            "y": 1 - 10 / figure.height,
            "xanchor": "left",
            "yanchor": "top",
        },
        "font": {"family": "Helvetica, Arial, sans-serif", "size": TEXT_PX, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "showlegend": bool(layout.keys),
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        "barmode": "overlay",  # every bar has its place already
        "dragmode": False,
        "hovermode": "closest",
        "xaxis": _axis(layout.x, 70, tilt=35 if layout.tilted else 0),
        "yaxis": _axis(layout.y, 45, flip=layout.y.start < layout.y.end),
        "annotations": [
            _axis_name(
                figure.x.text, x=0.5, y=0, yshift=bottom - figure.height + 2, yanchor="bottom"
            ),
            _axis_name(figure.y.text, x=0, y=0.5, xshift=4 - left, xanchor="left", textangle=-90),
        ],
    }


def _axis_name(text: str, **place: float | str) -> dict[str, Any]:
    """What an axis measures, where the SVG has it."""
    paper = {"xref": "paper", "yref": "paper", "showarrow": False, "font": {"size": TEXT_PX}}
    return {"text": _text(text) or " ", **paper, **place}


def _axis(scale: Scale, spacing_px: float, *, tilt: int = 0, flip: bool = False) -> dict[str, Any]:
    ticks = scale.ticks(spacing_px)
    ends = (scale.low, scale.high)
    if scale.log:
        ends = (log10(scale.low), log10(scale.high))
    if flip:  # names read from the top
        ends = ends[::-1]
    return {
        "type": "log" if scale.log else "linear",
        "range": list(ends),
        "tickvals": [value for value, _ in ticks],
        "ticktext": [_text(label) for _, label in ticks],
        "tickangle": -tilt,
        "showgrid": not scale.categories,
        "gridcolor": GRID,
        "showline": True,
        "linecolor": INK,
        "zeroline": False,
        "fixedrange": True,
    }
