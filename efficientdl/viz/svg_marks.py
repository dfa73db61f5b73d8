"""The data of a figure as SVG: lines, points, bars, cells and reference lines."""

from collections.abc import Sequence
from math import cos, pi, sin
from typing import TYPE_CHECKING

from efficientdl.viz import lettering
from efficientdl.viz.boxes import Box, boxes, styles
from efficientdl.viz.bubbles import POINT_PX, places, spots
from efficientdl.viz.cells import cell_labels, shades
from efficientdl.viz.frame import LABEL_PX, TEXT_PX, Frame, Key
from efficientdl.viz.palette import INK, PAPER, Style, ink_on
from efficientdl.viz.series import Bars, Heatmap, Histogram, HLine, Line, Points, VLine
from efficientdl.viz.svg_tags import group, n, tag

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure


# White around letters that may stand on a bar.
_HALO = {"stroke": PAPER, "stroke_width": "3", "paint_order": "stroke"}

_HATCHES = {
    "/": "M0 8L8 0",
    "\\": "M0 0L8 8",
    "x": "M0 8L8 0M0 0L8 8",
    "-": "M0 4H8",
    "|": "M4 0V8",
    ".": "M3 4H5",
}


def hatches(figure: "Figure", prefix: str) -> str:
    """The patterns that the figure's bars use."""
    looks = zip(figure.series, styles(figure), strict=True)
    used = {k for s, k in looks if k and k.hatch and isinstance(s, Bars | Histogram)}
    patterns = [
        group(
            "pattern",
            [
                tag("rect", width=8, height=8, fill=look.colour),
                tag("path", d=_HATCHES[look.hatch], stroke=ink_on(look.colour), opacity="0.55"),
            ],
            id=_hatch_id(look, prefix),
            width=8,
            height=8,
            patternUnits="userSpaceOnUse",
        )
        for look in sorted(used, key=lambda look: look.colour)
    ]
    return group("defs", patterns) if patterns else ""


def _hatch_id(look: Style, prefix: str) -> str:
    return prefix + look.colour[1:]


def marks(figure: "Figure", index: int, look: Style | None, layout: Frame, prefix: str) -> str:
    """One series, drawn."""
    series = figure.series[index]
    if isinstance(series, Heatmap):
        return _cells(series, layout)
    if isinstance(series, HLine | VLine):
        return _rule(series, layout)
    if look is None:
        raise AssertionError("every series but these has a style")
    if isinstance(series, Line):
        return _line(series, look, layout)
    if isinstance(series, Points):
        return _points(figure, index, series, look, layout)
    if isinstance(series, Histogram):
        return _skyline(figure, index, look, layout, prefix)
    drawn = [_bar(box, look, layout, prefix, figure) for box in boxes(figure, index)]
    return "".join(drawn)


def _skyline(figure: "Figure", index: int, look: Style, layout: Frame, prefix: str) -> str:
    """A histogram as one path: its many bars differ only in height."""
    path = ""
    for box in boxes(figure, index):
        if box.value:
            left, right = layout.x.px(box.left), layout.x.px(box.right)
            start, end = layout.y.px(box.start), layout.y.px(box.end)
            path += f"M{n(left)} {n(start)}V{n(end)}H{n(right)}V{n(start)}"
    opacity = {} if figure.stacked else {"fill_opacity": "0.65"}
    fill = _paint(look, prefix)
    return tag("path", d=path, fill=fill, stroke=INK, stroke_width="0.5", **opacity)


def _paint(look: Style, prefix: str) -> str:
    return f"url(#{_hatch_id(look, prefix)})" if look.hatch else look.colour


def _fill(look: Style, prefix: str, **place: float) -> str:
    """A rectangle in the style's colour and hatch."""
    return tag("rect", **place, fill=_paint(look, prefix), stroke=INK, stroke_width="0.5")


def _bar(box: Box, look: Style, layout: Frame, prefix: str, figure: "Figure") -> str:
    across, along = (layout.y, layout.x) if figure.horizontal else (layout.x, layout.y)
    sides = sorted((across.px(box.left), across.px(box.right)))
    ends = sorted((along.px(box.start), along.px(box.end)))
    thick, long = sides[1] - sides[0], ends[1] - ends[0]
    if figure.horizontal:
        drawn = _fill(look, prefix, x=ends[0], y=sides[0], width=long, height=thick)
        spot = {"x": ends[1] + 5, "y": sum(sides) / 2 + 4}
        if layout.crowded(box, horizontal=True):
            spot |= {"x": ends[1] - 5, "text_anchor": "end", "fill": ink_on(look.colour)}
    else:
        drawn = _fill(look, prefix, x=sides[0], y=ends[0], width=thick, height=long)
        spot = {"x": sum(sides) / 2, "y": ends[0] - 5, "text_anchor": "middle"}
    return drawn + (tag("text", box.label, **spot, font_size=LABEL_PX) if box.label else "")


