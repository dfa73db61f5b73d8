"""A figure as SVG, written by hand: small, the same bytes every time, and said in words too.

The document names itself to a screen reader: `role="img"`, a `<title>`, and the figure's
sentence as its `<desc>`.
"""

from hashlib import sha256
from typing import TYPE_CHECKING

from efficientdl.viz.boxes import styles
from efficientdl.viz.frame import TEXT_PX, TITLE_PX, Frame, Key, frame
from efficientdl.viz.lettering import wrapped
from efficientdl.viz.palette import GRID, INK, PAPER
from efficientdl.viz.svg_marks import hatches, marks, swatch
from efficientdl.viz.svg_tags import group, n, tag

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

_FONT = "Helvetica,Arial,sans-serif"


def draw(figure: "Figure") -> str:
    """The SVG document of a figure."""
    layout = frame(figure)
    looks = styles(figure)
    # Patterns are found by an id, which must be this picture's own where pages hold several.
    prefix = "h" + sha256(repr(figure).encode()).hexdigest()[:8]
    inner = [
        tag("title", figure.title),
        tag("desc", figure.alt),
        hatches(figure, prefix),
        tag("rect", width=figure.width, height=figure.height, fill=PAPER),
        _title(layout),
        _axes(figure, layout),
    ]
    for index, look in enumerate(looks):
        inner.append(marks(figure, index, look, layout, prefix))
    inner += [_key(key, prefix) for key in layout.keys]
    return group(
        "svg",
        inner,
        xmlns="http://www.w3.org/2000/svg",
        role="img",
        viewBox=f"0 0 {figure.width} {figure.height}",
        width=figure.width,
        height=figure.height,
        font_family=_FONT,
        font_size=TEXT_PX,
        fill=INK,
    )


def _title(layout: Frame) -> str:
    lines = [
        tag("text", line, x=12, y=12 + TITLE_PX * (0.8 + 1.3 * i), font_size=TITLE_PX)
        for i, line in enumerate(layout.title)
    ]
    return group("g", lines, font_weight=600)


def _axes(figure: "Figure", layout: Frame) -> str:
    left, top, right, bottom = layout.room
    lines: list[str] = []
    texts: list[str] = []
    for value, text in layout.x.ticks(70):
        x = layout.x.px(value)
        if not layout.x.categories:
            lines.append(tag("path", d=f"M{n(x)} {n(top)}V{n(bottom)}"))
        texts.append(_x_label(x, bottom, text, tilted=layout.tilted))
    for value, text in layout.y.ticks(45):
        y = layout.y.px(value)
        if not layout.y.categories:
            lines.append(tag("path", d=f"M{n(left)} {n(y)}H{n(right)}"))
        texts.append(tag("text", text, x=left - 8, y=y + 4, text_anchor="end"))
    base = f"M{n(left)} {n(top)}V{n(bottom)}H{n(right)}"
    return (
        group("g", lines, stroke=GRID)
        + tag("path", d=base, stroke=INK, fill="none")
        + "".join(texts)
        + _axis_names(figure, layout)
    )


def _x_label(x: float, bottom: float, text: str, *, tilted: bool) -> str:
    if tilted:
        turn = f"rotate(-35 {n(x)} {n(bottom + 14)})"
        return tag("text", text, x=x + 4, y=bottom + 14, text_anchor="end", transform=turn)
    return tag("text", text, x=x, y=bottom + 17, text_anchor="middle")


def _axis_names(figure: "Figure", layout: Frame) -> str:
    left, top, right, bottom = layout.room
    across = tag(
        "text", figure.x.text, x=(left + right) / 2, y=figure.height - 10, text_anchor="middle"
    )
    lines = wrapped(figure.y.text, TEXT_PX, bottom - top + 20)
    middle = (top + bottom) / 2
    turn = f"rotate(-90 16 {n(middle)})"
    up = tag("text", " ".join(lines), x=16, y=middle, text_anchor="middle", transform=turn)
    return across + up


def _key(key: Key, prefix: str) -> str:
    return swatch(key, prefix) + tag("text", key.series.name, x=key.x + 32, y=key.y + 4)
