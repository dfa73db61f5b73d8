"""The layout of a figure in pixels: what the title, the legend and the axes leave for the data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from efficientdl.viz import lettering
from efficientdl.viz.boxes import Box, styles
from efficientdl.viz.palette import Style
from efficientdl.viz.scale import Scale, domain
from efficientdl.viz.series import Series

if TYPE_CHECKING:
    from efficientdl.viz.figure import Figure

TITLE_PX = 15
TEXT_PX = 12
LABEL_PX = 11
_EDGE = 12
_LEGEND_ROW = 20
_SWATCH = 26
_MOST_ACROSS = 0.45  # of the picture, for names of an axis


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of the legend, at its place."""

    x: float
    y: float
    series: Series
    style: Style


@dataclass(frozen=True, slots=True)
class Frame:
    """Where everything of a figure stands.

    Attributes:
        title: Its lines.
        keys: The legend; empty where one series needs none.
        x: The horizontal scale.
        y: The vertical scale, larger values higher up.
        tilted: The names under the x axis are too long to stand beside each other.
    """

    title: list[str]
    keys: list[Key]
    x: Scale
    y: Scale
    tilted: bool

    def crowded(self, box: Box, *, horizontal: bool) -> bool:
        """Would the label at the end of a lying bar leave the picture? Then it stands inside."""
        if not horizontal:  # above a standing bar there is always room
            return False
        end = self.x.px(box.end)
        return self.x.end + _EDGE - end < lettering.width(box.label, LABEL_PX)

    @property
    def room(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the data's rectangle."""
        top, bottom = sorted((self.y.start, self.y.end))
        return self.x.start, top, self.x.end, bottom


def frame(figure: "Figure") -> Frame:
    """Lay the figure out."""
    title = lettering.wrapped(figure.title, TITLE_PX, figure.width - 2 * _EDGE)
    below_title = _EDGE + TITLE_PX * 1.3 * len(title)
    keys = _keys(figure, below_title)
    top = keys[-1].y + _LEGEND_ROW if keys else below_title + 10
    right = figure.width - _EDGE - 4
    names = _cut(figure.y.categories, _MOST_ACROSS * figure.width)
    left = _EDGE + 20 + _label_width(figure, names)
    under, tilted, below = _under(figure, right - left)
    bottom = figure.height - _EDGE - 20 - under
    across, up = domain(figure, "x"), domain(figure, "y")
    x = Scale(*across, left, right, figure.x.log, below)
    # Values grow upwards; of names, the first stands at the top.
    ends = (top, bottom) if figure.y.categories else (bottom, top)
    y = Scale(*up, *ends, figure.y.log, names)
    return Frame(title, keys, x, y, tilted)


def _keys(figure: "Figure", top: float) -> list[Key]:
    """The legend in rows under the title, where there is more than one series to tell apart."""
    entries = [(s, k) for s, k in zip(figure.series, styles(figure), strict=True) if k is not None]
    if len(entries) < 2:
        return []
    keys: list[Key] = []
    x, y = float(_EDGE), top + _LEGEND_ROW / 2
    for series, look in entries:
        wide = _SWATCH + 6 + lettering.width(series.name, TEXT_PX) + 14
        if keys and x + wide > figure.width - _EDGE:
            x, y = float(_EDGE), y + _LEGEND_ROW
        keys.append(Key(x, y, series, look))
        x += wide
    return keys


def _cut(names: tuple[str, ...], room: float) -> tuple[str, ...]:
    """Names short enough to leave room for the data; the table has them whole."""
    return tuple(lettering.shortened(name, TEXT_PX, room) for name in names)


def _label_width(figure: "Figure", names: tuple[str, ...]) -> float:
    """How wide the labels of the y axis are."""
    scale = Scale(*domain(figure, "y"), figure.height, 0, figure.y.log, names)
    return max((lettering.width(text, TEXT_PX) for _, text in scale.ticks(45)), default=0) + 8


def _under(figure: "Figure", room: float) -> tuple[float, bool, tuple[str, ...]]:
    """How much height the labels of the x axis take, whether they are tilted, and the names."""
    names = figure.x.categories
    if all(lettering.width(name, TEXT_PX) <= room / len(names) - 4 for name in names):
        return TEXT_PX + 8, False, names
    cut = _cut(names, _MOST_ACROSS * figure.height)
    return max(lettering.width(name, TEXT_PX) for name in cut) * 0.58 + 14, True, cut