def _line(series: Line, look: Style, layout: Frame) -> str:
    corners = [(layout.x.px(x), layout.y.px(y)) for x, y in zip(series.x, series.y, strict=True)]
    if not corners:
        return ""
    path = "M" + "L".join(f"{n(x)} {n(y)}" for x, y in corners)
    dash = {"stroke_dasharray": " ".join(map(str, look.dash))} if look.dash else {}
    drawn = tag("path", d=path, fill="none", stroke=look.colour, stroke_width="2", **dash)
    if series.markers:
        drawn += _markers([(x, y, POINT_PX) for x, y in corners], look)
    return drawn


_ANCHORS = {"right": "start", "left": "end", "top": "middle", "bottom": "middle"}


def _points(figure: "Figure", index: int, series: Points, look: Style, layout: Frame) -> str:
    drawn = _markers(places(figure, index, layout), look)
    texts = [
        tag("text", label, x=spot.x, y=spot.y, text_anchor=_ANCHORS[spot.side])
        for spot, label in zip(spots(figure, index, layout), series.labels, strict=True)
    ]
    return drawn + (group("g", texts, font_size=LABEL_PX) if texts else "")


def _markers(centres: Sequence[tuple[float, float, float]], look: Style) -> str:
    shapes = [tag("path", d=_shape(look.marker, x, y, r)) for x, y, r in centres]
    return group("g", shapes, fill=look.colour, fill_opacity="0.8", stroke=INK)


def _shape(marker: str, x: float, y: float, r: float) -> str:
    """The outline of a marker around a place."""
    corners: list[tuple[float, float]]
    if marker == "circle":
        d = n(2 * r)
        return f"M{n(x - r)} {n(y)}a{n(r)} {n(r)} 0 1 0 {d} 0a{n(r)} {n(r)} 0 1 0 -{d} 0Z"
    if marker in {"cross", "x"}:
        turn, arm, w = (0.0 if marker == "cross" else pi / 4), r * 1.1, r * 0.4
        steps = [(w, -arm), (w, -w), (arm, -w), (arm, w), (w, w), (w, arm)]
        corners = steps + [(-a, -b) for a, b in steps]
        corners = [
            (a * cos(turn) - b * sin(turn), a * sin(turn) + b * cos(turn)) for a, b in corners
        ]
    else:
        sides, first = {
            "square": (4, pi / 4),
            "diamond": (4, 0.0),
            "triangle-up": (3, -pi / 2),
            "triangle-down": (3, pi / 2),
        }[marker]
        angles = [first + 2 * pi * i / sides for i in range(sides)]
        corners = [(1.2 * r * cos(angle), 1.2 * r * sin(angle)) for angle in angles]
    return "M" + "L".join(f"{n(x + a)} {n(y + b)}" for a, b in corners) + "Z"


def _cells(series: Heatmap, layout: Frame) -> str:
    drawn: list[str] = []
    labels = cell_labels(series)
    for i, row in enumerate(shades(series)):
        for j, colour in enumerate(row):
            left, right = layout.x.px(j - 0.5), layout.x.px(j + 0.5)
            top, bottom = sorted((layout.y.px(i - 0.5), layout.y.px(i + 0.5)))
            drawn.append(
                tag("rect", x=left, y=top, width=right - left, height=bottom - top, fill=colour)
            )
            if labels[i][j] and lettering.width(labels[i][j], LABEL_PX) < right - left:
                spot = {"x": (left + right) / 2, "y": (top + bottom) / 2 + 4}
                drawn.append(tag("text", labels[i][j], **spot, fill=ink_on(colour)))
    return group("g", drawn, text_anchor="middle", font_size=LABEL_PX)


def _rule(series: HLine | VLine, layout: Frame) -> str:
    left, top, right, bottom = layout.room
    anchor = "end"
    if isinstance(series, HLine):
        y = layout.y.px(series.y)
        path, spot = f"M{n(left)} {n(y)}H{n(right)}", {"x": right - 4, "y": y - 5}
    else:
        x = layout.x.px(series.x)
        fits = x + lettering.width(series.name, LABEL_PX) + 8 < right
        path = f"M{n(x)} {n(top)}V{n(bottom)}"
        anchor = "start" if fits else "end"
        spot = {"x": x + 5 if fits else x - 5, "y": top + TEXT_PX}
    line = tag("path", d=path, stroke=INK, stroke_width="1.3", stroke_dasharray="6 4", fill="none")
    name = tag("text", series.name, **spot, text_anchor=anchor, font_size=LABEL_PX, **_HALO)
    return line + name


def swatch(key: Key, prefix: str) -> str:
    """How a series looks, in the legend."""
    if isinstance(key.series, Bars | Histogram):
        return _fill(key.style, prefix, x=key.x + 6, y=key.y - 6, width=16, height=12)
    drawn = ""
    middle = (key.x + 13, key.y, POINT_PX)
    if isinstance(key.series, Line):
        dash = {"stroke_dasharray": " ".join(map(str, key.style.dash))} if key.style.dash else {}
        path = f"M{n(key.x)} {n(key.y)}h26"
        drawn = tag("path", d=path, stroke=key.style.colour, stroke_width="2", fill="none", **dash)
        if not key.series.markers:
            return drawn
    return drawn + _markers([middle], key.style)
