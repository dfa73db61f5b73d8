"""Text in a picture: how wide it is, how it breaks into lines, where a label finds room."""

from collections.abc import Sequence
from typing import NamedTuple

_NARROW = frozenset("iljtfrI.,:;'|!()[]/ -")
_WIDE = frozenset("mwMW@%GOQ")


def width(text: str, size: float) -> float:
    """About how wide a text is in a sans-serif face of this size, in pixels."""
    units = sum(0.34 if c in _NARROW else 0.84 if c in _WIDE else 0.58 for c in text)
    return units * size


def wrapped(text: str, size: float, room: float) -> list[str]:
    """The text in lines no wider than `room`, broken between words; a long word stays whole.

    >>> wrapped("activation memory of training", 10, 110)
    ['activation memory of', 'training']
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def shortened(text: str, size: float, room: float) -> str:
    """The text, cut to the room with three dots where it is too long.

    >>> shortened("MobileNetV2 of width 1.4", 10, 80)
    'MobileNetV2...'
    """
    if width(text, size) <= room:
        return text
    kept = next((i for i in range(len(text), 1, -1) if width(text[:i] + "...", size) <= room), 1)
    return text[:kept].rstrip() + "..."


class Spot(NamedTuple):
    """Where a label stands beside its point.

    Attributes:
        side: `right`, `left`, `top` or `bottom` of the point.
        x: Of the text's anchor.
        y: Of the text's baseline.
    """

    side: str
    x: float
    y: float


_Rectangle = tuple[float, float, float, float]


def place(
    points: Sequence[tuple[float, float, float]],
    labels: Sequence[str],
    size: float,
    room: tuple[float, float, float, float],
    obstacles: Sequence[tuple[float, float, float]] = (),
) -> list[Spot]:
    """A place for each label where it covers no point, no obstacle and no label before it.

    Each tries the right, the left, above and below; where all are taken, the least covered wins.

    Args:
        points: Place and radius of each point, in pixels.
        labels: As many texts.
        size: Of the letters.
        room: Left, top, right and bottom of the picture; a label may not leave it.
        obstacles: Other discs to keep clear of, as `points`.
    """
    discs = [*points, *obstacles]
    taken: list[_Rectangle] = [(x - r, y - r, x + r, y + r) for x, y, r in discs]
    spots: list[Spot] = []
    for i, ((x, y, radius), label) in enumerate(zip(points, labels, strict=True)):
        others = taken[:i] + taken[i + 1 :]
        wide = width(label, size)
        choices = [(s, _rectangle(s, wide, size)) for s in _spots(x, y, radius, size)]
        spot, rectangle = min(
            choices, key=lambda c: sum(_overlap(c[1], o) for o in others) + _outside(c[1], room)
        )
        taken.append(rectangle)
        spots.append(spot)
    return spots


def _spots(x: float, y: float, radius: float, size: float) -> list[Spot]:
    away = radius + 4
    return [
        Spot("right", x + away, y + size / 3),
        Spot("left", x - away, y + size / 3),
        Spot("top", x, y - away),
        Spot("bottom", x, y + away + size * 0.75),
    ]


def _rectangle(spot: Spot, wide: float, size: float) -> _Rectangle:
    left = {"right": spot.x, "left": spot.x - wide}.get(spot.side, spot.x - wide / 2)
    return left, spot.y - size * 0.8, left + wide, spot.y + size * 0.2


def _overlap(a: _Rectangle, b: _Rectangle) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    return wide * tall if wide > 0 and tall > 0 else 0.0


def _outside(a: _Rectangle, room: _Rectangle) -> float:
    """How much of the rectangle lies outside the picture, weighed ten times."""
    inside = _overlap(a, room)
    return 10 * ((a[2] - a[0]) * (a[3] - a[1]) - inside)
